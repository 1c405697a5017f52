package vault

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
	"coffer/vault/kit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// A scene is a run that has stored one pack and did not commit yet.
type scene struct {
	*Run
	mem   *mem.Store
	fault *fault.Store
	used  *ledger.Set
	pack  ledger.Pack
	warns []error
	late  time.Duration // that the remote's clock is ahead
	kit   *kit.Kit
}

func newScene(t *testing.T) *scene {
	t.Helper()
	home, s := t.TempDir(), &scene{mem: mem.New(), used: new(ledger.Set)}
	s.fault = fault.New(s.mem, 1)
	v, k, _, err := Init(t.Context(), s.fault, InitOptions{Label: "test", StateRoot: home + "/state", KitDir: home, Remote: "mem:", Classic: true})
	if err != nil {
		t.Fatal(err)
	}
	s.kit = k
	s.Run, err = v.Begin(t.Context(), RunOptions{Project: "00112233445566aa", OnWarning: func(err error) { s.warns = append(s.warns, err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	lane := s.Lane(chunk.Data)
	ref, _, err := lane.Put([]byte("content"))
	if err == nil {
		err = errors.Join(lane.Flush(), s.wait())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.used.Add(ref.Series, ref.Number)
	s.pack = s.last.pack
	return s
}

func (s *scene) commit(t *testing.T) error {
	now := s.now()
	_, err := s.Commit(t.Context(), NewSnapshot{Used: s.used, Body: sceneBody(now)})
	return err
}

func sceneBody(now time.Time) *manifest.Body {
	return &manifest.Body{Project: "00112233445566aa", Label: "p", Start: now, End: now}
}

func (s *scene) commits(t *testing.T) (n int) {
	t.Helper()
	for _, err := range s.mem.List(t.Context(), "commits/", "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// Before a commit one pack is fetched and opened with the key that was kept.
// What does not come back as it was sent is not committed, and not relied on
// any more.
func TestReadBack(t *testing.T) {
	for name, spoil := range map[string]func(s *scene){
		"":              func(*scene) {},
		"rotten":        func(s *scene) { s.mem.Overwrite(s.pack.Name(), []byte("rotten")) },
		"gone":          func(s *scene) { _ = s.mem.Delete(t.Context(), s.pack.Name()) },
		"another key":   func(s *scene) { s.last.key[3] ^= 1 },
		"other chunks":  func(s *scene) { s.last.entries++ },
		"not reachable": func(s *scene) { s.fault.Add(fault.Rule{Op: remote.OpGet, Name: "packs/", Do: fault.Fail}) },
	} {
		s := newScene(t)
		spoil(s)
		err := s.commit(t)
		if name == "" {
			if err != nil || s.commits(t) != 1 {
				t.Errorf("as it was sent: %d commits, %v", s.commits(t), err)
			}
			continue
		}
		var bad *PackError
		again := errors.Is(err, ErrRestart) && errors.As(err, &bad) && bad.Pack == s.pack
		if err == nil || s.commits(t) != 0 || again == (name == "not reachable") {
			t.Errorf("%s: %d commits, %v", name, s.commits(t), err)
		}
		if s.Known(s.pack.Series, s.pack.Number) == again {
			t.Errorf("%s: relied on afterwards: %t", name, again)
		}
	}
}

// Whatever the store answers when a commit is to become visible: it is made
// once, under one name.
func TestPublishAnswers(t *testing.T) {
	for name, rule := range map[string]fault.Rule{
		"its name is taken":                  {Op: remote.OpPublish, Nth: 1, Do: fault.Fail, Err: fs.ErrExist},
		"too late":                           {Op: remote.OpPublish, Nth: 1, Do: fault.Fail, Err: remote.ErrExpired},
		"it arrived, and the answer is late": {Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck, Err: remote.ErrExpired},
	} {
		s := newScene(t)
		s.fault.Add(rule)
		if err := s.commit(t); err != nil || s.commits(t) != 1 {
			t.Errorf("%s: %d commits, %v", name, s.commits(t), err)
		}
		if warned := len(s.warns) > 0; warned != (name == "too late") {
			t.Errorf("%s: warned of %v", name, s.warns)
		}
		if len(s.own.Pending) > 0 && name == "it arrived, and the answer is late" {
			t.Errorf("%s: pending %q", name, s.own.Pending)
		}
		if len(s.own.Heads) != 1 {
			t.Errorf("%s: heads %q", name, s.own.Heads)
		}
	}
	for name, err := range map[string]error{"for ever too late": remote.ErrExpired, "refused": fs.ErrPermission} {
		s := newScene(t)
		s.fault.Add(fault.Rule{Op: remote.OpPublish, Do: fault.Fail, Err: err})
		if got := s.commit(t); !errors.Is(got, err) || s.commits(t) != 0 {
			t.Errorf("%s: %d commits, %v", name, s.commits(t), got)
		}
	}
}

// A commit of which it was not known whether it arrived, did: the next one
// follows it.
func TestPendingIsFollowed(t *testing.T) {
	s := newScene(t)
	s.fault.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck})
	if err := s.commit(t); err == nil || s.commits(t) != 1 || len(s.own.Pending) != 1 {
		t.Fatalf("%d commits, pending %q, %v", s.commits(t), s.own.Pending, err)
	}
	s.own.Pending = append(s.own.Pending, "x") // and what is none is no matter
	if err := s.commit(t); err != nil {
		t.Fatal(err)
	}
	if s.commits(t) > 2 || len(s.own.Pending) > 0 || len(s.own.Heads) != 1 {
		t.Errorf("%d commits, pending %q, heads %q", s.commits(t), s.own.Pending, s.own.Heads)
	}
	if heads, err := s.v.headCommits(t.Context(), s.own); err != nil || int(heads[0].Seq) != s.commits(t) {
		t.Errorf("the head is %v, %v", heads, err)
	}
}
