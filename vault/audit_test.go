package vault

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// committed is a scene whose pack a snapshot needs, with nothing said yet.
func committed(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	if err := s.commit(t); err != nil {
		t.Fatal(err)
	}
	s.warns = nil
	return s
}

// lose takes an object away and returns its bytes.
func (s *scene) lose(t *testing.T, name string) []byte {
	t.Helper()
	b, err := s.mem.Get(t.Context(), nil, name, 0, -1)
	if err == nil {
		err = s.mem.Delete(t.Context(), name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask notes anew what a prune has condemned.
func (s *scene) ask(t *testing.T, condemned ...string) {
	t.Helper()
	names := map[string]bool{}
	for _, name := range condemned {
		names[name] = true
	}
	s.known.fence.Store(s.v.newFence(s.now(), names))
}

// listed counts the listings of names that begin so.
func (s *scene) listed(prefix string) (n int) {
	for _, e := range s.fault.Log() {
		if e.Op == remote.OpList && strings.HasPrefix(e.Name, prefix) {
			n++
		}
	}
	return n
}

// knows tells whether a problem of an object was noticed.
func (s *scene) noticed(name string) bool {
	return slices.ContainsFunc(s.v.Problems(), func(p Problem) bool { return p.Object == name && errors.Is(p.Err, ErrDamaged) })
}

// A pack that the remote does not have as it was stored is told of and relied on
// no more, and is relied on again once it is back. What nobody needs any more is
// not asked for.
func TestAudit(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(s *scene, b []byte) // after the pack is gone, of these bytes
		lost, looked bool
	}{
		"gone":          {func(*scene, []byte) {}, true, true},
		"of other size": {func(s *scene, b []byte) { s.mem.Overwrite(s.pack.Name(), b[1:]) }, true, true},
		"another's": {func(s *scene, b []byte) {
			other := s.pack
			other.Sum[5] ^= 1
			s.mem.Overwrite(other.Name(), b)
		}, true, true},
		"there, beside what is none": {func(s *scene, b []byte) {
			s.mem.Overwrite(s.pack.Name(), b)
			s.mem.Overwrite("packs/"+s.pack.Series.String()+"/junk", nil)
		}, false, true},
		"about to be deleted": {func(s *scene, _ []byte) { s.ask(t, s.pack.Name()) }, false, false},
		"replaced": {func(s *scene, _ []byte) {
			if err := s.known.mark(s.pack, state.PackReplaced); err != nil {
				t.Fatal(err)
			}
		}, false, false},
	} {
		s := committed(t)
		name, before := name+": ", s.listed("packs/")
		b := s.lose(t, s.pack.Name())
		c.change(s, b)
		for range 2 { // a run of each day says so
			s.warns = nil
			if err := s.audit(t.Context()); err != nil {
				t.Fatal(name, err)
			}
			if warned := len(s.warns) == 1 && errors.Is(s.warns[0], ErrMissing) && strings.Contains(s.warns[0].Error(), ": 1 are"); warned != c.lost || len(s.warns) > 1 {
				t.Errorf("%swarned of %v", name, s.warns)
			}
		}
		if s.noticed(s.pack.Name()) != c.lost || s.Known(s.pack.Series, s.pack.Number) != (c.looked && !c.lost) {
			t.Errorf("%snoticed %v, known %t", name, s.v.Problems(), s.Known(s.pack.Series, s.pack.Number))
		}
		if looked := s.listed("packs/") > before; looked != c.looked {
			t.Errorf("%slooked for: %t", name, looked)
		}
		s.mem.Overwrite(s.pack.Name(), b)
		s.warns = nil
		if err := s.audit(t.Context()); err != nil || len(s.warns) > 0 || c.looked && !s.Known(s.pack.Series, s.pack.Number) {
			t.Errorf("%sback: warned of %v, known %t, %v", name, s.warns, s.Known(s.pack.Series, s.pack.Number), err)
		}
	}
}

// A pack that was stored lately and that no snapshot names yet is missed once;
// one that was stored long ago is not looked for at all.
func TestAuditUncommitted(t *testing.T) {
	for age, want := range map[time.Duration]int{0: 1, DefaultSafety.AckTrust + time.Hour: 0} {
		s := newScene(t)
		s.ask(t)
		if err := s.known.note(s.pack, 1, s.now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		s.lose(t, s.pack.Name())
		for range 2 {
			if err := s.audit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.warns) != want || s.Known(s.pack.Series, s.pack.Number) || s.listed("packs/") != 2*want {
			t.Errorf("stored %s ago: warned of %v, known %t, listed %d times", age, s.warns, s.Known(s.pack.Series, s.pack.Number), s.listed("packs/"))
		}
	}
}

// Many packs are looked for once a day, by a clock that may have been wrong; the
// time is kept, so that a run that commits nothing has looked, too.
func TestAuditOnceADay(t *testing.T) {
	const often, seldom = auditAlways - 1, auditAlways
	for _, c := range []struct {
		numbers uint32
		ago     time.Duration
		want    bool
	}{
		{often, time.Hour, true},
		{seldom, time.Hour, false},
		{seldom, auditEvery - time.Minute, false},
		{seldom, auditEvery + time.Minute, true},
		{seldom, -time.Hour, true},
	} {
		s := committed(t)
		if err := s.v.updateDevice(func(d *state.Device) error {
			for i := range d.Series {
				d.Series[i].Next = c.numbers / 2
			}
			d.Series[0].Next = c.numbers - c.numbers/2
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		was := s.now().Add(-c.ago)
		s.own.Audited = was
		if err := s.v.saveOwn(s.own); err != nil {
			t.Fatal(err)
		}
		before := s.listed("packs/")
		if err := s.audit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if looked := s.listed("packs/") > before; looked != c.want {
			t.Errorf("%d numbers, %s ago: looked %t", c.numbers, c.ago, looked)
		}
		kept := s.v.loadOwn().Audited
		if now := s.now().Sub(kept).Abs() < time.Minute; now != (c.want && c.numbers == seldom) || !now && !kept.Equal(was) {
			t.Errorf("%d numbers, %s ago: kept that it was %s", c.numbers, c.ago, kept)
		}
	}
}

// A roll that the remote lost is told of, and the next ledger names another; one
// that is there stays.
func TestAuditRolls(t *testing.T) {
	s := committed(t)
	there, gone := ledger.RollName(s.pack.Series, 0, [32]byte{1}), ledger.RollName(s.pack.Series, 1, [32]byte{2})
	s.mem.Overwrite(there, []byte("roll"))
	s.own.Rolls["there"], s.own.Rolls["gone"] = writtenRoll{Name: there}, writtenRoll{Name: gone}
	s.fault.Add(fault.Rule{Op: remote.OpList, Name: "rolls/", Nth: 1, Do: fault.Fail})
	if err := s.audit(t.Context()); !errors.Is(err, fault.ErrInjected) || len(s.own.Rolls) != 2 {
		t.Errorf("not listed: %v, rolls %v", err, s.own.Rolls)
	}
	if err := s.audit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.own.Rolls["there"]; !ok || len(s.own.Rolls) != 1 || s.noticed(there) || !s.noticed(gone) {
		t.Errorf("rolls %v, noticed %v", s.own.Rolls, s.v.Problems())
	}
	before := s.listed("rolls/")
	if s.own.Rolls = nil; s.audit(t.Context()) != nil || s.listed("rolls/") != before {
		t.Error("rolls are looked for, and none is needed")
	}
}

// A listing that breaks off tells nothing of what is not in it.
func TestAuditNotListed(t *testing.T) {
	s := committed(t)
	s.fault.Add(fault.Rule{Op: remote.OpList, Name: "packs/", Nth: 1, Do: fault.Fail})
	if err := s.audit(t.Context()); !errors.Is(err, fault.ErrInjected) || len(s.warns) > 0 || !s.Known(s.pack.Series, s.pack.Number) {
		t.Errorf("%v, warned of %v", err, s.warns)
	}
	s.fault.Add(fault.Rule{Op: remote.OpList, Name: s.pack.Name(), Nth: 1, Do: fault.Fail})
	if _, err := s.v.allExist(t.Context(), s.pack.Name()); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("allExist: %v", err)
	}
	for name, want := range map[string]bool{s.pack.Name(): true, s.pack.Name()[:40]: false} { // only the beginning of a name is none
		if got, err := s.v.allExist(t.Context(), s.pack.Name(), name); err != nil || got != want {
			t.Errorf("allExist %s: %t, %v", name, got, err)
		}
	}
}
