package prune_test

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/prune"
	"coffer/vault/trust"
)

// What only a forgotten snapshot needs is condemned, waits for the grace, and
// is deleted; nothing else is, and what is left restores.
func TestDeadGo(t *testing.T) {
	y, _, second := story(t)
	before := y.prunable()
	ledgers, bodies := y.under("ledgers/"), y.under("snapshots/")

	p := y.make(all)
	if len(p.Delete) > 0 || len(p.Stops) > 0 || len(p.Odd) > 0 {
		t.Errorf("first plan: %+v", p)
	}
	dead := names(p.Condemn)
	for _, name := range []string{ledgers[0], bodies[0]} {
		if !slices.Contains(dead, name) {
			t.Errorf("%s is not condemned", name)
		}
	}
	// The third is the pack of its segments. The file that stays lies in one
	// pack with the file that is gone, so that one stays.
	if len(dead) != 3 {
		t.Errorf("condemned: %q", dead)
	}
	res, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.Condemned.All().Count != 3 || res.Deleted.All().Count != 0 || len(res.Lists) != 1 {
		t.Errorf("%+v", res)
	}
	if now := y.prunable(); !slices.Equal(now, before) {
		t.Errorf("something went at once: %q", without(before, now))
	}

	y.time.pass(23 * time.Hour)
	if res := y.prune(); res.Deleted.All().Count+res.Condemned.All().Count != 0 || res.Waiting.All().Count != 3 {
		t.Errorf("within the grace: %+v", res)
	}
	y.time.pass(2 * time.Hour)
	if res := y.prune(); res.Deleted.All().Count != 3 || res.Condemned.All().Count != 0 {
		t.Errorf("after the grace: %+v", res)
	}
	if now := y.prunable(); !slices.Equal(now, without(before, dead)) {
		t.Errorf("left: %q", now)
	}
	y.check()
	y.whole()
	looks := 0
	y.on(t, y.room.With(hook(y.room.Store, func(op remote.Op, name string) error {
		if op == remote.OpList && name == "ledgers/" {
			looks++
		}
		return nil
	}))).nothing()
	if looks != 1 {
		t.Errorf("with nothing to do it looked %d times", looks)
	}
	if y.back(); y.want[second] == nil {
		t.Error("the second snapshot was to be checked")
	}
	y.check()
	y.deep()
}

// nothing prunes and wants nothing to be done, or to be waited for.
func (y *yard) nothing() {
	y.t.Helper()
	if res := y.prune(); !reflect.DeepEqual(res, prune.Result{}) {
		y.t.Errorf("once more: %+v", res)
	}
}

// A forget takes effect only after its delay, and not at all if it is
// withdrawn before that. Withdrawn later, it is too late.
func TestForgetDelay(t *testing.T) {
	y := newYard(t)
	y.write("a", 100<<10, 1)
	grain()
	first := y.back().Snapshot
	y.remove("a")
	y.write("b", 1000, 2)
	grain()
	y.back()
	y.time.pass(20 * day)
	base := y.base(first)
	y.forget(first)
	y.time.pass(7*day - time.Minute)
	if p := y.make(all); len(p.Condemn) != 0 {
		t.Errorf("before its delay: %q", names(p.Condemn))
	}
	y.time.pass(vault.DefaultSafety.ListLag)
	if p := y.make(all); len(p.Condemn) != 0 {
		t.Errorf("while a listing may miss that it was withdrawn: %q", names(p.Condemn))
	}
	y.time.pass(2 * time.Minute)
	dead := names(y.make(all).Condemn)
	if len(dead) != 4 { // data, segments, ledger, body
		t.Errorf("after its delay: %q", dead)
	}
	undo := func(at time.Time) {
		name := y.say(func(c *commit.Commit) { c.Kind, c.Forgets, c.Withdraw = commit.Forget, []string{base}, true })
		y.memory().SetTime(name.String(), at)
	}
	undo(y.time.Now())
	if got := names(y.make(all).Condemn); !slices.Equal(got, dead) {
		t.Errorf("withdrawn too late: %q", got)
	}
	undo(y.time.Now().Add(-2 * time.Hour))
	if p := y.make(all); len(p.Condemn) != 0 {
		t.Errorf("withdrawn in time: %q", names(p.Condemn))
	}
}

// What was condemned and lives again when its grace is over, stays.
func TestRevived(t *testing.T) {
	y, first, _ := story(t)
	y.prune()
	before := y.prunable()
	base := y.base(first)
	name := y.say(func(c *commit.Commit) { c.Kind, c.Forgets, c.Withdraw = commit.Forget, []string{base}, true })
	y.memory().SetTime(name.String(), y.time.Now().Add(-2*day)) // within the delay
	y.time.pass(2 * day)
	if res := y.prune(); res.Deleted.All().Count != 0 || res.Waiting.All().Count != 0 {
		t.Errorf("%+v", res)
	}
	if now := y.prunable(); !slices.Equal(now, before) {
		t.Errorf("gone: %q", without(before, now))
	}
}

// Objects of a run that never committed are condemned once they are old enough,
// and not before: the run may still be at work, or be taken up again.
func TestOrphans(t *testing.T) {
	y := newYard(t)
	y.write("a", 1000, 1)
	y.back()
	sum := y.under("packs/")[0]
	orphan := "packs/00112233445566ff/0000000000/0000000007" + sum[len(sum)-65:]
	if err := y.room.Store.Put(t.Context(), remote.NewObject(orphan, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	y.time.pass(7*day - time.Minute)
	if p := y.make(all); len(p.Condemn) != 0 || p.Young[prune.Packs].Count != 1 {
		t.Errorf("young: %+v", p)
	}
	y.memory().SetTime(orphan, y.time.Now().Add(-vault.DefaultSafety.CondemnAge))
	if p := y.make(all); len(p.Condemn) != 1 || p.Young != (prune.Tallies{}) {
		t.Errorf("old enough: %+v", p)
	}
	y.time.pass(2 * time.Minute)
	y.prune()
	y.time.pass(day + time.Minute)
	if res := y.prune(); res.Deleted[prune.Packs].Count != 1 {
		t.Errorf("%+v", res)
	}
	y.check()
}

// A plan says when the first of what waits can go.
func TestReadyIsTheFirst(t *testing.T) {
	y, _, _ := story(t)
	begun := y.time.Now()
	if res := y.prune(); (res.Ready.Sub(begun) - day).Abs() > time.Hour {
		t.Errorf("condemned at %s, to go at %s", begun, res.Ready)
	}
	sum := y.under("packs/")[0]
	orphan := "packs/00112233445566ff/0000000000/0000000007" + sum[len(sum)-65:]
	if err := y.room.Store.Put(t.Context(), remote.NewObject(orphan, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	y.memory().SetTime(orphan, begun.Add(-30*day))
	y.time.pass(12 * time.Hour)
	res := y.prune()
	first := y.make(all)
	if len(res.Lists) != 1 || !res.Ready.Equal(first.Ready) {
		t.Errorf("the first goes at %s, not at %s", first.Ready, res.Ready)
	}
	for i, list := range y.under("condemned/") { // the lists of a device count on
		if _, seq, _, err := commit.ParseObjectName(commit.Condemned, list); err != nil || seq != uint64(i+1) {
			t.Errorf("%s, %v", list, err)
		}
	}
	if len(first.Waiting) != 4 || first.Ready.Before(begun.Add(23*time.Hour)) || first.Ready.After(begun.Add(26*time.Hour)) {
		t.Errorf("%d wait since %s, the first until %s", len(first.Waiting), begun, first.Ready)
	}
	y.time.pass(14 * time.Hour)
	second := y.make(all)
	if len(second.Delete) != 3 || len(second.Waiting) != 1 || (second.Ready.Sub(first.Ready)-12*time.Hour).Abs() > time.Hour {
		t.Errorf("%d go and %d wait until %s, after the first at %s", len(second.Delete), len(second.Waiting), second.Ready, first.Ready)
	}
}

// A list whose grace is over only when a prune looks again waits for the next
// one: the pending files that its grace gave up may be there still.
func TestRipensMeanwhile(t *testing.T) {
	y, _, _ := story(t)
	orphan := func(n string) string {
		sum := y.under("packs/")[0]
		name := "packs/00112233445566ff/0000000000/" + n + sum[len(sum)-65:]
		if err := y.room.Store.Put(t.Context(), remote.NewObject(name, []byte("x"))); err != nil {
			t.Fatal(err)
		}
		y.memory().SetTime(name, y.time.Now().Add(-30*day))
		return name
	}
	y.prune()
	y.time.pass(12 * time.Hour)
	late := orphan("0000000007")
	y.prune()
	y.time.pass(13 * time.Hour)
	p := y.make(all)
	if len(p.Delete) == 0 || slices.Contains(names(p.Delete), late) || !slices.Contains(names(p.Waiting), late) {
		t.Fatalf("deletes %q, waiting %q", names(p.Delete), names(p.Waiting))
	}
	y.time.pass(2 * day)
	res, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(y.under("packs/"), late) || res.Deleted.All().Count == 0 || res.Waiting.All().Count != 1 {
		t.Errorf("%+v", res)
	}
	if res := y.prune(); res.Deleted[prune.Packs].Count != 1 {
		t.Errorf("the next time: %+v", res)
	}
	y.check()
}

// What is not of the vault is told and never touched.
func TestStrangers(t *testing.T) {
	y := newYard(t)
	y.write("a", 1000, 1)
	y.back()
	sum := y.under("ledgers/")[0]
	sum = sum[len(sum)-64:]
	junk := []string{
		"commits/0123456789abcdef/0000000000/0000000001-s006b02d80f-" + sum, "commits/what", "packs/notes.txt",
		"ledgers/0123456789abcdef/0000000001-" + sum, "snapshots/x/y", "rolls/r", "moves/0123456789abcdef/0000000001-" + sum,
	}
	for _, name := range junk {
		if err := y.room.Store.Put(t.Context(), remote.NewObject(name, []byte("junk"))); err != nil {
			t.Fatal(err)
		}
	}
	y.time.pass(30 * day)
	p := y.make(all)
	if len(p.Stops) != 0 || len(p.Condemn) != 0 {
		t.Errorf("stops %v, condemns %q", p.Stops, names(p.Condemn))
	}
	for _, name := range junk {
		if !has(p.Odd, name) {
			t.Errorf("%s is not told", name)
		}
	}
}

// Progress keeps its packs until a later commit ends it, or it is too old.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		age  time.Duration
		ends bool
		kept bool
	}{{20 * day, false, true}, {30 * day, false, false}, {20 * day, true, false}} {
		y := newYard(t)
		y.write("a", 1000, 1)
		snap := y.back().Snapshot
		old, base := y.under("ledgers/")[0], y.base(snap)
		y.forget(snap)
		p := y.say(func(c *commit.Commit) { c.Kind, c.Ledger = commit.Progress, old })
		if c.ends {
			y.say(func(c *commit.Commit) {
				c.Kind, c.Forgets, c.Ends = commit.Forget, []string{base}, []string{p.Base()}
			})
		}
		y.time.pass(c.age)
		condemned := names(y.make(all).Condemn)
		if kept := !slices.Contains(condemned, old) && !slices.Contains(condemned, y.under("packs/")[0]); kept != c.kept {
			t.Errorf("%+v: condemned %q", c, condemned)
		}
	}
}

// More than the allowed part of the packs goes only if that is asked for.
func TestTooMany(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	before := y.prunable()
	_, err := y.tryPrune(t.Context(), prune.Options{MaxDelete: 0.01})
	var many *prune.TooManyError
	if !errors.As(err, &many) || many.Packs != 1 {
		t.Fatal(err)
	}
	if now := y.prunable(); !slices.Equal(now, before) {
		t.Errorf("gone: %q", without(before, now))
	}
	if res, err := y.tryPrune(t.Context(), prune.Options{}); err != nil || res.Deleted.All().Count != 3 {
		t.Errorf("%+v, %v", res, err)
	}
}

// A dry run changes nothing on the remote.
func TestDryRun(t *testing.T) {
	y, _, _ := story(t)
	sums := y.memory().Sums()
	p := y.make(prune.Options{DryRun: true})
	if len(p.Condemn) != 3 {
		t.Errorf("%q", names(p.Condemn))
	}
	if res, err := p.Run(t.Context()); err != nil || res.Condemned.All().Count != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if now := y.memory().Sums(); len(now) != len(sums) {
		t.Errorf("%d objects, were %d", len(now), len(sums))
	}
}

// Only a device with the role condemns or deletes.
func TestRole(t *testing.T) {
	y, _, _ := story(t)
	y.retrust(func(tr *trust.Trust) { tr.Devices[0].Roles = []trust.Role{trust.Write} })
	if _, err := y.tryPrune(t.Context(), all); !errors.Is(err, vault.ErrNoRole) {
		t.Error(err)
	}
	if n := len(y.under("condemned/")); n != 0 {
		t.Errorf("%d lists", n)
	}
}

// A list counts only from the trust on that lets its signer condemn: before, a
// writer might not have heeded it.
func TestRoleGivenLater(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.retrust(func(tr *trust.Trust) { tr.Devices[0].Roles = []trust.Role{trust.Write} })
	y.time.pass(3 * day)
	y.retrust(func(tr *trust.Trust) {
		tr.Devices[0].Roles = []trust.Role{trust.Write, trust.Forget, trust.Maintain}
	})
	y.time.pass(time.Hour)
	if res := y.prune(); res.Deleted.All().Count != 0 || res.Waiting.All().Count == 0 {
		t.Errorf("%+v", res)
	}
	y.time.pass(day)
	if res := y.prune(); res.Deleted.All().Count == 0 {
		t.Errorf("%+v", res)
	}
}

// Where the remote accepts late commits, condemned objects wait for longer.
func TestLateStore(t *testing.T) {
	y, _, _ := story(t)
	y.memory().AcceptLate()
	y.prune()
	y.time.pass(6 * day)
	if res := y.prune(); res.Deleted.All().Count != 0 {
		t.Errorf("%+v", res)
	}
	y.time.pass(2 * day)
	if res := y.prune(); res.Deleted.All().Count == 0 {
		t.Errorf("%+v", res)
	}
}

// Credentials that may not delete are told as such, and nothing else happens.
func TestMayNotDelete(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	before := y.prunable()
	y.room = y.room.With(hook(y.room.Store, func(op remote.Op, _ string) error {
		if op == remote.OpDelete {
			return fs.ErrPermission
		}
		return nil
	}))
	if _, err := y.tryPrune(t.Context(), all); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	if now := y.prunable(); !slices.Equal(now, before) {
		t.Errorf("gone: %q", without(before, now))
	}
}

// What the trust's floor holds stays, whatever a forget says.
func TestFloor(t *testing.T) {
	y, _, _ := story(t)
	y.retrust(func(tr *trust.Trust) { tr.Floor = trust.Floor{KeepLast: 2} })
	if p := y.make(all); len(p.Condemn) != 0 {
		t.Errorf("held, and condemned: %q", names(p.Condemn))
	}
	y.retrust(func(tr *trust.Trust) { tr.Floor = trust.Floor{KeepLast: 1} })
	if p := y.make(all); len(p.Condemn) != 3 {
		t.Errorf("condemned: %q", names(p.Condemn))
	}
}
