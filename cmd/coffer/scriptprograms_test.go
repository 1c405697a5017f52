package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// These are programs that scripts run, each in a process of its own.

// nobody ARGS... is coffer run by someone who is not root, to whom files can
// be unreadable.
func nobody() {
	if os.Geteuid() == 0 {
		const id = 65534
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(id), syscall.Setuid(id)); err != nil {
			fail("nobody: %v", err)
		}
	}
	os.Exit(realMain())
}

// interrupt GLOB PROGRAM ARGS... runs a program, presses Ctrl-C as soon as a
// file matches the pattern, and ends as the program does.
func interrupt() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fail("interrupt: %v", err)
	}
	if err := appears(os.Args[1]); err != nil {
		cmd.Process.Kill()
		fail("interrupt: %v", err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		fail("interrupt: the program was through already: %v", err)
	}
	os.Exit(codeOf(cmd.Wait()))
}

// until GLOB waits until a file matches the pattern.
func until(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(appears(ts.MkAbs(args[0])))
}

func appears(glob string) error {
	return patiently(func() error {
		found, err := filepath.Glob(glob)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("nothing matches %s", glob)
		}
		return err
	})
}

// patiently tries until something works, for a while.
func patiently(try func() error) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if err := try(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// codeOf is the exit code of a program that ended with err.
func codeOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	}
	fail("%v", err)
	return 0
}

// fail ends a program that could not do its part.
func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(125)
}
