package main

import (
	"errors"

	"coffer/vault"
)

// tellProblems prints what the vault noticed on the way.
func (d *door) tellProblems(v *vault.Vault) {
	for _, p := range v.Problems() {
		d.tellProblem(p.Object, p.Err, p.Harms)
	}
}

func (d *door) tellProblem(object string, err error, harms string) {
	if d.json {
		d.emit("error", map[string]any{"event": "problem", "object": object, "error": err.Error(), "harms": harms})
		return
	}
	d.note("problem: %s\n  %s\n  harms: %s", safeName(object), plainText(err.Error(), object), harms)
}

// damageFound is the outcome of a command that told all it was asked for, from
// a vault that has lost something.
func damageFound(v *vault.Vault) error {
	for _, p := range v.Problems() {
		if errors.Is(p.Err, vault.ErrDamaged) || errors.Is(p.Err, vault.ErrRollback) {
			return outcome{exitDamage, "the vault is not whole, as told above; coffer verify  tells all of it"}
		}
	}
	return nil
}
