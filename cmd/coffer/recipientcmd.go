package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coffer/chunk/seal"
	"coffer/vault"
)

func (d *door) recipientCommand() *cobra.Command {
	c := group("recipient", "List, add and remove who can read everything", `Recipients are the keys that everything in the vault is sealed to. One is the recovery
kit's; others (a partner, a client) can read all snapshots made since they were added.`)
	c.AddCommand(d.recipientListCommand(), d.recipientAddCommand(), d.recipientRemoveCommand())
	return c
}

func (d *door) recipientListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List who can read everything; whole keys with -v",
		Args: exactly(0, "coffer recipient list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, k, err := d.openForTrust(cmd.Context(), useful)
			if err != nil {
				return err
			}
			d.tellProblems(v)
			for _, r := range v.Trust().Recipients {
				text := r
				if !d.verbose {
					text = shortKey(r)
				}
				own := k != nil && r == k.Identity.Recipient() && v.IsRoot(k)
				switch {
				case d.json:
					m := map[string]any{"recipient": r}
					if k != nil { // else nobody here knows
						m["kit"] = own
					}
					d.emit("recipient", m)
				case own:
					fmt.Fprintf(d.out, "%s  (the recovery kit)\n", text)
				default:
					fmt.Fprintln(d.out, text)
				}
			}
			return nil
		},
	}
}

func (d *door) recipientAddCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "add RECIPIENT", Short: "Let one more key read what is stored from now on (needs the kit)",
		Long: `Let the holder of one more key read everything that is stored from the next backup on,
with Coffer or with age alone. Packs that are there already stay closed to it. So the
next backup of each project relies on none of them and uploads all once more: what
that comes to is said first.`,
		Example: "  coffer recipient add age1pq1... --kit coffer-kit-1a2b3c4d.txt",
		Args:    exactly(1, "coffer recipient add RECIPIENT --kit FILE"),
		RunE:    func(cmd *cobra.Command, args []string) error { return d.recipientAdd(cmd.Context(), args[0], yes) },
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (d *door) recipientAdd(ctx context.Context, line string, yes bool) error {
	v, k, err := d.openForTrust(ctx, needed)
	if err != nil {
		return err
	}
	line, err = oneRecipient(v, line)
	if err != nil {
		return err
	}
	if slices.Contains(v.Trust().Recipients, line) {
		return fmt.Errorf("%s is a recipient already", shortKey(line))
	}
	if err := d.tellUploadAgain(ctx, v); err != nil {
		return err
	}
	if err := d.agree(yes, "coffer recipient add", "add "+shortKey(line)+"?"); err != nil {
		return err
	}
	if err := v.AddRecipient(ctx, k, line); err != nil {
		return err
	}
	return d.tellTrust(v, "added; snapshots from the next backup on are open to it")
}

// shortKey is the beginning of a key: those that are post-quantum fill a screen.
func shortKey(s string) string {
	const most = 32
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// tellUploadAgain says what a new set of recipients costs.
func (d *door) tellUploadAgain(ctx context.Context, v *vault.Vault) error {
	n, err := v.StoredNow(ctx)
	if err != nil {
		return err
	}
	if d.json {
		d.emit("cost", map[string]any{"bytes": n})
		return nil
	}
	d.note("the next backup of each project uploads everything once more, up to %s in all; older packs go as older snapshots go", bytesText(n))
	return nil
}

// oneRecipient checks a recipient and gives it its one spelling.
func oneRecipient(v *vault.Vault, line string) (string, error) {
	own, err := seal.ParseRecipients(v.Trust().Recipients[:1])
	if err != nil {
		return "", err
	}
	if err := checkRecipients([]string{line}, !own.PostQuantum()); err != nil {
		return "", err
	}
	r, err := seal.ParseRecipients([]string{line})
	if err != nil {
		return "", err
	}
	return r.Strings()[0], nil
}

func (d *door) recipientRemoveCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "remove RECIPIENT", Aliases: []string{"rm"}, Short: "Seal nothing more to a key (needs the kit)",
		Long: `Seal nothing more to a key, from the next backup on. What was stored before stays open
to its holder, for as long as it is there or was copied; files that do not change are
not stored anew. RECIPIENT is the key or its beginning.`,
		Args: exactly(1, "coffer recipient remove RECIPIENT --kit FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.recipientRemove(cmd.Context(), args[0], yes) },
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (d *door) recipientRemove(ctx context.Context, line string, yes bool) error {
	v, k, err := d.openForTrust(ctx, needed)
	if err != nil {
		return err
	}
	hits := slices.DeleteFunc(slices.Clone(v.Trust().Recipients), func(r string) bool { return line == "" || !strings.HasPrefix(r, line) })
	if len(hits) != 1 {
		return usagef("coffer recipient list  shows all", "%d recipients begin with %q", len(hits), line)
	}
	d.note("what is stored by now stays open to it: only a new vault would change that")
	if err := d.agree(yes, "coffer recipient remove", "remove "+shortKey(hits[0])+"?"); err != nil {
		return err
	}
	if err := v.RemoveRecipient(ctx, k, hits[0]); err != nil {
		return err
	}
	return d.tellTrust(v, "removed; what is stored from the next backup on is closed to it")
}
