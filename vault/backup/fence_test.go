package backup_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/commit"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// condemn stores a condemned list signed by the room's device, as a prune does,
// and returns its name.
func condemn(t testing.TB, room *vaulttest.Room, names ...string) string {
	t.Helper()
	name, obj := condemnedList(t, room, names...)
	if err := room.Store.Put(t.Context(), remote.NewObject(name, obj)); err != nil {
		t.Fatal(err)
	}
	return name
}

func condemnedList(t testing.TB, room *vaulttest.Room, names ...string) (string, []byte) {
	t.Helper()
	dev, err := room.Dir(t).Device()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	l := &commit.CondemnedList{
		Vault: trust.VaultID(dev.Vault), Device: trust.DeviceID(dev.Device), Seq: 1,
		Time: time.Now().UTC().Truncate(time.Second), Objects: names,
	}
	obj, err := l.Sign(dev.SignKey())
	if err != nil {
		t.Fatal(err)
	}
	return commit.ObjectName(commit.Condemned, l.Device, l.Seq, remote.NewObject("", obj).Sum), obj
}

// under returns the names with a prefix.
func under(t testing.TB, s remote.Store, prefix string) []string {
	t.Helper()
	var out []string
	for name := range names(t, s) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func remove(t testing.TB, s remote.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever a prune has condemned before a run begins, the run relies on none
// of it: once the prune has deleted it, the new snapshot restores.
func TestCondemnedBefore(t *testing.T) {
	for _, kind := range []string{"packs/", "snapshots/", "ledgers/"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			k.fill()
			waitGrain()
			k.run()
			doomed := under(t, k.room.Store, kind)
			condemn(t, k.room, doomed...)
			k.want = map[string]map[string]string{}
			res := k.run()
			if res.Unchanged {
				t.Error("the run relied on what is condemned")
			}
			remove(t, k.room.Store, doomed...)
			k.check()
		})
	}
}

// A list that appears while the run is at work is seen by the check before the
// commit: the run starts again, tells so, and relies on none of it.
func TestCondemnedMeanwhile(t *testing.T) {
	for _, kind := range []string{"packs/", "snapshots/", "ledgers/"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			k.fill()
			waitGrain()
			k.run()
			store := k.room.Store
			doomed := under(t, store, kind)
			var once sync.Once
			k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
				if op == remote.OpStage {
					once.Do(func() { condemn(t, k.room.With(store), doomed...) })
				}
				return nil
			}})
			k.want = map[string]map[string]string{}
			restarts := 0
			o := k.options()
			o.OnEvent = func(e backup.Event) {
				if e.Kind == backup.Restart {
					restarts++
				}
			}
			if _, err := k.runOn(t.Context(), k.room.Reopen(t), o); err != nil {
				t.Fatal(err)
			}
			if restarts != 1 {
				t.Errorf("%d restarts", restarts)
			}
			remove(t, store, doomed...)
			k.check()
		})
	}
}

// A condemned list that cannot be read might name anything, so nothing is
// committed beside it. What is no list of a device that may condemn is none.
func TestCondemnedUnreadable(t *testing.T) {
	k := newKeeper(t)
	k.fill()
	k.run()
	pack := under(t, k.room.Store, "packs/")[0]
	name := condemn(t, k.room, pack)
	good, err := k.room.Store.Get(t.Context(), nil, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(good)
	bad[len(bad)/2] ^= 1
	k.memory().Overwrite(name, bad)
	if _, err := k.try(t.Context()); !errors.Is(err, vault.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("beside a damaged list: %v", err)
	}
	if n := len(under(t, k.room.Store, "commits/")); n != 1 {
		t.Errorf("%d commits", n)
	}
	remove(t, k.room.Store, name)

	// Bytes that have the hash in their name and were not signed are no list
	// that any prune goes by.
	dev := strings.Split(name, "/")[1]
	for _, junk := range []string{
		commit.ObjectName(commit.Condemned, trust.DeviceID(dev), 2, remote.NewObject("", bad).Sum),
		commit.ObjectName(commit.Condemned, "0123456789abcdef", 2, remote.NewObject("", bad).Sum),
		"condemned/what-is-this",
	} {
		k.memory().Overwrite(junk, bad)
	}
	k.run()
	k.check()
}

// A device that was never given the role condemns nothing.
func TestCondemnedByAnyone(t *testing.T) {
	k := newKeeper(t)
	k.fill()
	waitGrain()
	k.run()
	second, _ := k.room.Enrol(t, vault.EnrolOptions{})
	retrust(t, k.room, func(tr *trust.Trust) { tr.Devices[1].Roles = []trust.Role{trust.Write} })
	condemn(t, second, under(t, k.room.Store, "packs/")...)
	if res := k.run(); !res.Unchanged {
		t.Errorf("%+v", res)
	}
}

// A staged commit that comes too late stays invisible; the run checks again
// and publishes another.
func TestExpiredCommit(t *testing.T) {
	k := newKeeper(t)
	k.fill()
	store := k.memory()
	now := time.Now()
	var mu sync.Mutex
	store.SetClock(func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	late := 2
	checks := 0
	k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case op == remote.OpList && name == "condemned/":
			checks++
		case op == remote.OpPublish && late > 0:
			late--
			now = now.Add(11 * time.Minute)
		}
		return nil
	}})
	res := k.run()
	if checks != 1+3 {
		t.Errorf("%d checks", checks)
	}
	if len(res.Warnings) != 2 || !errors.Is(res.Warnings[0], remote.ErrExpired) {
		t.Errorf("%v", res.Warnings)
	}
	if n := len(under(t, store, "commits/")); n != 1 {
		t.Errorf("%d commits", n)
	}
	k.check()
	k.clean()
}

// Always too late, the run gives up, and nothing is visible.
func TestExpiredForEver(t *testing.T) {
	k := newKeeper(t)
	k.write("f", 10, 1)
	store := k.memory()
	now := time.Now()
	store.SetClock(func() time.Time { return now })
	k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
		if op == remote.OpPublish {
			now = now.Add(time.Hour)
		}
		return nil
	}})
	if _, err := k.try(t.Context()); !errors.Is(err, remote.ErrExpired) {
		t.Error(err)
	}
	if n := len(under(t, store, "commits/")); n != 0 {
		t.Errorf("%d commits", n)
	}
}

// Packs that were acknowledged and never committed count as stored for less
// than the age at which a prune may condemn them, by the remote's clock.
func TestOldAcknowledgement(t *testing.T) {
	for _, c := range []struct {
		age  time.Duration
		kept bool
	}{{5 * 24 * time.Hour, true}, {7 * 24 * time.Hour, false}, {-30 * 24 * time.Hour, false}} {
		k := newKeeper(t)
		k.fill()
		waitGrain()
		store := k.memory()
		now := time.Now()
		store.SetClock(func() time.Time { return now })
		k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
			if op == remote.OpStage && len(k.want) == 0 {
				return errors.New("no luck")
			}
			return nil
		}})
		if _, err := k.try(t.Context()); err == nil {
			t.Fatal("it went through")
		}
		before := under(t, store, "packs/")
		k.room = k.room.With(store)
		now = now.Add(c.age)
		k.run()
		if kept := len(under(t, store, "packs/")) == len(before); kept != c.kept {
			t.Errorf("after %s: kept %v", c.age, kept)
		}
		if !c.kept {
			remove(t, store, before...)
		}
		k.check()
	}
}

// A run whose packs become too old for an acknowledgement to be relied on,
// while it goes on, starts again.
func TestAcknowledgementAges(t *testing.T) {
	k := newKeeper(t)
	k.fill()
	waitGrain()
	store := k.memory()
	now := time.Now()
	store.SetClock(func() time.Time { return now })
	var first []string
	k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
		if op == remote.OpStage && first == nil {
			first = under(t, store, "packs/")
			now = now.Add(7 * 24 * time.Hour)
		}
		return nil
	}})
	k.run()
	remove(t, store, first...)
	k.check()
}

// retrust signs a further trust with the kit.
func retrust(t testing.TB, room *vaulttest.Room, change func(*trust.Trust)) {
	t.Helper()
	v := room.Lent(t)
	next := *v.Trust()
	next.Devices = slices.Clone(next.Devices)
	next.N++
	var err error
	if _, next.Prev, err = trust.ParseName(v.TrustName()); err != nil {
		t.Fatal(err)
	}
	change(&next)
	name, obj, _, err := trust.Seal(&next, trust.RootKey(room.Kit.Identity))
	if err != nil {
		t.Fatal(err)
	}
	if err := room.Store.Put(t.Context(), remote.NewObject(name, obj)); err != nil {
		t.Fatal(err)
	}
}

// A device that is revoked while its run is at work commits nothing.
func TestRevokedMeanwhile(t *testing.T) {
	k := newKeeper(t)
	k.fill()
	store := k.room.Store
	var once sync.Once
	k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
		if op == remote.OpStage {
			once.Do(func() {
				retrust(t, k.room.With(store), func(tr *trust.Trust) { tr.Devices[0].Until = &trust.Until{} })
			})
		}
		return nil
	}})
	if _, err := k.try(t.Context()); !errors.Is(err, vault.ErrRevoked) {
		t.Error(err)
	}
	if n := len(under(t, store, "commits/")); n != 0 {
		t.Errorf("%d commits", n)
	}
}

// Recipients that change while a run is at work make it start again: what it
// sealed, the new one cannot open.
func TestRecipientsChangeMeanwhile(t *testing.T) {
	k := newKeeper(t)
	k.fill()
	store := k.room.Store
	partner := newIdentity(t)
	var once sync.Once
	k.room = k.room.With(&vaulttest.Hook{Store: store, Before: func(op remote.Op, name string) error {
		if op == remote.OpStage {
			once.Do(func() {
				retrust(t, k.room.With(store), func(tr *trust.Trust) { tr.Recipients = withRecipient(t, tr.Recipients, partner) })
			})
		}
		return nil
	}})
	k.run()
	k.check()
	opens(t, k, partner)
}
