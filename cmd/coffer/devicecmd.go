package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"coffer/vault"
	"coffer/vault/kit"
	"coffer/vault/trust"
)

func (d *door) deviceCommand() *cobra.Command {
	c := group("device", "List, revoke and empower the machines of a vault", `The machines that back up to a vault, and what each may do. Who changes that needs
the recovery kit: it signs a new trust, which all machines read at their next run.`)
	c.AddCommand(d.deviceListCommand(), d.deviceRevokeCommand(), d.deviceRolesCommand(), d.deviceFloorCommand())
	return c
}

func (d *door) deviceListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the machines, their roles and their standing",
		Args: exactly(0, "coffer device list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, k, err := d.openForTrust(cmd.Context(), keyless)
			if err != nil {
				return err
			}
			if k != nil && v.IsRoot(k) { // joins what two kits said at once, if they did
				if err := v.Amend(cmd.Context(), k, func(*trust.Trust) error { return nil }); err != nil {
					return err
				}
			}
			d.tellProblems(v)
			return d.listDevices(cmd.Context(), v, v.Device())
		},
	}
}

func (d *door) deviceRevokeCommand() *cobra.Command {
	var force, yes bool
	c := &cobra.Command{
		Use: "revoke DEVICE", Short: "Put a machine out of the vault (needs the kit)",
		Long: `Put a machine out of the vault. What it stored up to now stays and can be restored;
what it signs from now on does not count, and it cannot read the list of devices and
recipients any more. It keeps what it knows: credentials for the remote that are on
it must be changed there. A machine that is to be replaced is better revoked by
coffer enrol --replace  on the new one, which takes over what it stored.`,
		Example: `  coffer device revoke laptop --kit coffer-kit-1a2b3c4d.txt`,
		Args:    exactly(1, "coffer device revoke DEVICE --kit FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.deviceRevoke(cmd.Context(), args[0], force, yes)
		},
	}
	c.Flags().BoolVar(&force, "force", false, "also this machine itself, or the last one with a role")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (d *door) deviceRevoke(ctx context.Context, name string, force, yes bool) error {
	v, k, err := d.openForTrust(ctx, needed)
	if err != nil {
		return err
	}
	dev, err := deviceNamed(v.Trust(), name)
	switch {
	case err != nil:
		return err
	case dev.Until != nil:
		return fmt.Errorf("device %s (%s) is revoked already", dev.ID, safeName(dev.Label))
	case dev.ID == v.Device() && !force:
		return hinted(fmt.Errorf("%s is this machine itself: it could not back up any more", dev.ID), "if that is meant:  --force")
	}
	question := fmt.Sprintf("revoke device %s (%s)? What it stored stays; it can store nothing more", dev.ID, safeName(dev.Label))
	if err := d.agree(yes, "coffer device revoke", question); err != nil {
		return err
	}
	if err := v.Revoke(ctx, k, dev.ID, force); err != nil {
		return err
	}
	return d.tellTrust(v, "revoked device %s (%s); change the remote's credentials that it has", dev.ID, safeName(dev.Label))
}

func (d *door) deviceRolesCommand() *cobra.Command {
	var force bool
	const usage = "coffer device roles DEVICE write,forget,maintain --kit FILE"
	c := &cobra.Command{
		Use: "roles DEVICE ROLE,ROLE", Short: "Say what a machine may sign (needs the kit)",
		Long: `Say what a machine may sign: write (snapshots), forget (that snapshots may go), and
maintain (what a prune deletes). A machine that only backs up needs write alone; then
whoever takes it over cannot make the vault forget anything.`,
		Example: "  coffer device roles laptop write --kit coffer-kit-1a2b3c4d.txt",
		Args:    exactly(2, usage),
		RunE: func(cmd *cobra.Command, args []string) error {
			roles, err := parseRoles(args[1])
			if err != nil {
				return err
			}
			v, k, err := d.openForTrust(cmd.Context(), needed)
			if err != nil {
				return err
			}
			dev, err := deviceNamed(v.Trust(), args[0])
			if err != nil {
				return err
			}
			if err := v.SetRoles(cmd.Context(), k, dev.ID, roles, force); err != nil {
				return err
			}
			return d.tellTrust(v, "device %s (%s) may now: %s", dev.ID, safeName(dev.Label), args[1])
		},
	}
	c.Flags().BoolVar(&force, "force", false, "even if no other device has a role that this one loses")
	return c
}

// parseRoles reads a list of roles.
func parseRoles(s string) ([]trust.Role, error) {
	var roles []trust.Role
	for part := range strings.SplitSeq(s, ",") {
		switch r := trust.Role(strings.TrimSpace(part)); r {
		case trust.Write, trust.Forget, trust.Maintain:
			roles = append(roles, r)
		default:
			return nil, usagef("roles are write, forget and maintain, joined by commas", "%q is no role", part)
		}
	}
	return roles, nil
}

func (d *door) deviceFloorCommand() *cobra.Command {
	var last, days int
	c := &cobra.Command{
		Use: "floor", Short: "Show or set what no forget can take (to set it needs the kit)",
		Long: `The floor is what every forget must leave of each project, whatever a policy says: the
newest snapshots, and those of the last days. It protects against a mistake, and
against a machine that was taken over. Without flags it is shown.`,
		Example: "  coffer device floor --keep-last 5 --keep-days 14 --kit coffer-kit-1a2b3c4d.txt",
		Args:    exactly(0, "coffer device floor [--keep-last N] [--keep-days D]"),
	}
	c.Flags().IntVar(&last, "keep-last", 0, "the newest `N` snapshots of each project")
	c.Flags().IntVar(&days, "keep-days", 0, "all snapshots of the last `D` days")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		given := cmd.Flags().Changed
		return d.deviceFloor(cmd.Context(), given("keep-last") || given("keep-days"), func(f *trust.Floor) {
			if given("keep-last") {
				f.KeepLast = last
			}
			if given("keep-days") {
				f.KeepDays = days
			}
		})
	}
	return c
}

// deviceFloor shows the floor, or sets it as change says.
func (d *door) deviceFloor(ctx context.Context, set bool, change func(*trust.Floor)) error {
	l := keyless
	if set {
		l = needed
	}
	v, k, err := d.openForTrust(ctx, l)
	if err != nil {
		return err
	}
	f := v.Trust().Floor
	if !set {
		return d.tellFloor(f)
	}
	change(&f)
	if min(f.KeepLast, f.KeepDays) < 0 || max(f.KeepLast, f.KeepDays) > 100_000 {
		return usagef("", "the floor is of 0 to 100,000 snapshots and days")
	}
	if err := v.SetFloor(ctx, k, f); err != nil {
		return err
	}
	if err := d.tellFloor(f); err != nil || d.json {
		return err
	}
	return d.tellTrust(v, "the floor was set")
}

func (d *door) tellFloor(f trust.Floor) error {
	if d.json {
		d.emit("floor", map[string]any{"keep_last": f.KeepLast, "keep_days": f.KeepDays})
		return nil
	}
	if f.KeepLast == 0 && f.KeepDays == 0 {
		fmt.Fprintln(d.out, "there is no floor: a forget may take every snapshot of a project")
		return nil
	}
	fmt.Fprintf(d.out, "no forget takes the newest %s of a project, or one of the last %s\n", plural(f.KeepLast, "snapshot"), plural(f.KeepDays, "day"))
	return nil
}

// openForTrust opens the vault, and returns the kit if it was lent.
func (d *door) openForTrust(ctx context.Context, l lending) (*vault.Vault, *kit.Kit, error) {
	ch, k, err := d.find(l)
	if err != nil {
		return nil, nil, err
	}
	v, err := d.openChosen(ctx, ch, k, shortPatience)
	return v, k, err
}

// tellTrust ends a command that made a new trust.
func (d *door) tellTrust(v *vault.Vault, format string, args ...any) error {
	if d.json {
		d.emit("trust", map[string]any{"vault": string(v.ID()), "trust": v.Trust().N})
		return nil
	}
	fmt.Fprintf(d.out, format+"\n", args...)
	fmt.Fprintf(d.out, "  that is trust %d; all kits are as good as before, and one written now (coffer kit show -o FILE) knows of it\n", v.Trust().N)
	return nil
}
