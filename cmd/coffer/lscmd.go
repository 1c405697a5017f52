package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
	"coffer/vault/restore"
)

// splitSpec parts SNAPSHOT[:PATH].
func splitSpec(s string) (snapshot, path string) {
	snapshot, path, _ = strings.Cut(s, ":")
	if i := timeColon(s); i > 0 {
		snapshot, path = s[:i], strings.TrimPrefix(s[i:], ":")
	}
	return snapshot, path
}

// timeColon finds the end of a date with a time, which has colons of its own.
func timeColon(s string) int {
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

// source opens the snapshot that a SNAPSHOT[:PATH] means, with the identity.
func (d *door) source(ctx context.Context, spec string) (*vault.Vault, *vault.Source, string, error) {
	v, err := d.open(ctx, lent)
	if err != nil {
		return nil, nil, "", err
	}
	name, path := splitSpec(spec)
	snap, err := v.Find(ctx, name, vault.Filter{})
	if err != nil {
		return nil, nil, "", err
	}
	src, err := v.Source(ctx, snap)
	if err != nil {
		return nil, nil, "", err
	}
	return v, src, path, nil
}

func (d *door) lsCommand() *cobra.Command {
	var long, flat bool
	c := &cobra.Command{
		Use: "ls SNAPSHOT[:PATH]", Short: "List what a snapshot holds (needs the kit)",
		Args: exactly(1, "coffer ls SNAPSHOT[:PATH]"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.ls(cmd.Context(), args[0], long, !flat) },
	}
	c.Flags().BoolVarP(&long, "long", "l", false, "also mode, owner, size and time")
	c.Flags().BoolVar(&flat, "no-recursion", false, "only what is directly in the folder")
	return c
}

func (d *door) ls(ctx context.Context, spec string, long, recursive bool) error {
	v, src, path, err := d.source(ctx, spec)
	if err != nil {
		return err
	}
	defer d.tellProblems(v)
	for e, err := range restore.List(ctx, src, path, recursive) {
		if err != nil {
			return err
		}
		d.printEntry(e, long)
	}
	return nil
}

func (d *door) printEntry(e *manifest.Entry, long bool) {
	if d.json {
		d.emit("node", entryJSON(e))
		return
	}
	name := safeName(e.Path)
	if e.Type == files.Symlink && long {
		name += " -> " + safeName(e.Target)
	}
	if e.Err != "" {
		name += "  (not saved: " + safeName(e.Err) + ")"
	}
	if !long {
		fmt.Fprintln(d.out, name)
		return
	}
	fmt.Fprintf(d.out, "%s %-8s %-8s %12d %s %s\n", modeText(e), owner(e.User, e.UID), owner(e.Group, e.GID), e.Size, timeText(e.Mtime.Time()), name)
}

func owner(name string, id uint32) string {
	if name != "" {
		return safeName(name)
	}
	return fmt.Sprint(id)
}

// modeText is the mode as ls -l shows it.
func modeText(e *manifest.Entry) string {
	m := os.FileMode(e.Mode & 0o777)
	text := []byte(m.String())
	text[0] = map[files.Type]byte{files.Dir: 'd', files.Regular: '-', files.Symlink: 'l', files.FIFO: 'p', files.Char: 'c', files.Block: 'b', files.Socket: 's'}[e.Type]
	for _, s := range []struct {
		bit  uint32
		at   int
		with byte
	}{{0o4000, 3, 's'}, {0o2000, 6, 's'}, {0o1000, 9, 't'}} {
		if e.Mode&s.bit == 0 {
			continue
		}
		if text[s.at] == '-' {
			text[s.at] = s.with - 'a' + 'A'
		} else {
			text[s.at] = s.with
		}
	}
	return string(text)
}

func entryJSON(e *manifest.Entry) map[string]any {
	m := map[string]any{
		"path": e.Path, "type": string(rune(e.Type)), "mode": e.Mode, "size": e.Size, "mtime": e.Mtime.Time().UTC(),
		"uid": e.UID, "gid": e.GID, "user": e.User, "group": e.Group,
	}
	if e.Target != "" {
		m["target"] = e.Target
	}
	if e.Err != "" {
		m["error"] = e.Err
	}
	if e.Changed {
		m["changed_while_read"] = true
	}
	return m
}

func (d *door) catCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cat SNAPSHOT:PATH", Aliases: []string{"dump"}, Short: "Print a file of a snapshot (needs the kit)",
		Args: exactly(1, "coffer cat SNAPSHOT:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, src, path, err := d.source(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if path == "" {
				return usageError{fmt.Errorf("%q names no file", args[0]), "coffer cat SNAPSHOT:PATH"}
			}
			return restore.Cat(cmd.Context(), src, path, d.out)
		},
	}
}
