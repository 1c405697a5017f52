package vault

import (
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
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

// wholeLine wants all commits to be in the history, each before the newest.
func (s *scene) wholeLine(t *testing.T, name string, n int) {
	t.Helper()
	recs, err := s.v.history(t.Context(), &s.v.Trust().Devices[0])
	if err != nil || len(recs) != n || len(s.v.Problems()) > 0 {
		t.Errorf("%s: %d commits in the history, want %d, %v, %v", name, len(recs), n, s.v.Problems(), err)
		return
	}
	last := recs[n-1]
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
