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
	// Packs in the making are a few large buffers that live for the whole run;
	// collecting at half of the usual growth keeps the peak near what is in use.
	debug.SetGCPercent(50)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
