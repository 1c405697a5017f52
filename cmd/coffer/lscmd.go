package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
	"coffer/vault/restore"
)

func (d *door) lsCommand() *cobra.Command {
	var long, flat bool
	const usage = "coffer ls SNAPSHOT[:PATH]"
	c := &cobra.Command{
		Use: "ls SNAPSHOT[:PATH]", Short: "List what a snapshot holds (needs the kit)",
		Example: `  coffer ls latest
  coffer ls -l latest:website/img`,
		Args:              oneOf(usage),
		ValidArgsFunction: offerSnapshots,
		RunE:              func(cmd *cobra.Command, args []string) error { return d.ls(cmd.Context(), args[0], usage, long, !flat) },
	}
	c.Flags().BoolVarP(&long, "long", "l", false, "also mode, owner, size and time")
	c.Flags().BoolVar(&flat, "no-recursion", false, "only what is directly in the folder")
	return c
}

// ls lists what can be known; where the manifest is damaged it says so and
// goes on.
func (d *door) ls(ctx context.Context, spec, usage string, long, recursive bool) error {
	o, err := d.source(ctx, spec, usage)
	if err != nil {
		return err
	}
	defer d.tellProblems(o.v)
	gaps := 0
	for e, err := range restore.List(ctx, o.src, o.path, recursive) {
		switch {
		case err == nil:
			d.printEntry(e, long)
		case errors.Is(err, vault.ErrDamaged):
			gaps++
			d.tellGap(err)
		default:
			return pathError(err)
		}
	}
	if gaps > 0 {
		return outcome{exitDamage, plural(gaps, "part") + " of the list cannot be read, as told above"}
	}
	return nil
}

// oneOf is for commands that take one SNAPSHOT:PATH. Who gives the path by
// itself is told how to write it.
func oneOf(usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 2 && !strings.Contains(args[0], ":") {
			return usagef("did you mean:  "+cmd.CommandPath()+" "+shellLine([]string{args[0] + ":" + args[1]}), "%s: %q is one too many", cmd.CommandPath(), args[1])
		}
		return between(1, 1, usage)(cmd, args)
	}
}

// pathError adds a hint to an error about a PATH that the snapshot has not.
func pathError(err error) error {
	var disk *fs.PathError // of the target, not of the snapshot
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vault.ErrDamaged) && !errors.As(err, &disk) {
		return hinted(err, "coffer ls SNAPSHOT  lists what is in it")
	}
	return err
}

func (d *door) tellGap(err error) {
	if d.json {
		d.emit("error", map[string]any{"event": "damaged", "error": err.Error()})
		return
	}
	d.note("damaged in the vault: %s", plainText(err.Error()))
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
