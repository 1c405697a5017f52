package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

const enrolUsage = "coffer enrol --kit FILE [REMOTE] [--replace DEVICE]"

func (d *door) enrolCommand() *cobra.Command {
	var replace string
	c := &cobra.Command{
		Use:   "enrol [REMOTE]",
		Short: "Let this machine back up to a vault that exists (needs the kit)",
		Long: `Enrol this machine in a vault, with its recovery kit. REMOTE may be left out: the
kit knows it. A machine that lost its local state takes its own place again with
--replace: the old device can write no more, and what it stored is known again and
not uploaded twice.`,
		Example: `  coffer enrol --kit kit.txt s3:https://minio.example:9000/backups/laptop
  coffer enrol --kit kit.txt --replace list
  coffer enrol --kit kit.txt --replace 0123456789abcdef`,
		Args: between(0, 1, enrolUsage),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				d.remote = args[0]
			}
			return d.enrol(cmd.Context(), replace)
		},
	}
	c.Flags().StringVar(&replace, "replace", "", "`device` whose place this one takes: its ID or name; \"list\" shows all")
	return c
}

func (d *door) enrol(ctx context.Context, replace string) error {
	ch, k, err := d.findForEnrol()
	if err != nil {
		return err
	}
	store, err := d.connect(ctx, ch, shortPatience)
	if err != nil {
		return err
	}
	lent, err := vault.Open(ctx, store, vault.OpenOptions{Kit: k})
	if err != nil {
		return err
	}
	if replace == "list" {
		var own trust.DeviceID
		if ch.dev != nil {
			own = trust.DeviceID(ch.dev.Device)
		}
		return d.listDevices(ctx, lent, own)
	}
	if ch.dir != nil {
		return hinted(fmt.Errorf("this machine is enrolled in the vault at %s already, as device %s", ch.vault.Remote, ch.dev.Device), "back up to it:  coffer backup now FOLDER --to "+shellWord(ch.vault.Remote.String()))
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
		OnProject: func(label string, chunks int) { d.note("read back %s: %s", safeName(label), plural(chunks, "chunk")) },
	})
	if err != nil {
		return err
	}
	if err := adoptKit(v); err != nil {
		return err
	}
	if replace != "" {
		d.tellProblems(v) // of what was taken over
	}
	d.tellEnrolled(v, done, replace != "")
	return nil
}

// findForEnrol finds the vault to enrol in, and the kit.
func (d *door) findForEnrol() (chosen, *kit.Kit, error) {
	k, err := d.kitOfFlags()
	if err == nil && k == nil {
		k, err = d.kitAtHand(chosen{}, true)
	}
	if err != nil {
		return chosen{}, nil, err
	}
	if k == nil {
		return chosen{}, nil, told{errors.New("to enrol a machine needs the recovery kit"), exitNoIdentity, "lend it:  " + enrolUsage}
	}
	c, err := d.loadConfig()
	if err != nil {
		return chosen{}, nil, err
	}
	ch, err := d.choose(c, "", k)
	if err == nil && !ch.found() {
		err = usagef("usage:  "+enrolUsage, "the kit does not say where the vault is")
	}
	return ch, k, err
}

// adoptKit notes the kit that init once left on this machine, so that it is
// seen, and removed when a copy is confirmed.
func adoptKit(v *vault.Vault) error {
	root, err := dataRoot()
	if err != nil {
		return err
	}
	path := filepath.Join(root, "coffer-kit-"+string(v.ID())[:8]+".txt")
	if !isThere(path) {
		return nil
	}
	_, err = v.State().UpdateDevice(func(dev *state.Device) error {
		dev.KitPath = state.Text(path)
		return nil
	})
	return err
}

func (d *door) tellEnrolled(v *vault.Vault, done vault.Enrolled, replaced bool) {
	if d.json {
		d.emit("enrol", map[string]any{"vault": string(v.ID()), "device": string(done.Device), "remote": v.Location(), "chunks": done.Chunks, "projects": len(done.Projects), "trust": v.Trust().N})
		return
	}
	fmt.Fprintf(d.out, "enrolled in vault %s at %s as device %s (trust %d)\n", v.ID()[:8], safeName(v.Location()), done.Device, v.Trust().N)
	if replaced {
		fmt.Fprintf(d.out, "  took over %s, %s known again; what is still on the disk is not uploaded twice\n", plural(len(done.Projects), "project"), plural(done.Chunks, "chunk"))
		for _, p := range done.Projects {
			fmt.Fprintf(d.out, "    %s\n", safeName(projectText(p.Label, p.Roots)))
		}
	}
	fmt.Fprintln(d.out, "  the recovery kit is as good as before; keep it where it was, off this machine")
}
