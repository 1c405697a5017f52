package main

import (
	"context"
	"fmt"
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
	c.Flags().StringVar(&readData, "read-data", "", "read the packs' bytes: all, or a part such as 10%")
	c.Flags().Lookup("read-data").NoOptDefVal = "100%"
	c.Flags().BoolVar(&deep, "deep", false, "open everything and hash every chunk again (needs the kit)")
	return c
}

func parsePart(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || n <= 0 || n > 100 || !strings.HasSuffix(s, "%") {
		return 0, usageError{fmt.Errorf("--read-data=%s", s), "write it as --read-data or --read-data=10%"}
	}
	return n / 100, nil
}

func (d *door) verify(ctx context.Context, o verify.Options) error {
	l := keyless
	if o.Deep {
		l = lent
	} else if d.kit != "" || d.identity != "" {
		l = ifGiven
	}
	v, err := d.open(ctx, l)
	if err != nil {
		return err
	}
	o.Progress = new(verify.Progress)
	o.OnProblem = d.verifyProblem
	began := time.Now()
	m := d.showProgress(func() sample { return verifySample(o.Progress, time.Since(began)) })
	res, err := verify.Run(ctx, v, o)
	m.finish()
	if err != nil {
		return err
	}
	d.tellVerify(res)
	if n := len(res.Problems); n > 0 {
		return codeError{exitDamage, plural(int64(n), "problem") + " found; everything they do not name can be restored"}
	}
	return nil
}

func verifySample(p *verify.Progress, t time.Duration) sample {
	stage := ""
	if s := p.Stage.Load(); s != nil {
		stage = *s
	}
	done, total := p.Bytes.Load(), p.TotalBytes.Load()
	s := sample{text: stage, json: map[string]any{
		"stage": stage, "packs_done": p.Packs.Load(), "total_packs": p.TotalPacks.Load(), "bytes_done": done, "total_bytes": total, "seconds_elapsed": int64(t.Seconds()),
	}}
	if total > 0 {
		s.text = joined(stage, fmt.Sprintf("%d of %s", p.Packs.Load(), plural(p.TotalPacks.Load(), "pack")), bytesText(done), rate(done, t), left(done, total, t))
	}
	return s
}

func (d *door) verifyProblem(p verify.Problem) {
	if d.json {
		d.emit("error", map[string]any{"event": "problem", "object": p.Object, "error": p.Err.Error(), "harms": p.Harms, "snapshots": p.Snapshots, "files": p.Files, "file_count": p.FileCount})
		return
	}
	d.line(fmt.Sprintf("problem: %s\n  %v\n  harms: %s", p.Object, p.Err, p.Harms))
	if len(p.Snapshots) > 0 {
		d.line("  snapshots: " + strings.Join(p.Snapshots, " "))
	}
	for _, f := range p.Files {
		d.line("    " + safeName(f))
	}
	if more := p.FileCount - int64(len(p.Files)); more > 0 {
		d.line(fmt.Sprintf("    and %s more", countText(more)))
	}
}

func (d *door) tellVerify(r verify.Result) {
	if d.json {
		d.emit("summary", map[string]any{
			"snapshots": r.Snapshots, "packs": r.Packs, "bytes": r.Bytes, "packs_read": r.ReadPacks, "bytes_read": r.ReadBytes,
			"chunks": r.Chunks, "refs": r.Entries, "packs_unneeded": r.Unneeded, "bytes_unneeded": r.UnneededBytes, "problems": len(r.Problems), "deep": r.Deep, "seconds": r.Duration.Seconds(),
		})
		return
	}
	w := d.out
	fmt.Fprintf(w, "%s, signed and in order; they need %s with %s\n", plural(int64(r.Snapshots), "snapshot"), plural(r.Packs, "pack"), bytesText(r.Bytes))
	switch {
	case r.Deep:
		fmt.Fprintf(w, "  all opened in %s: %s hashed again, %s followed\n", durationText(r.Duration), plural(r.Chunks, "chunk"), plural(r.Entries, "ref"))
	case r.ReadPacks > 0:
		fmt.Fprintf(w, "  %s read and hashed in %s, %s; without the kit it cannot be told that they open\n", plural(r.ReadPacks, "pack"), durationText(r.Duration), bytesText(r.ReadBytes))
	default:
		fmt.Fprintf(w, "  all there with their sizes; --read-data reads their bytes, --deep opens them\n")
	}
	if r.Unneeded > 0 {
		fmt.Fprintf(w, "  %s (%s) that no snapshot needs: of runs at work or interrupted\n", plural(r.Unneeded, "further pack"), bytesText(r.UnneededBytes))
	}
	if len(r.Problems) == 0 {
		fmt.Fprintln(w, "  no problem found")
	}
}
