package vault

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// put stores another pack, and makes it part of what is committed next.
func (s *scene) put(t *testing.T, content string) {
	t.Helper()
	lane := s.Lane(chunk.Data)
	ref, _, err := lane.Put([]byte(content))
	if err == nil {
		err = errors.Join(lane.Flush(), s.wait())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.used.Add(ref.Series, ref.Number)
}

// Whichever operation fails while a run commits, of those that must read what it
// follows and relies on: the run ends with it, nothing is visible, and the next
// try goes on from there, in one line.
func TestCommitFails(t *testing.T) {
	for nth := 1; ; nth++ {
		s := newScene(t)
		s.fault.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck}) // of one it is not known whether it arrived
		if err := s.commit(t); err == nil {
			t.Fatal("its answer was lost")
		}
		s.put(t, "more")
		undo := s.inPlace(t, "objects") // nothing is at hand
		s.fault.Clear()
		s.fault.Add(fault.Rule{Nth: nth, Do: fault.Fail})
		done := len(s.fault.Log())
		err := s.commit(t)
		ops := s.fault.Log()[done:]
		undo()
		if len(ops) < nth || ops[nth-1].Op == remote.OpDiscard { // after all of them
			if err != nil || s.commits(t) != 2 || nth < 10 {
				t.Errorf("after %d operations: %d commits, %v", len(ops), s.commits(t), err)
			}
			return
		}
		if !errors.Is(err, fault.ErrInjected) || s.commits(t) != 1 {
			t.Errorf("%s %s: %d commits, %v", ops[nth-1].Op, ops[nth-1].Name, s.commits(t), err)
		}
		if off := time.Until(s.now()).Abs(); off > time.Hour {
			t.Errorf("%s %s: the clock is off by %s", ops[nth-1].Op, ops[nth-1].Name, off)
		}
		if err := s.commit(t); err != nil || s.commits(t) != 2 || len(s.own.Heads) != 1 || seqOf(s.own.Heads[0]) != 2 || len(s.own.Pending) > 0 {
			t.Errorf("%s %s: again: heads %q, pending %q, %v", ops[nth-1].Op, ops[nth-1].Name, s.own.Heads, s.own.Pending, err)
		}
		s.Close()
	}
}

// A commit that did not arrive, or arrived in pieces, is none to follow.
func TestPendingIsNone(t *testing.T) {
	for name, action := range map[string]fault.Action{"not arrived": fault.Fail, "in pieces": fault.Torn} {
		s := newScene(t)
		s.fault.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: action})
		if err := s.commit(t); err == nil || len(s.own.Pending) != 1 {
			t.Fatalf("%s: pending %q, %v", name, s.own.Pending, err)
		}
		s.mem.SetClock(func() time.Time { return time.Now().Add(time.Minute) }) // its name is of another second
		if err := s.commit(t); err != nil || len(s.own.Heads) != 1 || seqOf(s.own.Heads[0]) != 1 || len(s.own.Pending) > 0 {
			t.Errorf("%s: heads %q, pending %q, %v", name, s.own.Heads, s.own.Pending, err)
		}
	}
}

// A commit that arrived is followed, though the listings of the remote lag
// behind.
func TestPendingIsNotListed(t *testing.T) {
	s := newScene(t)
	s.fault.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck})
	if err := s.commit(t); err == nil || len(s.own.Pending) != 1 {
		t.Fatalf("pending %q, %v", s.own.Pending, err)
	}
	s.fault.Add(fault.Rule{Op: remote.OpList, Name: "commits/", Do: fault.Hide})
	if err := s.commit(t); err != nil || len(s.own.Heads) != 1 || seqOf(s.own.Heads[0]) != 2 {
		t.Errorf("heads %q, %v", s.own.Heads, err)
	}
	s.fault.Clear()
	if err := s.again(t); err != nil || len(s.warns) > 0 {
		t.Errorf("the next run warns of %v, %v", s.warns, err)
	}
}

// What was committed is noted on this machine, too, and read from there by what
// follows.
func TestSent(t *testing.T) {
	s := committed(t)
	s.put(t, "more")
	before := len(s.fault.Log())
	if err := s.commit(t); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.fault.Log()[before:] {
		if n, err := commit.ParseName(e.Name); err == nil && e.Op == remote.OpGet {
			t.Errorf("commit %s was fetched", n)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	h, newest := s.v.loadOwn(), s.own.Projects[s.o.Project]
	if !slices.Equal(h.Heads, s.own.Heads) || len(h.Heads) != 1 || len(h.Pending) > 0 {
		t.Errorf("heads %q, pending %q", h.Heads, h.Pending)
	}
	if h.Projects[s.o.Project] != newest || newest.Stable == "" || newest.Commit != h.Heads[0] {
		t.Errorf("newest %+v", h.Projects[s.o.Project])
	}
}

// Where a copy of this device's state has made a newer snapshot, that one stays
// the newest, and what is known of it is not mixed with another.
func TestSentBesideNewer(t *testing.T) {
	s := committed(t)
	first, err := commit.ParseName(s.own.Heads[0])
	if err != nil {
		t.Fatal(err)
	}
	first.Seq = 9
	newer := newest{Commit: first.String(), Stable: "other"}
	s.own.Projects[s.o.Project] = newer
	s.put(t, "more")
	if err := s.commit(t); err != nil || s.own.Projects[s.o.Project] != newer {
		t.Errorf("newest %+v, %v", s.own.Projects[s.o.Project], err)
	}
}

// A repack follows what it was made beside, what it made itself, and nothing
// else.
func TestRepackFollows(t *testing.T) {
	for known, commits := range map[bool]int{true: 3, false: 1} {
		s := committed(t)
		head := s.own.Heads[0]
		where := map[chunk.ID]chunk.Ref{{1}: {ID: chunk.ID{1}, Series: s.pack.Series, Number: s.pack.Number, Len: 1}}
		s.seen = func(name string) bool { return known && name == head }
		var err error
		for i := range 2 {
			old := s.pack
			old.Number += uint32(10 + i)
			err = errors.Join(err, s.commitMove(t.Context(), []string{old.Name()}, where, s.used, true))
		}
		if known != (err == nil) || !known && !errors.Is(err, ErrRestart) || s.commits(t) != commits {
			t.Errorf("shown %t: %d commits, %v", known, s.commits(t), err)
		}
	}
}

// The newest commits of other devices are named in order; what is none is not.
func TestOtherHeads(t *testing.T) {
	at := func(dev trust.DeviceID) commit.Name {
		return commit.Name{Device: dev, Seq: 1, Kind: commit.Snapshot, Time: noon}
	}
	h := &ownHistory{Others: map[trust.DeviceID]headSeen{"00112233445566cc": {1, "x"}}}
	var want []commit.Head
	for _, dev := range []trust.DeviceID{"00112233445566aa", "00112233445566bb", "00112233445566dd", "00112233445566ee"} {
		h.Others[dev] = headSeen{1, at(dev).String()}
		want = append(want, commit.Head{Device: dev, Name: at(dev).Base()})
	}
	for range 100 { // maps have no order
		if got := h.otherHeads(); !slices.Equal(got, want) {
			t.Fatalf("got %v", got)
		}
	}
}

// The check before a commit asks for everything again: what changed since the
// run began counts.
func TestCheckAsksAgain(t *testing.T) {
	none := new(ledger.Set)
	for name, c := range map[string]struct {
		change func(s *scene)
		d      func(s *scene) draft
		want   error
	}{
		"the time": {
			func(s *scene) {
				s.mem.SetClock(func() time.Time { return time.Now().Add(DefaultSafety.AckTrust + time.Minute) })
			},
			func(s *scene) draft { return draft{used: s.used} }, ErrRestart,
		},
		"its role": {
			func(s *scene) { s.v.Trust().Devices[0].Roles = []trust.Role{trust.Maintain} },
			func(s *scene) draft { return draft{used: none} }, ErrRevoked,
		},
		"a trust sealed to others": {
			func(s *scene) {
				other, err := seal.Generate(true)
				if err != nil {
					t.Fatal(err)
				}
				to, err := seal.ParseRecipients([]string{other.Recipient()})
				if err != nil {
					t.Fatal(err)
				}
				b, sum, err := pack.SealBlob([]byte("x"), to)
				if err != nil {
					t.Fatal(err)
				}
				s.mem.Overwrite(trust.Name(2, sum), b)
			},
			func(s *scene) draft { return draft{used: none} }, ErrRevoked,
		},
		"a condemned ledger": {
			func(s *scene) {
				s.condemn(t, s.v.ID(), commit.ObjectName(commit.Ledgers, s.v.Device(), 1, [32]byte{1}))
			},
			func(s *scene) draft {
				return draft{used: none, objects: []string{commit.ObjectName(commit.Ledgers, s.v.Device(), 1, [32]byte{1})}}
			}, ErrRestart,
		},
	} {
		s := newScene(t)
		if err := s.check(t.Context(), c.d(s)); err != nil {
			t.Errorf("before %s: %v", name, err)
		}
		c.change(s)
		if err := s.check(t.Context(), c.d(s)); !errors.Is(err, c.want) {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// What was sealed is committed only to the recipients there are; a commit with
// nothing sealed does not care for them.
func TestCheckRecipients(t *testing.T) {
	s := committed(t)
	none := new(ledger.Set)
	for name, c := range map[string]struct {
		d    draft
		want bool
	}{"nothing sealed": {draft{used: none}, true}, "a body": {draft{used: none, body: "x"}, false}, "packs": {draft{used: s.used}, false}} {
		if err := s.check(t.Context(), c.d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		right := s.sealedTo
		s.sealedTo = "others"
		if err := s.check(t.Context(), c.d); (err == nil) != c.want {
			t.Errorf("%s, to others: %v", name, err)
		}
		s.sealedTo = right
		if err := s.v.updateDevice(func(d *state.Device) error { d.RecipientsHash = right[1:] + right[:1]; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := s.check(t.Context(), c.d); (err == nil) != c.want || !c.want && !errors.Is(err, ErrRestart) {
			t.Errorf("%s, meanwhile to others: %v", name, err)
		}
		if err := s.v.updateDevice(func(d *state.Device) error { d.RecipientsHash = right; return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// A commit that may have arrived, though its answer came too late, is looked
// for, and not in listings, which may lag behind; if that fails, nothing is sent
// a second time.
func TestLateAnswerNotListed(t *testing.T) {
	s := newScene(t)
	s.fault.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck, Err: remote.ErrExpired})
	s.fault.Add(fault.Rule{Op: remote.OpList, Name: "commits/", Do: fault.Hide})
	if err := s.commit(t); err != nil || s.commits(t) != 1 || len(s.own.Pending) != 0 || len(s.warns) > 0 {
		t.Errorf("%d commits, pending %q, warned of %v, %v", s.commits(t), s.own.Pending, s.warns, err)
	}
	s = newScene(t)
	s.fault.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck, Err: remote.ErrExpired})
	s.fault.Add(fault.Rule{Op: remote.OpGet, Name: "commits/" + string(s.v.Device()) + "/", Nth: 1, Do: fault.Fail, Err: fs.ErrPermission})
	if err := s.commit(t); !errors.Is(err, fs.ErrPermission) || s.commits(t) != 1 || len(s.own.Pending) != 1 {
		t.Errorf("%d commits, pending %q, %v", s.commits(t), s.own.Pending, err)
	}
}

// A run of which nothing was stored has nothing to fetch, once and again.
func TestSampleOfNothing(t *testing.T) {
	s := committed(t)
	if err := s.again(t); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.put(t, "more")
	if err := s.commit(t); err != nil {
		t.Fatal(err)
	}
}

// A device that the trust does not know follows nothing.
func TestFollowRevoked(t *testing.T) {
	s := committed(t)
	devices := s.v.Trust().Devices
	s.v.Trust().Devices = nil
	defer func() { s.v.Trust().Devices = devices }()
	if err := s.settlePending(t.Context()); !errors.Is(err, ErrRevoked) {
		t.Errorf("what may have arrived: %v", err)
	}
	if _, err := s.v.headCommits(t.Context(), s.own); !errors.Is(err, ErrRevoked) {
		t.Errorf("its heads: %v", err)
	}
}
