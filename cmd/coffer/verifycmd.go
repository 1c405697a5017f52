package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/vault/verify"
)

// verifyFlags are those of coffer verify.
type verifyFlags struct {
	readData    string
	maxAge      string
	maxDuration string
	deep        bool
	noRecord    bool
}

func (d *door) verifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify", Aliases: []string{"check"}, Short: "Prove that what the vault says it holds is there",
		Long: `Check signatures and chains, and that every pack that a snapshot needs is there
with its size. No key is needed. With --read-data the bytes of the packs, or of a
part of them, are read and compared with their names: those first that were never
read, then those read longest ago, so that a part a day comes round to all of them.
--max-age leaves out what was read lately, and --max-duration ends in time; the next
one goes on from there. With --deep and the kit everything is opened, every chunk
hashed again, every manifest walked.

What is bad or missing is made anew by the next backup from what is still on the
disk. How a check that read data ended is committed to the vault, so that all who
use it can see when that was.`,
		Example: `  coffer verify
  coffer verify --read-data=10%
  coffer verify --read-data --max-age 30d --max-duration 10m
  coffer verify --deep --kit coffer-kit.txt`,
		Args: exactly(0, "coffer verify [--read-data[=N%]] [--deep]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			return d.verify(cmd.Context(), o)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.readData, "read-data", "", "read the packs' bytes: all, or a `part` such as =10%")
	fl.Lookup("read-data").NoOptDefVal = "100%"
	fl.StringVar(&f.maxAge, "max-age", "", "with --read-data: leave out what was read within this `time`, such as 30d")
	fl.StringVar(&f.maxDuration, "max-duration", "", "with --read-data: stop reading after this `time`, such as 10m")
	fl.BoolVar(&f.deep, "deep", false, "open everything and hash every chunk again (needs the kit)")
	fl.BoolVar(&f.noRecord, "no-record", false, "do not commit how it ended")
	return c
}

func (f *verifyFlags) options() (o verify.Options, err error) {
	o.Deep = f.deep
	if o.ReadData, err = parsePart(f.readData); err != nil {
		return o, err
	}
	if o.ReadData == 0 && f.maxAge+f.maxDuration != "" {
		return o, usagef("add --read-data", "--max-age and --max-duration are about reading data")
	}
	if o.Deep && f.maxAge+f.maxDuration != "" {
		return o, usagef("leave them out, or --deep", "--deep opens everything, whatever --max-age and --max-duration say")
	}
	for _, t := range []struct {
		flag, text string
		to         *time.Duration
	}{{"--max-age", f.maxAge, &o.MaxAge}, {"--max-duration", f.maxDuration, &o.MaxDuration}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = config.ParseDuration(t.text); err != nil || *t.to <= 0 {
			return o, usagef(`write it like "90s", "10m", "26h" or "30d"`, "%s %q is not a length of time", t.flag, t.text)
		}
	}
	o.Record = !f.noRecord && (o.Deep || o.ReadData > 0)
	return o, nil
}

func parsePart(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(n > 0 && n <= 100) || !strings.HasSuffix(s, "%") {
		return 0, usagef("write it as --read-data or --read-data=10%", "--read-data=%s is not understood", s)
	}
	return n / 100, nil
}

func (d *door) verify(ctx context.Context, o verify.Options) error {
	l := keyless
	if o.Deep {
		l = needed
	}
	v, err := d.open(ctx, l)
	if err != nil {
		return err
	}
	o.Progress = new(verify.Progress)
	o.OnProblem, o.OnReplaced = d.verifyProblem, d.verifyReplaced
	began := time.Now()
	m := d.showProgress(func() sample { return verifySample(o.Progress, time.Since(began)) })
	res, err := verify.Run(ctx, v, o)
	m.finish()
	if err != nil {
		return err
	}
	d.tellVerify(res, o)
	if n := len(res.Problems); n > 0 {
		err := errors.New(plural(n, "problem") + " found, as told above; everything they do not name can be restored")
		return found(told{err, exitDamage, nextAfter(res)}, objectsOf(res))
	}
	if len(res.Doubts) > 0 {
		err := fmt.Errorf("%s bad or missing, and whether all that snapshots need of that is elsewhere now is not known without the kit", packsAndLists(res.Doubts))
		return found(told{err, exitDamage, "the kit tells, and this machine remembers it:  coffer verify --deep --kit FILE"}, objectsOf(res))
	}
	return nil
}

// objectsOf names what a check found bad.
func objectsOf(res verify.Result) (names []string) {
	for _, p := range res.Problems {
		names = append(names, p.Object)
	}
	for _, r := range res.Doubts {
		names = append(names, r.Object)
	}
	return names
}
