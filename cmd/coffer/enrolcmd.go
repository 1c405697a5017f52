package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/vault"
	"coffer/vault/trust"
)

func (d *door) enrolCommand() *cobra.Command {
	var replace string
	c := &cobra.Command{
		Use:   "enrol --kit FILE [REMOTE]",
		Short: "Let this machine back up to a vault that exists",
		Long: `Enrol this machine in a vault, with its recovery kit. A machine that lost its
local state takes its own place again with --replace: the old device can write no
more, and what it stored is known again and not uploaded twice.`,
		Example: `  coffer enrol --kit kit.txt s3:https://minio.example:9000/backups/laptop
  coffer enrol --kit kit.txt --replace 0123456789abcdef`,
		Args: between(0, 1, "coffer enrol --kit FILE [REMOTE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				d.remote = args[0]
			}
			return d.enrol(cmd.Context(), replace)
		},
	}
	c.Flags().StringVar(&replace, "replace", "", "`device` whose place this one takes: its ID, or \"list\" to see all")
	return c
}

func (d *door) enrol(ctx context.Context, replace string) error {
	k, err := d.givenKit()
	if err != nil {
		return err
	}
	if k == nil {
		return hinted{fmt.Errorf("enrol: %w", vault.ErrNoIdentity), "lend it the recovery kit:  coffer enrol --kit FILE REMOTE"}
	}
	if d.remote == "" {
		d.remote = k.Remote
	}
	if d.remote == "" {
		return usageError{errors.New("the kit does not say where the vault is"), "coffer enrol --kit FILE REMOTE"}
	}
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	ch, err := d.choose(c)
	if err != nil {
		return err
	}
	if ch.dir != nil && (k.Vault == "" || ch.dev.Vault == string(k.Vault)) {
		return hinted{fmt.Errorf("this machine is enrolled in the vault at %s already, as device %s", ch.vault.Remote, ch.dev.Device), "back up to it:  coffer backup now FOLDER"}
	}
	wait, err := patience(shortPatience)
	if err != nil {
		return err
	}
	store, err := d.openStore(ctx, ch.vault, wait)
	if err != nil {
		return fmt.Errorf("open %s: %w", ch.vault.Remote, err)
	}
	lent, err := vault.Open(ctx, store, vault.OpenOptions{Kit: k})
	if err != nil {
		return err
	}
	if replace == "list" {
		return d.listDevices(lent.Trust())
	}
	id, err := findDevice(lent.Trust(), replace)
	if err != nil {
		return err
	}
	states, err := stateRoot()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	v, done, err := vault.Enrol(ctx, store, k, vault.EnrolOptions{
		StateRoot: states, Label: host, Remote: ch.vault.Remote.String(), Replace: id,
		OnProject: func(label string, chunks int) {
			if !d.json {
				d.line(fmt.Sprintf("read back %s: %s", safeName(label), plural(int64(chunks), "chunk")))
			}
		},
	})
	if err != nil {
		return err
	}
	return d.tellEnrolled(v, done, replace != "")
}

func (d *door) tellEnrolled(v *vault.Vault, done vault.Enrolled, replaced bool) error {
	if d.json {
		d.emit("enrol", map[string]any{"vault": string(v.ID()), "device": string(done.Device), "remote": v.Location(), "chunks": done.Chunks, "projects": len(done.Projects), "trust": v.Trust().N})
		return nil
	}
	fmt.Fprintf(d.out, "enrolled in vault %s at %s as device %s (trust %d)\n", v.ID()[:8], safeName(v.Location()), done.Device, v.Trust().N)
	if replaced {
		fmt.Fprintf(d.out, "  took over %s, %s known again; what is still on the disk is not uploaded twice\n", plural(int64(len(done.Projects)), "project"), plural(int64(done.Chunks), "chunk"))
		for _, p := range done.Projects {
			fmt.Fprintf(d.out, "    %s\n", safeName(p.Label))
		}
	}
	fmt.Fprintln(d.out, "  the recovery kit is as good as before; keep it where it was, off this machine")
	return nil
}

// findDevice resolves the ID, its beginning, or the label of a device; "" is none.
func findDevice(t *trust.Trust, s string) (trust.DeviceID, error) {
	if s == "" {
		return "", nil
	}
	var hits []trust.DeviceID
	for _, dev := range t.Devices {
		if string(dev.ID) == s {
			return dev.ID, nil
		}
		if len(s) >= 4 && len(s) <= len(dev.ID) && string(dev.ID)[:len(s)] == s || dev.Label == s && dev.Until == nil {
			hits = append(hits, dev.ID)
		}
	}
	if len(hits) != 1 {
		return "", usageError{fmt.Errorf("--replace %q: %d devices of the vault answer to it", s, len(hits)), "coffer enrol --kit FILE --replace list  shows them"}
	}
	return hits[0], nil
}

func (d *door) listDevices(t *trust.Trust) error {
	for _, dev := range t.Devices {
		standing := "active"
		if dev.Until != nil {
			standing = "replaced or revoked"
		}
		if d.json {
			d.emit("device", map[string]any{"device": string(dev.ID), "label": dev.Label, "active": dev.Until == nil})
			continue
		}
		fmt.Fprintf(d.out, "%s  %-20s  %s\n", dev.ID, safeName(dev.Label), standing)
	}
	return nil
}

var _ config.Remote
