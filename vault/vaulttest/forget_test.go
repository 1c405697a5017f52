package vaulttest_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/vaulttest"
)

const day = 24 * time.Hour

// A timeline is a vault on a remote whose clock the test sets.
type timeline struct {
	*vaulttest.Room
	t    *testing.T
	mem  *mem.Store
	time time.Time
}

func newTimeline(t *testing.T) *timeline {
	l := &timeline{t: t, mem: mem.New(), time: time.Now().UTC().Truncate(time.Second)}
	l.mem.SetClock(func() time.Time { return l.time })
	l.Room = vaulttest.On(t, l.mem)
	return l
}

// snapshots makes n snapshots, one after each step.
func (l *timeline) snapshots(n int, step time.Duration) {
	l.t.Helper()
	for range n {
		l.time = l.time.Add(step)
		run, err := l.Vault.Begin(l.t.Context(), vault.RunOptions{Project: firstProject})
		must(l.t, err)
		_, err = run.Commit(l.t.Context(), vault.NewSnapshot{Used: new(ledger.Set), Body: &manifest.Body{
			Project: string(firstProject), Label: "p", Start: l.time, End: l.time,
		}})
		must(l.t, err)
		must(l.t, run.Close())
	}
}

// list returns all snapshots, oldest first.
func (l *timeline) list() []*vault.Snapshot {
	l.t.Helper()
	var out []*vault.Snapshot
	for s, err := range l.Vault.Snapshots(l.t.Context()) {
		must(l.t, err)
		out = append(out, s)
	}
	return out
}

// commits counts the commits of all devices.
func (l *timeline) commits() (n int) {
	l.t.Helper()
	for _, err := range l.Store.List(l.t.Context(), "commits/", "") {
		must(l.t, err)
		n++
	}
	return n
}

// standing tells of each snapshot: "." if it stays, "f" if it is forgotten, "g"
// if it is gone.
func (l *timeline) standing() string {
	l.t.Helper()
	gone, err := l.Vault.Gone(l.t.Context(), l.time, nil)
	must(l.t, err)
	var out []byte
	for _, s := range l.list() {
		switch {
		case gone[s.Name.String()]:
			out = append(out, 'g')
		case s.Forgotten:
			out = append(out, 'f')
		default:
			out = append(out, '.')
		}
	}
	return string(out)
}

func (l *timeline) expect(want string) {
	l.t.Helper()
	if got := l.standing(); got != want {
		l.t.Errorf("after %s: %s, want %s", l.time, got, want)
	}
}

// sign stores a commit that this device's key signed, whatever Coffer itself
// would refuse.
func (l *timeline) sign(fill func(*commit.Commit)) {
	l.t.Helper()
	dev, err := l.Dir(l.t).Device()
	must(l.t, err)
	var last commit.Name
	for o, err := range l.Store.List(l.t.Context(), "commits/"+dev.Device+"/", "") {
		must(l.t, err)
		last, err = commit.ParseName(o.Name)
		must(l.t, err)
	}
	b, err := l.Store.Get(l.t.Context(), nil, last.String(), 0, -1)
	must(l.t, err)
	head, err := commit.Open(last, b, dev.SignKey().Public().(ed25519.PublicKey))
	must(l.t, err)
	next := &commit.Commit{Version: 1, Vault: head.Vault, Device: head.Device, Trust: head.Trust, Time: l.time}
	fill(next)
	must(l.t, next.Follow(head))
	obj, err := next.Sign(dev.SignKey())
	must(l.t, err)
	must(l.t, l.Store.Put(l.t.Context(), remote.NewObject(next.Name().String(), obj)))
}

// A forgotten snapshot is hidden at once and goes after a week, unless it is
// brought back before; and a withdrawal that comes later brings nothing back,
// whatever time it claims.
func TestForget(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(8, 10*day)
	all := l.list()
	l.expect("........")

	done, err := l.Vault.Forget(t.Context(), []*vault.Snapshot{all[2], all[0], all[1]}, nil)
	must(t, err)
	if done.Snapshots != 3 || done.Goes.Sub(l.time.Add(7*day)).Abs() > time.Minute {
		t.Errorf("done: %+v", done)
	}
	l.expect("fff.....")
	if s := l.list()[0]; !s.Goes.Equal(l.time.Add(7 * day)) {
		t.Errorf("it goes %s", s.Goes)
	}
	if done, err := l.Vault.Forget(t.Context(), all[:3], nil); err != nil || done.Snapshots != 0 {
		t.Errorf("forget again: %+v, %v", done, err)
	}

	l.time = l.time.Add(7*day - time.Second)
	l.expect("fff.....")
	n, err := l.Vault.Undelete(t.Context(), all[1:2], nil)
	must(t, err)
	if n != 1 {
		t.Errorf("brought %d back", n)
	}
	l.expect("f.f.....")
	l.time = l.time.Add(time.Second)
	l.expect("g.g.....")
	before := l.commits()
	if _, err := l.Vault.Undelete(t.Context(), all[:2], nil); !errors.Is(err, vault.ErrTooLate) {
		t.Errorf("bring back what is gone: %v", err)
	}
	if n := l.commits(); n != before {
		t.Errorf("%d commits were made for nothing", n-before)
	}
	l.sign(func(c *commit.Commit) {
		c.Kind, c.Withdraw, c.Forgets = commit.Forget, true, []string{all[0].Name.Base()}
		c.Time = l.time.Add(-2 * day)
	})
	l.expect("g.g.....")

	// What was brought back can be forgotten again, and a run goes on beside it.
	_, err = l.Vault.Forget(t.Context(), all[1:2], nil)
	must(t, err)
	l.snapshots(1, day)
	l.expect("gfg......")
}

// No forget goes below the floor, and what another device forgot in spite of
// it is not deleted either.
func TestForgetFloor(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(8, 2*day) // floor: the newest 3, and 7 days
	all := l.list()
	var floor *vault.FloorError
	_, err := l.Vault.Forget(t.Context(), all, nil)
	if !errors.As(err, &floor) || len(floor.Held) != 4 {
		t.Fatalf("forget all: %v", err)
	}
	for _, s := range floor.Held {
		if !strings.Contains(floor.Error(), s.Short()) {
			t.Errorf("%v: does not name %s", floor, s.Short())
		}
	}
	l.expect("........")
	_, err = l.Vault.Forget(t.Context(), all[:4], nil)
	must(t, err)
	l.expect("ffff....")
	_, err = l.Vault.Forget(t.Context(), all[4:5], nil)
	if !errors.As(err, &floor) {
		t.Errorf("forget one of the last days: %v", err)
	}

	l.sign(func(c *commit.Commit) {
		c.Kind = commit.Forget
		for _, s := range all[4:] {
			c.Forgets = append(c.Forgets, s.Name.Base())
		}
		slices.Sort(c.Forgets)
	})
	l.expect("ffffffff")
	l.time = l.time.Add(60 * day)
	l.expect("gggggfff")

	// A device that fills the vault with its future does not push them out.
	for i := range 5 {
		l.sign(func(c *commit.Commit) {
			first := all[0].Commit
			c.Kind, c.Project, c.Body, c.Ledger = commit.Snapshot, "00112233445566cc", first.Body, first.Ledger
			c.Time = l.time.AddDate(50, 0, i)
		})
	}
	l.expect("gggggfff.....")
}

// A forget that cannot be read may be a withdrawal: nothing is gone until it
// heals or someone has dismissed it.
func TestGoneUnread(t *testing.T) {
	for _, later := range []int{0, 1} { // it is the newest commit, or is not
		l := newTimeline(t)
		l.snapshots(8, 10*day)
		_, err := l.Vault.Forget(t.Context(), l.list()[:2], nil)
		must(t, err)
		_, err = l.Vault.Undelete(t.Context(), l.list()[:1], nil)
		must(t, err)
		var name string
		for o, err := range l.Store.List(t.Context(), "commits/", "") {
			must(t, err)
			name = o.Name
		}
		l.snapshots(later, day)
		l.time = l.time.Add(8 * day)
		l.expect(".g......" + strings.Repeat(".", later))
		must(t, l.Store.Delete(t.Context(), name))
		must(t, l.Store.Put(t.Context(), remote.NewObject(name, []byte("rotten"))))
		v := l.Lent(t)
		if gone, err := v.Gone(t.Context(), l.time, nil); !errors.Is(err, vault.ErrDamaged) {
			t.Errorf("%d later: gone %v, %v", later, gone, err)
		}
		gone, err := v.Gone(t.Context(), l.time, map[string]bool{name: true})
		if err != nil || len(gone) != 2 {
			t.Errorf("%d later, dismissed: gone %v, %v", later, gone, err)
		}
		if words := []string{"its bytes do not match", "forgets nothing"}[later]; !tells(v, name, words) {
			t.Errorf("%d later, not told: %v", later, v.Problems())
		}
	}
}

// tells tells whether a problem of an object was noticed that says some words.
func tells(v *vault.Vault, object, words string) bool {
	return slices.ContainsFunc(v.Problems(), func(p vault.Problem) bool {
		return p.Object == object && strings.Contains(p.Err.Error()+", "+p.Harms, words)
	})
}

// What a prune has condemned cannot be brought back, since it may be deleted any
// day, although the forget has not taken effect yet.
func TestUndeleteCondemned(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(8, 10*day)
	all := l.list()
	_, err := l.Vault.Forget(t.Context(), all[:1], nil)
	must(t, err)
	_, err = l.Vault.Condemn(t.Context(), []string{all[0].Commit.Body}, 1)
	must(t, err)
	l.reopen()
	before := l.commits()
	if n, err := l.Vault.Undelete(t.Context(), all[:1], nil); n != 0 || !errors.Is(err, vault.ErrTooLate) || !errors.Is(err, vault.ErrRestart) {
		t.Errorf("brought %d back: %v", n, err)
	}
	if n := l.commits(); n != before {
		t.Errorf("%d commits were made for nothing", n-before)
	}
	l.expect("f.......")
}

// What is pinned here or cannot be read is not forgotten, and nothing beside it.
func TestForgetPinnedOrRotten(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(8, 10*day)
	all := l.list()
	_, err := l.Vault.Pin(all[1])
	must(t, err)
	if _, err := l.Vault.Forget(t.Context(), all[:2], nil); !errors.As(err, new(*vault.PinnedError)) {
		t.Errorf("forget what is pinned: %v", err)
	}
	l.expect("........")
	l.mem.Overwrite(all[0].Name.String(), []byte("rotten"))
	other := l.enrol("other") // which never saw it
	if _, err := other.Vault.Forget(t.Context(), all[:2], nil); !errors.Is(err, vault.ErrDamaged) || !strings.Contains(err.Error(), all[0].Name.String()) {
		t.Errorf("forget what cannot be read: %v", err)
	}
	l.expect("........")
	_, err = other.Vault.Forget(t.Context(), all[1:2], nil) // it knows of no pin
	must(t, err)
	l.reopen()
	l.expect(".f......")
}

// A condemned list that this device knows and the remote does not list any more
// is told, whoever made it; a device that never saw it does not miss it.
func TestLostLists(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(2, day)
	bodies := []string{l.list()[0].Commit.Body, l.list()[1].Commit.Body}
	other := l.enrol("other")
	l.reopen()
	lost := func(v *vault.Vault) []string {
		names, err := v.LostLists(t.Context())
		must(t, err)
		return names
	}
	if name, err := l.Vault.Condemn(t.Context(), []string{"trust/1"}, 1); err == nil {
		t.Errorf("condemned what is never deleted: %s", name)
	}
	mine, err := l.Vault.Condemn(t.Context(), bodies[:1], 1)
	must(t, err)
	theirs, err := other.Vault.Condemn(t.Context(), bodies[1:], 1)
	must(t, err)
	if lists, err := l.Vault.CondemnedLists(t.Context()); err != nil || len(lists) != 2 {
		t.Errorf("%d lists, %v", len(lists), err)
	}
	if names := lost(l.Vault); len(names) != 0 {
		t.Errorf("all are there, and lost: %q", names)
	}
	for _, name := range []string{mine, theirs} {
		must(t, l.Store.Delete(t.Context(), name))
	}
	want := []string{mine, theirs}
	slices.Sort(want)
	names := lost(l.Vault)
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("lost: %q, want %q", names, want)
	}
	if names := lost(other.Vault); !slices.Equal(names, []string{theirs}) {
		t.Errorf("lost to a device that saw its own only: %q", names)
	}
	if names := lost(l.Lent(t)); len(names) != 0 {
		t.Errorf("lost to one without any state: %q", names)
	}
	copies := filepath.Join(l.StatePath(), "objects")
	must(t, os.RemoveAll(copies))
	if names := lost(l.Vault); len(names) != 0 {
		t.Errorf("lost without any copies: %q", names)
	}
	must(t, os.WriteFile(copies, nil, 0o600))
	if names, err := l.Vault.LostLists(t.Context()); err == nil || names != nil {
		t.Errorf("copies that cannot be listed: %q, %v", names, err)
	}
}

// A request that fails once, whichever it is, fails what it was made for: a list
// or a forget that was not read is not taken for none.
func TestForgetFailsWithTheStore(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(8, 10*day)
	l.time = l.time.Add(day)
	other := l.enrol("other")
	other.snapshots(1, 0)
	l.reopen()
	all := l.list()
	_, err := l.Vault.Forget(t.Context(), all[:2], nil)
	must(t, err)
	other.reopen()
	_, err = other.Vault.Condemn(t.Context(), []string{all[8].Commit.Body}, 1)
	must(t, err)
	for what, act := range map[string]func(v *vault.Vault) error{
		"forget":   func(v *vault.Vault) error { _, err := v.Forget(t.Context(), all[2:4], nil); return err },
		"undelete": func(v *vault.Vault) error { _, err := v.Undelete(t.Context(), all[1:2], nil); return err },
		"condemn": func(v *vault.Vault) error {
			_, err := v.Condemn(t.Context(), []string{all[0].Commit.Body}, 1)
			return err
		},
		"gone": func(v *vault.Vault) error {
			gone, err := v.Gone(t.Context(), l.time.Add(8*day), nil)
			if err == nil && len(gone) != 2 {
				t.Errorf("gone: %v", gone)
			}
			return err
		},
		"lists": func(v *vault.Vault) error {
			lists, err := v.CondemnedLists(t.Context())
			if err == nil && len(lists) != 1 {
				t.Errorf("%d lists", len(lists))
			}
			return err
		},
		"lost": func(v *vault.Vault) error { _, err := v.LostLists(t.Context()); return err },
	} {
		failed := vaulttest.EachFails(t, l.Room, func(r *vaulttest.Room, arm func()) error {
			// Each on a copy, as nothing was done yet.
			r.Home = l.Image(t).Home
			r.Store.(*vaulttest.Hook).Store = l.mem.Clone()
			v := r.Reopen(t)
			arm()
			return act(v)
		})
		if failed == 0 {
			t.Errorf("%s asks the store for nothing", what)
		}
		t.Logf("%s: %d requests", what, failed)
	}
}

// However time passes while a snapshot is brought back: either it is back, or
// the call says that it came too late, also where that shows only afterwards.
func TestUndeleteInTheLastSeconds(t *testing.T) {
	const tries = 16
	l := newTimeline(t)
	l.snapshots(tries+4, 10*day)
	all := l.list()
	late := map[bool]int{} // whether a withdrawal was stored all the same
	for i := range tries {
		_, err := l.Vault.Forget(t.Context(), all[i:i+1], nil)
		must(t, err)
		goes, before := l.list()[i].Goes, l.commits()
		l.time = goes.Add(-time.Duration(i) * time.Second)
		l.mem.SetClock(func() time.Time { l.time = l.time.Add(time.Second); return l.time })
		n, err := l.Vault.Undelete(t.Context(), all[i:i+1], nil)
		l.mem.SetClock(func() time.Time { return l.time })
		l.time = goes.Add(time.Hour)
		back := l.standing()[i] == '.'
		if back != (err == nil) || back && n != 1 || err != nil && !errors.Is(err, vault.ErrTooLate) {
			t.Errorf("%d seconds before: brought %d back: %t, %v", i, n, back, err)
		}
		if err != nil {
			late[l.commits() > before]++
		}
	}
	if late[false] == 0 || late[true] == 0 || late[false]+late[true] == tries {
		t.Errorf("too late before and after a withdrawal was stored: %v, of %d", late, tries)
	}
}

// More snapshots than one commit can name are forgotten by several, and brought
// back by several.
func TestForgetMany(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(1, day)
	first := l.list()[0].Commit
	const many = commit.MaxList + 40
	for range many {
		l.time = l.time.Add(time.Hour)
		l.sign(func(c *commit.Commit) {
			c.Kind, c.Project, c.Body, c.Ledger = commit.Snapshot, first.Project, first.Body, first.Ledger
		})
	}
	l.time = l.time.Add(60 * day)
	l.snapshots(3, day)
	all := l.list()
	done, err := l.Vault.Forget(t.Context(), all[:many], nil)
	must(t, err)
	if done.Snapshots != many {
		t.Errorf("forgot %d", done.Snapshots)
	}
	count := map[rune]int{}
	for _, r := range l.standing() {
		count[r]++
	}
	if count['f'] != many || count['.'] != len(all)-many {
		t.Errorf("standing: %s", fmt.Sprint(count))
	}
	n, err := l.Vault.Undelete(t.Context(), all, nil)
	must(t, err)
	if n != many {
		t.Errorf("brought back %d", n)
	}
}

// While one run is at work no other may write, a forget neither; and what is not
// there cannot be forgotten.
func TestForgetRefuses(t *testing.T) {
	l := newTimeline(t)
	l.snapshots(5, 10*day)
	run, err := l.Vault.Begin(t.Context(), vault.RunOptions{Project: firstProject})
	must(t, err)
	if _, err := l.Vault.Forget(t.Context(), l.list()[:1], nil); err == nil {
		t.Error("forgot beside a run")
	}
	must(t, run.Close())

	other := newTimeline(t) // of another vault
	other.snapshots(5, 10*day)
	var none *vault.NotFoundError
	if _, err := l.Vault.Forget(t.Context(), other.list()[:1], nil); !errors.As(err, &none) {
		t.Errorf("forgot what is not there: %v", err)
	}
	if n, err := l.Vault.Undelete(t.Context(), other.list()[:1], nil); n != 0 || err != nil {
		t.Errorf("brought %d back that were never forgotten: %v", n, err)
	}
}
