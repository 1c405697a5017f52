package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
)

// rollbacks are what runs found gone and nobody has taken note of, and what is
// seen to be gone now.
func rollbacks(v *vault.Vault) []vault.Rollback {
	all := v.Rollbacks()
	for _, p := range v.Problems() {
		gone := errors.Is(p.Err, vault.ErrRollback)
		if gone && !slices.ContainsFunc(all, func(r vault.Rollback) bool { return r.Commit == p.Object }) {
			all = append(all, vault.Rollback{Commit: p.Object, Found: time.Now()})
		}
	}
	return all
}

func (d *door) tellRollbacks(v *vault.Vault, all []vault.Rollback) {
	for _, r := range all {
		what := safeName(r.Commit)
		if n, err := commit.ParseName(r.Commit); err == nil {
			what = fmt.Sprintf("commit %d of %s, made %s", n.Seq, safeName(deviceLabel(v, string(n.Device))), timeText(n.Time))
		}
		fmt.Fprintf(d.out, "  ROLLED BACK: the remote showed an older state than this machine had seen: %s, was gone %s\n", what, timeText(r.Found))
	}
}

func rollbacksJSON(all []vault.Rollback) []map[string]any {
	out := []map[string]any{}
	for _, r := range all {
		out = append(out, map[string]any{"commit": r.Commit, "found": r.Found.UTC()})
	}
	return out
}

// statusEnd is the outcome of status.
func statusEnd(v *vault.Vault, rolled []vault.Rollback) error {
	if len(rolled) == 0 {
		return damageFound(v)
	}
	return told{errors.New("the remote shows, or has shown, an older state than this machine had seen"), exitDamage,
		"look at the storage: were objects removed, or an old copy put back?\nwhat is gone and still on the disk is stored again by the next backup\nwhen you know why it was:  coffer status --acknowledge"}
}
