package remote_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
)

// gradesOf probes a store and returns the grade of each check.
func gradesOf(t *testing.T, s remote.Store) map[string]remote.Grade {
	t.Helper()
	found, err := remote.Probe(t.Context(), s, remote.ProbeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]remote.Grade{}
	for _, f := range found {
		out[f.Check] = f.Grade
	}
	return out
}

// What a store does wrong is found, each by its own check, and what is right
// is not blamed for it.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		what, check string
		want        remote.Grade
		spoil       func(*mem.Store, *fault.Store)
	}{
		{"nothing", "", remote.OK, func(*mem.Store, *fault.Store) {}},
		{"clock ahead", "clock", remote.Weak, func(m *mem.Store, _ *fault.Store) {
			m.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
		}},
		{"late commits", "expiry", remote.Weak, func(m *mem.Store, _ *fault.Store) { m.AcceptLate() }},
		{"altered bytes", "read-after-write", remote.Bad, func(_ *mem.Store, f *fault.Store) { f.Add(fault.Rule{Op: remote.OpGet, Do: fault.Flip}) }},
		{"unreadable", "read-after-write", remote.Weak, func(_ *mem.Store, f *fault.Store) { f.Add(fault.Rule{Op: remote.OpGet, Do: fault.Fail}) }},
		{"short listing", "list-after-write", remote.Bad, func(_ *mem.Store, f *fault.Store) { f.Add(fault.Rule{Op: remote.OpList, Do: fault.Short}) }},
	} {
		m := mem.New()
		f := fault.New(m, 1)
		c.spoil(m, f)
		got := gradesOf(t, remote.Count(f))
		for _, check := range []string{"clock", "read-after-write", "list-after-write", "expiry"} {
			want := remote.OK
			if check == c.check {
				want = c.want
			}
			if got[check] != want {
				t.Errorf("%s: %s is %q, want %q", c.what, check, got[check], want)
			}
		}
	}
}

// Canaries go, also those that an earlier probe left, and nothing else does.
func TestProbeClearsUp(t *testing.T) {
	m := mem.New()
	for _, name := range []string{"canary/old", "packs/a", "canary-like"} {
		if err := m.Put(t.Context(), remote.NewObject(name, nil)); err != nil {
			t.Fatal(err)
		}
	}
	gradesOf(t, m)
	var left []string
	for info, err := range m.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, info.Name)
	}
	if got := strings.Join(left, " "); got != "canary-like packs/a" {
		t.Errorf("left: %s", got)
	}
}

// A remote that takes nothing cannot be probed.
func TestProbeNeedsToWrite(t *testing.T) {
	f := fault.New(mem.New(), 1)
	f.Add(fault.Rule{Op: remote.OpPut, Do: fault.Fail, Err: remote.ErrFull})
	if found, err := remote.Probe(t.Context(), f, remote.ProbeOptions{}); !errors.Is(err, remote.ErrFull) {
		t.Errorf("%v, %v, want ErrFull", found, err)
	}
}
