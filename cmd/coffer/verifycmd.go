package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coffer/vault/verify"
)

func (d *door) verifyCommand() *cobra.Command {
	var readData string
	var deep bool
	c := &cobra.Command{
		Use: "verify", Aliases: []string{"check"}, Short: "Prove that what the vault says it holds is there",
		Long: `Check signatures and chains, and that every pack that a snapshot needs is there
with its size. No key is needed. With --read-data the bytes of the packs, or of a
part of them, are read and compared with their names. With --deep and the kit
everything is opened, every chunk hashed again, every manifest walked.`,
		Example: `  coffer verify
  coffer verify --read-data=10%
  coffer verify --deep --kit coffer-kit.txt`,
		Args: exactly(0, "coffer verify [--read-data[=N%]] [--deep]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			part, err := parsePart(readData)
			if err != nil {
				return err
			}
			return d.verify(cmd.Context(), verify.Options{ReadData: part, Deep: deep})
		},
	}
	c.Flags().StringVar(&readData, "read-data", "", "read the packs' bytes: all, or a `part` such as =10%")
	c.Flags().Lookup("read-data").NoOptDefVal = "100%"
	c.Flags().BoolVar(&deep, "deep", false, "open everything and hash every chunk again (needs the kit)")
	return c
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
		return outcome{exitDamage, plural(n, "problem") + " found, as told above; everything they do not name can be restored"}
	}
	return nil
}
