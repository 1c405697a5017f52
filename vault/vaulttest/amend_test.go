package vaulttest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/trust"
)

// enrol lets a second machine in, which lives by the same clock.
func (l *timeline) enrol(label string) *timeline {
	l.t.Helper()
	c := *l
	c.Room, _ = l.Room.Enrol(l.t, vault.EnrolOptions{Label: label})
	return &c
}

// kit opens the vault with this device's state and the kit.
func (l *timeline) kit() *vault.Vault {
	l.t.Helper()
	v, err := vault.Open(l.t.Context(), l.Store, vault.OpenOptions{State: l.Dir(l.t), Kit: l.Kit})
	must(l.t, err)
	return v
}

// reopen opens the vault as the device does at its next start.
func (l *timeline) reopen() { l.t.Helper(); l.Vault = l.Reopen(l.t) }

// Of a revoked device what it stored before stays, and nothing that it signs
// afterwards counts: no snapshot, and no forget either.
func TestRevoke(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(5, 10*day)
	other := l.enrol("other")
	other.snapshots(5, 10*day)
	first := l.list()[0].Name.Base()
	l.reopen()
	must(t, l.kit().Revoke(t.Context(), l.Kit, other.Vault.Device(), false))
	must(t, l.kit().Revoke(t.Context(), l.Kit, other.Vault.Device(), false)) // once is enough
	l.reopen()
	if n := l.Vault.Trust().N; n != 3 {
		t.Errorf("trust %d", n)
	}
	l.expect("..........")

	if _, err := other.Vault.Begin(t.Context(), vault.RunOptions{Project: firstProject}); !errors.Is(err, vault.ErrRevoked) {
		t.Errorf("a run of the revoked device: %v", err)
	}
	if _, err := other.Vault.Forget(t.Context(), other.list()[:1], nil); !errors.Is(err, vault.ErrRevoked) {
		t.Errorf("a forget of the revoked device: %v", err)
	}
	if _, err := other.Vault.Undelete(t.Context(), other.list()[:1], nil); !errors.Is(err, vault.ErrRevoked) {
		t.Errorf("the revoked device brings back: %v", err)
	}
	past := other.list()[9].Commit
	other.sign(func(c *commit.Commit) {
		c.Kind, c.Project, c.Body, c.Ledger = commit.Snapshot, past.Project, past.Body, past.Ledger
	})
	other.sign(func(c *commit.Commit) { c.Kind, c.Forgets = commit.Forget, []string{first} })
	junk := commit.Name{Device: other.Vault.Device(), Seq: 9, Kind: commit.Forget, Time: l.time} // nor does it stop anything
	must(t, l.Store.Put(t.Context(), remote.NewObject(junk.String(), []byte("junk"))))
	l.reopen()
	l.time = l.time.Add(60 * day)
	l.expect("..........")
	told := 0
	for _, p := range l.Vault.Problems() {
		if strings.Contains(p.Err.Error(), "signed by a device after it was revoked") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("%d late commits were told: %v", told, l.Vault.Problems())
	}
	l.snapshots(1, day) // the other device goes on
	l.expect("...........")
}

// The last device with a role is revoked by force only; and what was revoked
// says so the next time it is asked.
func TestRevokeLast(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(1, day)
	me := l.Vault.Device()
	if err := l.kit().Revoke(t.Context(), l.Kit, me, false); !errors.As(err, new(*vault.LastError)) {
		t.Fatalf("revoke the only device: %v", err)
	}
	if n := l.kit().Trust().N; n != 1 {
		t.Errorf("trust %d", n)
	}
	must(t, l.kit().Revoke(t.Context(), l.Kit, me, true))
	if _, err := vault.Open(t.Context(), l.Store, vault.OpenOptions{State: l.Dir(t)}); !errors.Is(err, vault.ErrRevoked) {
		t.Errorf("the revoked device: %v", err)
	}
	if len(l.list()) != 1 {
		t.Error("its snapshot is gone")
	}
}

// A forget of a device without the role does not count, and Coffer signs none.
func TestRoles(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(6, 10*day)
	other := l.enrol("other")
	other.snapshots(1, day)
	id := other.Vault.Device()
	must(t, l.kit().SetRoles(t.Context(), l.Kit, id, []trust.Role{trust.Maintain, trust.Write}, false))
	other.reopen()
	l.reopen()
	if d, _ := l.Vault.Trust().Device(id); !slices.Equal(d.Roles, []trust.Role{trust.Write, trust.Maintain}) {
		t.Errorf("roles: %v", d.Roles)
	}
	if _, err := other.Vault.Forget(t.Context(), l.list()[:1], nil); !errors.Is(err, vault.ErrNoRole) {
		t.Errorf("forget without the role: %v", err)
	}
	err := l.kit().SetRoles(t.Context(), l.Kit, l.Vault.Device(), []trust.Role{trust.Write}, false)
	if last := (*vault.LastError)(nil); !errors.As(err, &last) || last.Role != trust.Forget {
		t.Errorf("nobody left to forget: %v", err)
	}
	other.sign(func(c *commit.Commit) { c.Kind, c.Forgets = commit.Forget, []string{l.list()[0].Name.Base()} })
	l.time = l.time.Add(8 * day)
	l.expect(".......")
	if !slices.ContainsFunc(l.Vault.Problems(), func(p vault.Problem) bool { return strings.Contains(p.Err.Error(), `no role "forget"`) }) {
		t.Errorf("a forget without the role is not told: %v", l.Vault.Problems())
	}
	_, err = l.Vault.Forget(t.Context(), l.list()[:1], nil)
	must(t, err)
	l.expect("f......")
	// To bring back what another one forgot the role write is enough.
	_, err = other.Vault.Undelete(t.Context(), l.list()[:1], nil)
	must(t, err)
	l.expect(".......")

	third := l.enrol("third")
	must(t, l.kit().SetRoles(t.Context(), l.Kit, third.Vault.Device(), []trust.Role{trust.Write}, false))
	third.reopen()
	body := l.list()[0].Commit.Body
	if _, err := third.Vault.Condemn(t.Context(), []string{body}, 1); !errors.Is(err, vault.ErrNoRole) {
		t.Errorf("condemn without the role: %v", err)
	}
	if _, err := l.Lent(t).Condemn(t.Context(), []string{body}, 1); !errors.Is(err, vault.ErrRevoked) || !strings.Contains(err.Error(), "coffer enrol") {
		t.Errorf("condemn by the kit alone: %v", err)
	}
	l.reopen()

	// What a device has forgotten or brought back counts only while it may: these
	// roles it keeps, whoever insists.
	for id, roles := range map[trust.DeviceID][]trust.Role{l.Vault.Device(): {trust.Write, trust.Maintain}, id: {trust.Maintain}} {
		if err := l.kit().SetRoles(t.Context(), l.Kit, id, roles, true); !errors.Is(err, vault.ErrRoleUsed) {
			t.Errorf("device %s loses a role it has used: %v", id, err)
		}
	}
}

// Only the kit changes who takes part: not a further recipient's identity.
func TestAmendNeedsRoot(t *testing.T) {
	l := newTimeline(t)
	partner, err := seal.Generate(true)
	must(t, err)
	must(t, l.kit().AddRecipient(t.Context(), l.Kit, partner.Recipient()))
	l.reopen()
	if r := l.Vault.Trust().Recipients; !slices.Contains(r, partner.Recipient()) || len(r) != 2 {
		t.Fatalf("recipients: %v", r)
	}
	lent := *l.Kit
	lent.Identity = partner
	v, err := vault.Open(t.Context(), l.Store, vault.OpenOptions{State: l.Dir(t), Kit: &lent})
	must(t, err)
	if err := v.SetFloor(t.Context(), &lent, trust.Floor{}); !errors.Is(err, vault.ErrNoIdentity) {
		t.Errorf("a further recipient lowers the floor: %v", err)
	}
	if err := l.kit().RemoveRecipient(t.Context(), l.Kit, l.Kit.Identity.Recipient()); err == nil {
		t.Error("the kit's own recipient was removed")
	}
	must(t, l.kit().RemoveRecipient(t.Context(), l.Kit, partner.Recipient()))
	l.reopen()
	if r := l.Vault.Trust().Recipients; len(r) != 1 {
		t.Errorf("recipients: %v", r)
	}
}

// copyStore makes a second remote that holds the same.
func copyStore(t *testing.T, from *mem.Store) *mem.Store {
	to := mem.New()
	copyObjects(t, from, to)
	return to
}

func copyObjects(t *testing.T, from, to *mem.Store) {
	t.Helper()
	for o, err := range from.List(t.Context(), "", "") {
		must(t, err)
		b, err := from.Get(t.Context(), nil, o.Name, 0, -1)
		must(t, err)
		must(t, to.Put(t.Context(), remote.NewObject(o.Name, b)))
	}
}

// Two machines that enrol in the same seconds make two trusts of one number,
// and so do two people who change things. The next use of the kit joins them:
// nothing that either said is lost.
func TestTwins(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(2, day)
	gone := l.enrol("to be revoked")
	partner, err := seal.Generate(true)
	must(t, err)
	leaving, err := seal.Generate(true)
	must(t, err)
	must(t, l.kit().AddRecipient(t.Context(), l.Kit, leaving.Recipient()))

	// The two sides do not see each other.
	apart := *l
	apart.mem = copyStore(t, l.mem)
	apart.mem.SetClock(func() time.Time { return l.time })
	apart.Room = l.Room.Image(t).With(apart.mem)
	here := l.enrol("here")
	there := apart.enrol("there")
	there.snapshots(1, day)
	copyObjects(t, apart.mem, l.mem)
	there.Room = there.With(l.mem)
	there.reopen()
	here.reopen()

	if p := l.Lent(t).Problems(); len(p) != 1 || !strings.Contains(p[0].Err.Error(), "two trusts have this number") {
		t.Errorf("told: %v", p)
	}

	// Whoever was seen first is believed by each, and the kit joins both.
	must(t, l.kit().Amend(t.Context(), l.Kit, func(*trust.Trust) error { return nil }))
	for _, who := range []*timeline{l, here, there} {
		who.reopen()
		for _, id := range []trust.DeviceID{here.Vault.Device(), there.Vault.Device()} {
			if !who.Vault.Trust().Allows(id, trust.Write) {
				t.Errorf("%s does not know %s", who.Vault.Device(), id)
			}
		}
	}
	here.snapshots(1, day)
	there.snapshots(1, day)
	l.expect(".....")
	if p := l.Lent(t).Problems(); len(p) != 0 {
		t.Errorf("joined, and still told: %v", p)
	}

	// All kinds of changes.
	n := l.kit().Trust().N
	apart.mem = copyStore(t, l.mem)
	apart.mem.SetClock(func() time.Time { return l.time })
	apart.Room = l.Room.Image(t).With(apart.mem)
	must(t, l.kit().RemoveRecipient(t.Context(), l.Kit, leaving.Recipient()))
	must(t, apart.kit().Amend(t.Context(), l.Kit, func(next *trust.Trust) error {
		next.Floor.KeepDays = 99
		next.Devices[0].Label = "renamed"
		for i := range next.Devices {
			if d := &next.Devices[i]; d.ID == gone.Vault.Device() && d.Until == nil {
				d.Until = &trust.Until{}
			}
		}
		r, err := seal.ParseRecipients(append(next.Recipients, partner.Recipient()))
		next.Recipients = r.Strings()
		return err
	}))
	copyObjects(t, apart.mem, l.mem)
	must(t, l.kit().SetRoles(t.Context(), l.Kit, here.Vault.Device(), []trust.Role{trust.Write}, false))
	l.reopen()
	got := l.Vault.Trust()
	if got.N != n+2 {
		t.Errorf("trust %d, want %d", got.N, n+2)
	}
	if got.Floor.KeepDays != 99 || got.Devices[0].Label != "renamed" || got.Allows(gone.Vault.Device(), trust.Write) || got.Allows(here.Vault.Device(), trust.Forget) {
		t.Errorf("something was lost: %+v", got.Devices)
	}
	if !slices.Contains(got.Recipients, partner.Recipient()) || slices.Contains(got.Recipients, leaving.Recipient()) || len(got.Recipients) != 2 {
		t.Errorf("recipients: %v", got.Recipients)
	}

	// Joined once, they are not joined again: a later change stands.
	must(t, l.Lent(t).SetFloor(t.Context(), l.Kit, trust.Floor{KeepLast: 3, KeepDays: 7}))
	must(t, l.Lent(t).Amend(t.Context(), l.Kit, func(*trust.Trust) error { return nil }))
	if got := l.kit().Trust(); got.Floor.KeepDays != 7 || got.N != n+3 {
		t.Errorf("floor %+v of trust %d", got.Floor, got.N)
	}
}

// A racing store lets another trust in just before the first one is stored.
type racing struct {
	remote.Store
	before func()
}

func (r *racing) Put(ctx context.Context, o remote.Object) error {
	if before := r.before; before != nil && strings.HasPrefix(o.Name, "trust/") {
		r.before = nil
		before()
	}
	return r.Store.Put(ctx, o)
}

// Of two changes at the same moment neither is lost.
func TestAmendRace(t *testing.T) {
	for range 4 { // which of the two comes first by name is a matter of luck
		l := newTimeline(t)
		store := &racing{Store: l.mem}
		v, err := vault.Open(t.Context(), store, vault.OpenOptions{Kit: l.Kit})
		must(t, err)
		store.before = func() {
			must(t, l.Lent(t).SetFloor(t.Context(), l.Kit, trust.Floor{KeepLast: 5, KeepDays: 5}))
		}
		must(t, v.Amend(t.Context(), l.Kit, func(next *trust.Trust) error {
			next.Devices[0].Label = "renamed"
			return nil
		}))
		got := l.Lent(t).Trust()
		if got.Floor.KeepLast != 5 || got.Devices[0].Label != "renamed" {
			t.Errorf("floor %+v, label %q", got.Floor, got.Devices[0].Label)
		}
	}
}

// Of two machines that enrol at the same moment neither is lost, whichever of
// their trusts comes first by name.
func TestEnrolRace(t *testing.T) {
	for range 4 {
		l := newTimeline(t)
		l.snapshots(1, day)
		store := &racing{Store: l.mem}
		var other *timeline
		store.before = func() { other = l.enrol("other") }
		mine := *l
		mine.Room, _ = l.With(store).Enrol(t, vault.EnrolOptions{Label: "mine"})
		for _, who := range []*timeline{&mine, other} {
			who.reopen()
			who.snapshots(1, time.Hour)
		}
		l.reopen()
		l.expect("...")
		if n := len(l.Vault.Trust().Devices); n != 3 {
			t.Errorf("%d devices", n)
		}
	}
}
