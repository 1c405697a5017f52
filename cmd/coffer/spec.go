package main

import (
	"context"
	"strings"

	"coffer/vault"
)

// splitSpec parts SNAPSHOT[:PATH].
func splitSpec(s string) (snapshot, path string) {
	if i := timeEnd(s); i > 0 {
		return s[:i], strings.TrimPrefix(s[i:], ":")
	}
	snapshot, path, _ = strings.Cut(s, ":")
	return snapshot, path
}

// timeEnd finds the end of a date with a time, which has colons of its own.
func timeEnd(s string) int {
	t := strings.TrimPrefix(s, "@")
	if len(t) < 16 || t[4] != '-' || t[13] != ':' {
		return 0
	}
	end := len(s) - len(t) + 16
	if len(t) >= 19 && t[16] == ':' && isDigit(t[17]) && isDigit(t[18]) {
		end += 3
	}
	return end
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// opened is a snapshot that can be read.
type opened struct {
	v    *vault.Vault
	src  *vault.Source
	path string // of SNAPSHOT:PATH
}

// source opens the snapshot that a SNAPSHOT[:PATH] means, with the identity.
func (d *door) source(ctx context.Context, spec, usage string) (opened, error) {
	name, path := splitSpec(spec)
	if name == "" {
		return opened{}, usagef("usage:  "+usage, "%q names no snapshot", spec)
	}
	v, err := d.open(ctx, needed)
	if err != nil {
		return opened{}, err
	}
	snap, err := v.Find(ctx, name, vault.Filter{})
	if err != nil {
		return opened{}, err
	}
	src, err := v.Source(ctx, snap)
	return opened{v, src, path}, err
}
