package main

import (
	"context"
	"fmt"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/drill"
	"coffer/vault/verify"
)

// proof is what status tells of checks and drills: what this machine remembers
// of its own, and what all devices have committed.
type proof struct {
	verified *verify.Summary
	check    *commit.Commit
	drills   drill.Summary
	drill    *commit.Commit // the newest that proved something
}

func (d *door) proofOf(ctx context.Context, v *vault.Vault) (p proof, err error) {
	if v.State() != nil {
		p.verified, p.drills = verify.Last(v.State()), drill.Last(v.State())
	}
	newest, err := v.Newest(ctx, func(c *commit.Commit) bool { return c.Kind == commit.Check || c.Detail.Result == commit.OK }, commit.Check, commit.Drill)
	if err == nil {
		p.check, p.drill = newest[0], newest[1]
	}
	return p, err
}

func (d *door) tellProof(v *vault.Vault, p proof) {
	switch {
	case p.verified != nil:
		s := p.verified
		found := "no problem"
		if s.Problems > 0 {
			found = plural(s.Problems, "problem")
		}
		if s.Doubts > 0 {
			found += fmt.Sprintf(", and %s of which only  coffer verify --deep --kit FILE  can tell whether it is healed", plural(s.Doubts, "bad object"))
		}
		if c := coverageText(s.Coverage, s.Bytes); c != "" {
			found += "; " + c
		}
		fmt.Fprintf(d.out, "  last verified %s (%s): %s\n", timeText(s.At), ageText(s.At), found)
	case p.check != nil:
		c := p.check
		fmt.Fprintf(d.out, "  last check committed %s (%s): %s\n", timeText(c.Time), ageText(c.Time), detailText(c.Detail))
	default:
		fmt.Fprintf(d.out, "  never verified:  %s\n", d.lineFor(v, "coffer verify --read-data"))
	}
	d.tellDrills(p)
}

func (d *door) tellDrills(p proof) {
	own, other := p.drills.Proven, p.drill
	switch {
	case own != nil && (other == nil || !other.Time.After(own.At.Add(time.Minute))): // its own commit comes right after it
		fmt.Fprintf(d.out, "  last proven restorable %s (%s): snapshot %s, %s, %s\n", timeText(own.At), ageText(own.At), own.Snapshot[:8], plural(own.Files, "file"), bytesText(own.Bytes))
	case other != nil:
		id := ""
		if n, err := commit.ParseBase(other.Detail.Snapshot); err == nil {
			id = n.Hash()[:8]
		}
		fmt.Fprintf(d.out, "  last proven restorable %s (%s): snapshot %s, from %s, %s\n", timeText(other.Time), ageText(other.Time), id,
			plural(int64(other.Detail.Objects), "pack"), bytesText(int64(other.Detail.Bytes)))
	default:
		fmt.Fprintln(d.out, "  never proven restorable:  coffer drill --kit FILE")
	}
	if last := p.drills.Last; last != nil && last.Result != commit.OK {
		fmt.Fprintf(d.out, "  the last drill, %s, did not succeed: %s\n", timeText(last.At), last.Result)
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
			"time": s.At.UTC(), "problems": s.Problems, "packs_replaced": s.Replaced, "packs_unproven": s.Doubts, "packs": s.Packs, "bytes": s.Bytes, "bytes_read": s.ReadBytes,
			"packs_never_read": s.Coverage.Never, "bytes_never_read": s.Coverage.NeverBytes, "oldest_read": timeOrNil(s.Coverage.Oldest), "deep": timeOrNil(s.Deep),
		}
	}
	if p.check != nil {
		m["check"] = detailJSON(p.check)
	}
	if p.drill != nil {
		m["drill"] = detailJSON(p.drill)
	}
	if o := p.drills.Proven; o != nil {
		m["proven"] = map[string]any{"time": o.At.UTC(), "snapshot": o.Snapshot, "taken": o.Taken.UTC(), "files": o.Files, "bytes": o.Bytes, "all": o.All, "report": string(o.Report)}
	}
	if o := p.drills.Last; o != nil {
		m["last_drill"] = map[string]any{"time": o.At.UTC(), "snapshot": o.Snapshot, "level": string(o.Level), "result": string(o.Result)}
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
