package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"coffer/vault/kit"
)

// readCopy reads the copy of a kit: a file, the standard input, or what is
// pasted on the terminal.
func (d *door) readCopy(args []string) (*kit.Kit, error) {
	if len(args) == 1 && args[0] != "-" {
		return readKit(args[0])
	}
	from := d.in
	if len(args) == 0 {
		if !d.canAsk() {
			return nil, usagef("name a file:  coffer kit confirm COPY", "kit confirm asks for the copy, and there is no terminal to ask on")
		}
		line, err := d.askSecret("paste the line of your copy that begins with AGE-SECRET-KEY- (it is not shown): ")
		if err != nil {
			return nil, err
		}
		from = strings.NewReader(line)
	}
	k, err := kit.Parse(from)
	if err != nil {
		return nil, badKit(fmt.Errorf("read the copy: %w", err), wholeKitHint)
	}
	return &k, nil
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// sameDisk tells whether two paths are on one file system.
func sameDisk(a, b string) bool {
	x, err1 := os.Stat(filepath.Clean(a))
	y, err2 := os.Stat(b)
	if err1 != nil || err2 != nil {
		return false
	}
	p, ok1 := x.Sys().(*syscall.Stat_t)
	q, ok2 := y.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && p.Dev == q.Dev
}
