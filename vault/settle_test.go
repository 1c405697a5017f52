package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// giveUp has the scene's run try to commit, and give it up while the commit is
// on its way.
func (s *scene) giveUp(t *testing.T) {
	t.Helper()
	s.put(t, "given up")
	s.fault.Add(fault.Rule{Op: remote.OpPublish, Do: fault.Late, Later: 1 << 30})
	before := s.commits(t)
	if err := s.commit(t); err == nil || s.commits(t) != before {
		t.Fatalf("it is not on its way: %v", err)
	}
	s.fault.Clear()
}

// pass lets time pass on the remote.
func (s *scene) pass(d time.Duration) {
	s.late += d
	late := s.late
	s.mem.SetClock(func() time.Time { return time.Now().Add(late) })
}

// more commits something else.
func (s *scene) more(t *testing.T) {
	t.Helper()
	s.put(t, "more")
	if err := s.commit(t); err != nil {
		t.Fatal(err)
	}
}

// Whenever a commit arrives that was given up, it is known for the device's
// own: nobody is told of a clone, no new series is begun, and the history goes
// on from it in one line.
func TestGivenUpArrives(t *testing.T) {
	for name, until := range map[string]func(t *testing.T, s *scene){
		"at once":                      func(*testing.T, *scene) {},
		"in the run":                   func(t *testing.T, s *scene) { s.more(t) },
		"after a run that did nothing": func(t *testing.T, s *scene) { s.next(t) },
		"in the next run":              func(t *testing.T, s *scene) { s.next(t); s.more(t) },
		"after the next run":           func(t *testing.T, s *scene) { s.next(t); s.more(t); s.next(t) },
		"after several": func(t *testing.T, s *scene) {
			s.next(t)
			s.more(t)
			s.next(t)
			s.more(t)
			s.more(t)
			s.next(t)
		},
		"with a second one":                 func(t *testing.T, s *scene) { s.next(t); s.giveUp(t) },
		"with a second one, after the next": func(t *testing.T, s *scene) { s.next(t); s.giveUp(t); s.next(t); s.more(t); s.next(t) },
	} {
		s := committed(t)
		series := len(s.v.device().Series)
		s.giveUp(t)
		until(t, s)
		s.fault.Arrive()
		all := s.commits(t)
		s.wholeHistory(t, name, all) // who reads it now does not hide it
		s.pass(48 * time.Hour)
		s.next(t)
		s.more(t)
		s.next(t)
		if len(s.warns) > 0 || len(s.v.device().Series) != series {
			t.Errorf("%s: %d series, were %d, warned of %v", name, len(s.v.device().Series), series, s.warns)
		}
		if len(s.own.Heads) != 1 || s.commits(t) != all+1 {
			t.Errorf("%s: heads %q, %d commits", name, s.own.Heads, s.commits(t))
		}
		s.wholeLine(t, name, all+1)
	}
}

// wholeHistory wants n commits in the history, and nothing wrong with it but
// what was gone for a while.
func (s *scene) wholeHistory(t *testing.T, name string, n int) []record {
	t.Helper()
	recs, err := s.v.history(t.Context(), &s.v.Trust().Devices[0])
	bad := slices.ContainsFunc(s.v.Problems(), func(p Problem) bool { return !errors.Is(p.Err, ErrRollback) })
	if err != nil || len(recs) != n || bad {
		t.Fatalf("%s: %d commits in the history, want %d, %v, %v", name, len(recs), n, s.v.Problems(), err)
	}
	return recs
}

// wholeLine wants n commits in the history, each before the newest.
func (s *scene) wholeLine(t *testing.T, name string, n int) {
	t.Helper()
	last := s.wholeHistory(t, name, n)[n-1]
	if err := s.v.load(t.Context(), &last); err != nil {
		t.Fatal(err)
	}
	before, err := s.v.Ancestors(t.Context(), last.c)
	if err != nil || len(before) != n-1 {
		t.Errorf("%s: %d commits before the newest of %d, %v", name, len(before), n, err)
	}
}

// next ends the run of a scene and begins another; what was told is kept.
func (s *scene) next(t *testing.T) {
	t.Helper()
	warns := s.warns
	if err := s.again(t); err != nil {
		t.Fatal(err)
	}
	s.warns = append(warns, s.warns...)
}

// copyOf is the run that a copy of this device's state begins.
func (s *scene) copyOf(t *testing.T) *scene {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(s.v.dir.Path())); err != nil {
		t.Fatal(err)
	}
	dir, err := state.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(t.Context(), s.fault, OpenOptions{State: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := *s
	c.warns, c.used = nil, new(ledger.Set) // both number their packs alike
	c.Run, err = v.Begin(t.Context(), RunOptions{Project: s.o.Project, OnWarning: func(err error) { c.warns = append(c.warns, err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &c
}

// toldOf tells whether one of the warnings speaks of a commit as a copy's.
func (s *scene) toldOf(name string) bool {
	return slices.ContainsFunc(s.warns, func(err error) bool {
		return strings.Contains(err.Error(), "another copy of its state") && strings.Contains(err.Error(), path.Base(name))
	})
}

// A copy of the state is noticed all the same: beside a commit that arrives
// late, after one, and with one that both await.
func TestCopyIsNoticed(t *testing.T) {
	for name, both := range map[string]func(s, c *scene){
		"beside one": func(s, c *scene) { c.more(t); s.fault.Arrive() },
		"after one":  func(s, c *scene) { s.fault.Arrive(); c.next(t); c.more(t) },
		"with the same number": func(s, c *scene) {
			s.more(t)
			c.more(t)
			s.fault.Arrive()
		},
		"that was read meanwhile": func(s, c *scene) {
			s.more(t)
			c.more(t)
			s.fault.Arrive()
			s.wholeHistory(t, "before", s.commits(t))
		},
	} {
		s := committed(t)
		series := len(s.v.device().Series)
		s.giveUp(t)
		s.pass(2 * time.Second) // commits of other seconds have other names
		s.settleOwn()
		c := s.copyOf(t)
		both(s, c)
		if len(c.warns) > 0 {
			t.Errorf("%s: the copy was told of %v", name, c.warns)
		}
		s.next(t)
		if !s.toldOf(c.own.Heads[0]) || len(s.warns) != 1 || len(s.v.device().Series) != series+2 {
			t.Errorf("%s: %d series, were %d, warned of %v", name, len(s.v.device().Series), series, s.warns)
		}
		s.used = new(ledger.Set) // what two packs have as number is unknown
		s.more(t)
		s.wholeLine(t, name, s.commits(t))
		c.Close()
		s.Close()
	}
}

// asked counts how often commits were asked for by name since.
func (s *scene) asked(since int, name string) (n int) {
	for _, e := range s.fault.Log()[since:] {
		if e.Op == remote.OpGet && strings.HasPrefix(e.Name, "commits/") && strings.Contains(e.Name, name) {
			n++
		}
	}
	return n
}

// A commit that was given up is asked for with each commit until it can come no
// more, and not longer, whatever the remote's clock said meanwhile.
func TestGivenUpIsForgotten(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"": 0, "a clock that was ahead": 5 * time.Hour} {
		s := committed(t)
		s.giveUp(t)
		base := s.own.Pending[0]
		s.pass(wrong)
		s.next(t)
		s.more(t)
		if u := s.own.Unsettled; len(u) != 1 || u[0].Base != base || u[0].Until.Sub(s.now()) < DefaultSafety.CommitLife+2*DefaultSafety.ListLag-time.Minute {
			t.Fatalf("%s: unsettled %v", name, u)
		}
		s.pass(-wrong)
		for _, c := range []struct {
			passes      time.Duration
			asked, left int
		}{{2 * time.Second, 1, 1}, {2 * time.Hour, 1, 1}, {20 * time.Minute, 1, 0}, {2 * time.Second, 0, 0}} {
			s.pass(c.passes)
			s.next(t)
			before := len(s.fault.Log())
			s.more(t)
			if n := s.asked(before, base); n != c.asked || len(s.own.Unsettled) != c.left {
				t.Errorf("%s: %s later, asked for it %d times, want %d, and await %v", name, c.passes, n, c.asked, s.own.Unsettled)
			}
		}
		if len(s.warns) > 0 {
			t.Errorf("%s: warned of %v", name, s.warns)
		}
	}
}

// However many commits are given up, the newest are kept, and a run goes on.
func TestGivenUpAreMany(t *testing.T) {
	s := committed(t)
	const more = 3
	var sent []string
	for range keepUnsettled + more {
		s.giveUp(t)
		sent = append(sent, s.own.Pending...)
	}
	s.next(t)
	s.more(t)
	var kept []string
	for _, u := range s.own.Unsettled {
		kept = append(kept, u.Base)
	}
	if len(sent) != keepUnsettled+more || !slices.Equal(kept, sent[more:]) {
		t.Errorf("of %d, %d are kept: %q", len(sent), len(kept), kept)
	}
	all := s.commits(t)
	s.fault.Arrive() // those that were sent within their life
	if arrived := s.commits(t) - all; arrived != keepUnsettled+more {
		t.Fatalf("%d arrived", arrived)
	}
	s.next(t)
	for range 5 { // each joins 16
		s.more(t)
	}
	if len(s.own.Heads) != 1 || len(s.own.Unsettled) > 0 {
		t.Errorf("%d heads, await %v", len(s.own.Heads), s.own.Unsettled)
	}
	s.wholeLine(t, "many", s.commits(t))
}

// A commit that was given up is found by its name though a listing from the
// heads on does not come by it any more.
func TestGivenUpInFormerFolder(t *testing.T) {
	s := committed(t)
	s.giveUp(t)
	base := s.own.Pending[0]
	s.next(t)
	s.more(t)
	before := commit.Name{Device: s.v.Device(), Seq: 1023, Kind: commit.Check, Time: noon}
	far := &commit.Commit{
		Version: 1, Vault: s.v.ID(), Device: s.v.Device(), Seq: 1024, Prev: []string{before.Base()}, Kind: commit.Check, Time: s.now().UTC().Truncate(time.Second),
		Chain: strings.Repeat("0", 64), FolderChain: strings.Repeat("0", 64), Trust: s.v.TrustName(), Detail: &commit.Detail{Result: commit.OK},
	}
	obj, err := far.Sign(s.v.device().SignKey())
	if err != nil {
		t.Fatal(err)
	}
	s.mem.Overwrite(far.Name().String(), obj)
	s.own.Heads = []string{far.Name().String()}
	if err := s.v.saveOwn(s.own); err != nil {
		t.Fatal(err)
	}
	s.fault.Arrive()
	s.next(t)
	if !s.own.awaits(base) {
		t.Fatal("the listing came by it")
	}
	s.more(t)
	heads, err := s.v.headCommits(t.Context(), s.own)
	if err != nil || len(heads) != 1 || !slices.Contains(heads[0].Prev, base) || s.own.awaits(base) || len(s.warns) > 0 {
		t.Errorf("heads %q, warned of %v, %v", s.own.Heads, s.warns, err)
	}
}

// What the remote did not show for a while, and a run went on without, is no
// copy's when it is back.
func TestGoneIsBack(t *testing.T) {
	s := committed(t)
	s.more(t)
	s.more(t)
	series := len(s.v.device().Series)
	for _, name := range s.own.Heads {
		n, err := commit.ParseName(name)
		if err != nil || n.Seq != 3 {
			t.Fatal(name, err)
		}
	}
	gone := map[string][]byte{}
	for _, seq := range []string{"0000000002-", "0000000003-"} {
		for info, err := range s.mem.List(t.Context(), "commits/"+string(s.v.Device())+"/0000000000/"+seq, "") {
			if err != nil {
				t.Fatal(err)
			}
			gone[info.Name] = s.lose(t, info.Name)
		}
	}
	s.pass(2 * time.Second)
	s.next(t)
	if len(s.warns) != 1 || len(s.v.Rollbacks()) != 1 {
		t.Fatalf("warned of %v, rollbacks %v", s.warns, s.v.Rollbacks())
	}
	s.warns = nil
	s.used = new(ledger.Set)
	s.more(t)
	for name, b := range gone {
		s.mem.Overwrite(name, b)
	}
	s.next(t)
	s.more(t)
	if len(s.warns) > 0 || len(s.v.Rollbacks()) != 1 || len(s.v.device().Series) != series {
		t.Errorf("%d series, were %d, rollbacks %v, warned of %v", len(s.v.device().Series), series, s.v.Rollbacks(), s.warns)
	}
	s.wholeLine(t, "back", 5)
}

// Where the note of it is lost meanwhile, it cannot be told from a clone's: it
// is told of, the history goes on from it, and nothing is lost.
func TestGivenUpIsNotNoted(t *testing.T) {
	s := committed(t)
	s.giveUp(t)
	base := s.own.Pending[0]
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.v.dir.Path(), ownFile)); err != nil {
		t.Fatal(err)
	}
	s.next(t)
	s.more(t)
	s.fault.Arrive()
	if s.next(t); !s.toldOf(base) || len(s.warns) != 1 {
		t.Errorf("warned of %v", s.warns)
	}
	s.more(t)
	s.wholeLine(t, "not noted", 4)
}

// Of two snapshots that both follow the same one, the newest is that which was
// made last, whichever arrives first.
func TestGivenUpIsOlder(t *testing.T) {
	for second, act := range map[string]func(s *scene) string{
		"arrived": func(s *scene) string { s.more(t); return s.own.Heads[0] },
		"given up, too": func(s *scene) string {
			s.giveUp(t)
			return commit.Folder(s.v.Device(), 2) + s.own.Pending[0]
		},
	} {
		s := committed(t)
		s.giveUp(t)
		s.pass(2 * time.Second)
		s.next(t)
		last := act(s)
		s.fault.Arrive()
		s.next(t)
		if now := s.own.Projects[s.o.Project].Commit; len(s.own.Heads) != 2 || now != last {
			t.Errorf("%s: heads %q, newest %s, want %s", second, s.own.Heads, now, last)
		}
	}
}

// What a run has noted of commits on their way is read as it was written, and
// so is a file of before they were kept.
func TestOwnFile(t *testing.T) {
	s := committed(t)
	s.giveUp(t)
	s.next(t)
	s.giveUp(t)
	s.settleOwn()
	h := s.v.loadOwn()
	if h.fresh || len(h.Pending) != 1 || len(h.Unsettled) != 1 || !slices.Equal(h.Pending, s.own.Pending) || !slices.Equal(h.Unsettled, s.own.Unsettled) {
		t.Errorf("pending %q, unsettled %v", h.Pending, h.Unsettled)
	}
	type before struct {
		Heads    []string       `json:"heads"`
		Projects map[string]any `json:"projects"`
		Pending  []string       `json:"pending,omitempty"`
	}
	if err := s.v.dir.WriteSmall(ownFile, before{s.own.Heads, map[string]any{}, s.own.Pending}); err != nil {
		t.Fatal(err)
	}
	if h := s.v.loadOwn(); h.fresh || !slices.Equal(h.Heads, s.own.Heads) || !h.awaits(s.own.Pending[0]) {
		t.Errorf("of before: %+v", h)
	}
	h.Pending, h.Unsettled = nil, nil
	b, err := state.EncodeSmall(ownFile, h)
	if err != nil || strings.Contains(fmt.Sprintf("%s", b), "unsettled") {
		t.Errorf("it says that nothing is on its way: %s, %v", b, err)
	}
}

// Whatever own.json holds, what is accepted is what would be written, and no
// name in it breaks a run.
func FuzzOwn(f *testing.F) {
	for _, line := range []string{
		`{"heads":[],"projects":{}}`,
		`{"heads":["commits/0011223344556677/0000000000/0000000001-s0069294f54-` + strings.Repeat("0", 64) + `"],"projects":{},"pending":["0000000002-s0069294f54-` + strings.Repeat("0", 64) + `"]}`,
		`{"heads":null,"projects":null,"pending":["x"],"unsettled":[{"base":"","until":"2026-03-01T14:00:00Z"}],"cloned":true,"rollbacks":[{"commit":"x","found":"2026-03-01T14:00:00Z","known":true}]}`,
	} {
		f.Add([]byte(line))
	}
	dir, err := state.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	v := &Vault{dir: dir, safety: DefaultSafety}
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) == 0 {
			return
		}
		sum := remote.NewObject("", line).Sum
		file := append(line[:len(line)-1:len(line)-1], `,"sum":"`+hex.EncodeToString(sum[:])+"\"}\n"...)
		if err := os.WriteFile(filepath.Join(dir.Path(), ownFile), file, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := state.ReadSmall[ownHistory](dir, ownFile)
		if err != nil {
			return
		}
		if err := dir.WriteSmall(ownFile, h); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(filepath.Join(dir.Path(), ownFile)); err != nil || !bytes.Equal(again, file) {
			t.Errorf("read %s\nwritten %s\n%v", file, again, err)
		}
		h = v.loadOwn()
		h.giveUp(noon.Add(v.safety.arrival()))
		for _, u := range h.Unsettled {
			if u.Until.After(noon.Add(v.safety.arrival())) || !h.awaits(u.Base) {
				t.Errorf("awaits %v", u)
			}
		}
		_ = h.made([]record{{name: commit.Name{}, c: &commit.Commit{}}})
		_ = h.listAfter("0011223344556677")
	})
}
