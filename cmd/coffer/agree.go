package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// agree asks on the terminal whether to go on, unless yes says so already.
// Where there is no terminal, and with --json, only --yes will do.
func (d *door) agree(question string, yes bool) error {
	if yes {
		return nil
	}
	if d.json || !d.canAsk() {
		return told{errors.New("nothing was done: there is no terminal to ask on"), exitUsage, "to do it, say  --yes"}
	}
	fmt.Fprintf(d.err, "%s [y/N] ", question)
	line, _ := bufio.NewReader(d.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}
