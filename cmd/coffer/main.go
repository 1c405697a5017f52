// Coffer backs up project folders to S3-compatible storage or a folder, so
// that the machine that backs up cannot read its own past backups, and
// restores them with one recovery kit.
//
// This package is the door: it reads flags, wires the rooms together, and
// turns results and errors into words and exit codes. Each verb has a file
// whose name ends in cmd.go; what it says is beside it in a file that ends in
// tell.go. Results go to the standard output, everything else to the standard
// error stream.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(realMain()) }

func realMain() int {
	tuneCollector()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first Ctrl-C ends the work in order. A second one is not caught any
	// more, for who does not want to wait for that.
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
