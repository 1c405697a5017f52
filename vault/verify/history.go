package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/trust"
)

// history reads all snapshots' commits, and looks for the newest commits this
// device has seen.
func (c *check) history(ctx context.Context) error {
	going, err := c.going(ctx)
	if err != nil {
		return err
	}
	gone, err := c.v.Gone(ctx, c.now, nil)
	if err != nil && !errors.Is(err, vault.ErrDamaged) { // else all of them count
		return err
	}
	for s, err := range c.v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if !gone[s.Name.String()] && (!s.Forgotten || !going[s.Commit.Ledger] && !going[s.Commit.Body]) {
			c.snaps = append(c.snaps, s)
		}
	}
	c.res.Snapshots = len(c.snaps)
	if err := c.trust(ctx); err != nil {
		return err
	}
	return c.v.CheckSeen(ctx)
}

// strangers tells of commits of devices that are none of this vault: nobody
// else reads them. It takes the names of all others down.
func (c *check) strangers(ctx context.Context) error {
	told := map[string]bool{}
	for info, err := range c.v.Store().List(ctx, "commits/", "") {
		if err != nil {
			return fmt.Errorf("list commits: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(info.Name, "commits/"), "/")
		if _, ok := c.v.Trust().Device(trust.DeviceID(id)); ok {
			if n, err := commit.ParseName(info.Name); err == nil {
				c.commits = append(c.commits, n)
			}
			continue
		}
		if told[id] || c.told[info.Name] {
			continue
		}
		told[id] = true
		c.tell(Problem{Object: info.Name, Err: fmt.Errorf("%.40q is no device of this vault", id), Harms: "nothing: what it says is left out"})
	}
	return nil
}

// trust reads the trust that this device goes by from the remote: it has a copy
// of its own, and a new machine has none.
func (c *check) trust(ctx context.Context) error {
	if !c.o.all() {
		return nil
	}
	name := c.v.TrustName()
	_, err := c.v.FetchNamed(ctx, name, maxTrust)
	if err == nil || vault.IsRemote(err) {
		return err
	}
	c.tell(Problem{Object: name, Err: err, Harms: "a restore on another machine: it would go by an older trust, or find none"})
	return nil
}

// maxTrust bounds a trust, in bytes.
const maxTrust = 1 << 20

// going names what prunes have condemned: of a forgotten snapshot it may be
// gone already, and nothing is wrong with that.
func (c *check) going(ctx context.Context) (map[string]bool, error) {
	lost, err := c.v.LostLists(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range lost {
		c.tell(Problem{Object: name, Err: errMissing, Harms: "a backup that is under way might rely on what a prune has deleted; this device has a copy, and puts it back:  coffer repair"})
	}
	lists, err := c.v.CondemnedLists(ctx)
	if errors.Is(err, vault.ErrDamaged) {
		c.tell(Problem{Object: "condemned/", Err: err, Harms: "no backup of a device that has no copy of it, and no prune; remove what is there under that name, when neither a prune is under way nor a backup that began before; then, on a device that has a copy, coffer repair puts it back"})
		return nil, nil
	}
	out := map[string]bool{}
	for _, l := range lists {
		for _, name := range l.Objects {
			out[name] = true
		}
	}
	return out, err
}
