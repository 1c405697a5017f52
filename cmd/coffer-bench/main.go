// Coffer-bench measures Coffer against other backup programs, and all of them
// against what the machine can do.
//
//	coffer-bench -scale 0.1 -rounds 3
//	coffer-bench -parts trees -tools coffer,restic -markdown
//	coffer-bench -s3 http://127.0.0.1:9000/bucket -link 10
//
// It makes files that are the same for the same seed, and takes each program
// it finds on the PATH through the same phases: first backup, no change, 1 % of
// the files changed, an insert in each large file, restore, and a verification that
// reads all. The programs take turns within each phase, so that whatever else
// the machine does falls on all of them, and each begins every other round.
// Each has its own caches and config under the scratch folder, and its defaults.
// What is restored is compared with what was backed up.
//
// With -entries it takes Coffer alone through trees of very many tiny files.
//
// The table has medians: wall time, processor time (user and system, of the
// program and its children), peak memory, what was stored, and requests where
// the target is S3, counted by a proxy in between. Beside it stand the
// machine's own limits, measured in the same way in the same rounds: a walk,
// reading and hashing, the bare work of a backup, a copy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "coffer-bench:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	scratch, restoreTo string
	home               string
	entries            []int
	tools, parts       []string
	source             string
	scale              float64
	seed               uint64
	rounds             int
	s3                 string
	link               float64 // Mbit/s; 0 is as fast as it goes
	markdown, json     bool
	keep               bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == inner {
		return runInner(args[1:])
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	if len(o.entries) > 0 {
		rows, err := b.runEntries(ctx, o.entries)
		return errors.Join(err, writeEntries(stdout, rows, o.markdown))
	}
	// What was measured until an interrupt or a failure is worth a table, too.
	return errors.Join(b.run(ctx), b.table().write(stdout, o))
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var tools, parts, entries string
	f := flag.NewFlagSet("coffer-bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.scratch, "scratch", "", "`folder` in which everything is made (default: a new one among the temporary files)")
	f.StringVar(&o.restoreTo, "restore-to", "", "`folder` below which it restores, such as /dev/shm (default: the scratch folder)")
	f.StringVar(&o.home, "home", "", "`folder` for the target, and what the programs keep to themselves (default: the scratch folder)")
	f.StringVar(&tools, "tools", strings.Join(toolNames(), ","), "`programs` to compare; those that are not on the PATH are left out")
	f.StringVar(&parts, "parts", strings.Join(partNames(), ","), "`parts` of the files to make")
	f.StringVar(&entries, "entries", "", "measure Coffer alone on trees of so many tiny files instead: `numbers` such as 100000,1000000")
	f.StringVar(&o.source, "source", "", "back up a copy of this `folder` instead of files that are made")
	f.Float64Var(&o.scale, "scale", 0.05, "how much to make; 1 is 145,000 files and 3.1 GB")
	f.Uint64Var(&o.seed, "seed", 1, "`number` that decides what the files hold")
	f.IntVar(&o.rounds, "rounds", 3, "how often all of it is done")
	f.StringVar(&o.s3, "s3", "", "`URL` of an S3 endpoint and bucket to back up to, instead of a folder; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	f.Float64Var(&o.link, "link", 0, "with -s3: let no more than this many `Mbit/s` through, up")
	f.BoolVar(&o.markdown, "markdown", false, "print the table as Markdown")
	f.BoolVar(&o.json, "json", false, "print everything measured as JSON")
	f.BoolVar(&o.keep, "keep", false, "leave the scratch folder behind")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if entries != "" {
		tools = coffer().name
		var err error
		if o.entries, err = parseSizes(entries); err != nil {
			return o, err
		}
	}
	o.tools, o.parts = strings.Split(tools, ","), strings.Split(parts, ",")
	if f.NArg() > 0 || o.rounds < 1 || o.scale <= 0 {
		return o, fmt.Errorf("want -rounds of at least 1, a -scale above 0, and no arguments: %q", f.Args())
	}
	return o, nil
}
