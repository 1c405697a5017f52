package main

import (
	"context"
	"fmt"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/verify"
)

// proof is what status tells of checks and drills: what this machine remembers
// of its own, and what all devices have committed.
type proof struct {
	verified *verify.Summary
	check    *commit.Commit
}

func (d *door) proofOf(ctx context.Context, v *vault.Vault) (p proof, err error) {
	if v.State() != nil {
		p.verified = verify.Last(v.State())
	}
	p.check, err = v.Newest(ctx, commit.Check, func(*commit.Commit) bool { return true })
	return p, err
}

func (d *door) tellProof(p proof) {
	switch {
	case p.verified != nil:
		s := p.verified
		found := "no problem"
		if s.Problems > 0 {
			found = plural(s.Problems, "problem")
		}
		if c := coverageText(s.Coverage, s.Bytes); c != "" {
			found += "; " + c
		}
		fmt.Fprintf(d.out, "  last verified %s (%s): %s\n", timeText(s.At), ageText(s.At), found)
	case p.check != nil:
		c := p.check
		fmt.Fprintf(d.out, "  last check committed %s (%s): %s\n", timeText(c.Time), ageText(c.Time), detailText(c.Detail))
	default:
		fmt.Fprintln(d.out, "  never verified:  coffer verify --read-data")
	}
}

// detailText is what a committed check or drill says.
func detailText(t *commit.Detail) string {
	s := fmt.Sprintf("%s, %s read, %s", plural(int64(t.Objects), "object"), bytesText(int64(t.Bytes)), t.Result)
	if n := t.Bad + t.Missing; n > 0 {
		s += fmt.Sprintf(" (%s bad or missing)", countText(int64(n)))
	}
	return s
}

func (p proof) json() map[string]any {
	m := map[string]any{}
	if s := p.verified; s != nil {
		m["verified"] = map[string]any{
			"time": s.At.UTC(), "problems": s.Problems, "packs_replaced": s.Replaced, "packs": s.Packs, "bytes": s.Bytes, "bytes_read": s.ReadBytes,
			"packs_never_read": s.Coverage.Never, "bytes_never_read": s.Coverage.NeverBytes, "oldest_read": timeOrNil(s.Coverage.Oldest), "deep": timeOrNil(s.Deep),
		}
	}
	if p.check != nil {
		m["check"] = detailJSON(p.check)
	}
	return m
}

func detailJSON(c *commit.Commit) map[string]any {
	t := c.Detail
	return map[string]any{
		"time": c.Time.UTC(), "device": string(c.Device), "result": string(t.Result), "snapshot": t.Snapshot,
		"objects": t.Objects, "bytes": t.Bytes, "bad": t.Bad, "missing": t.Missing,
	}
}
