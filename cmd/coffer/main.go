// Coffer backs up project folders to S3-compatible storage or a folder, so
// that the machine that backs up cannot read its own past backups, and
// restores them with one recovery kit.
//
// This package is the door: it reads flags, wires the rooms together, and
// turns results and errors into words and exit codes. Each verb has a file.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() { os.Exit(realMain()) }

func realMain() int {
	// Nearly all memory is a few large buffers of packs in the making, which hold
	// no pointers and live for the whole run: to collect often costs little and
	// keeps the peak near what is in use.
	debug.SetGCPercent(20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
