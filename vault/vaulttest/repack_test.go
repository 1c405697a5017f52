package vaulttest_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"coffer/remote/storetest/servers"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/kit"
	"coffer/vault/prune"
	"coffer/vault/state"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// seconds stand for days, so that what takes weeks is over in a minute. Every
// age keeps its place among the others.
var seconds = vault.Safety{
	AckTrust: 3 * time.Second, CondemnAge: 4 * time.Second, CommitLife: 2 * time.Second,
	ProgressEvery: time.Hour, ProgressLife: 10 * time.Minute, ForgetDelay: 3 * time.Second,
	ListLag: time.Second, Grace: 5 * time.Second, GraceLate: time.Minute, GraceBoot: time.Hour,
}

// A soaker is one machine that backs up, forgets and prunes on a real server.
type soaker struct {
	*vaulttest.Room
	t       *testing.T
	dir     string
	project trust.ProjectID
	rand    *rand.Rand

	want  map[string]map[string]string // by snapshot ID
	order []string                     // of want, oldest first

	mu       sync.Mutex
	deleted  int64 // objects; guarded by mu
	repacked int   // packs; guarded by mu
	stopped  int   // prunes; guarded by mu
}

// Two machines back up, forget, prune and repack at once on a real server, whose
// clock decides. Every snapshot that was not forgotten is whole in the end,
// wherever its chunks have been moved.
func TestRepacksOnMinIO(t *testing.T) {
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	store := srv.Open(t, srv.NewBucket(t), "repacks")
	first := vaulttest.On(t, store)
	first.Safety = &seconds
	if err := first.Lent(t).SetFloor(t.Context(), first.Kit, trust.Floor{}); err != nil {
		t.Fatal(err)
	}
	second, _ := first.Enrol(t, vault.EnrolOptions{})
	soakers := []*soaker{
		{Room: first, t: t, dir: vaulttest.Folder(t), project: firstProject, rand: rand.New(rand.NewPCG(1, 1)), want: map[string]map[string]string{}},
		{Room: second, t: t, dir: vaulttest.Folder(t), project: secondProject, rand: rand.New(rand.NewPCG(2, 2)), want: map[string]map[string]string{}},
	}
	began := time.Now()
	// Twenty seconds, or on a slow machine until something was deleted and repacked.
	working := func() bool {
		past := time.Since(began)
		return !t.Failed() && (past < 20*time.Second || past < 5*time.Minute && !enough(soakers))
	}
	var work sync.WaitGroup
	for _, s := range soakers {
		work.Go(func() {
			for working() {
				s.turn()
			}
		})
		work.Go(func() {
			for working() {
				s.prune(prune.Options{MaxDelete: 1}, nil)
				time.Sleep(300 * time.Millisecond)
			}
		})
	}
	work.Wait()
	var deleted int64
	repacked, snapshots := 0, 0
	for _, s := range soakers {
		s.check()
		deleted += s.deleted
		snapshots += len(s.want)
		repacked += s.repacked
		t.Logf("%d snapshots left, %d objects deleted, %d packs repacked, %d prunes stopped", len(s.want), s.deleted, s.repacked, s.stopped)
	}
	if deleted == 0 || repacked == 0 || snapshots == 0 {
		t.Errorf("%d objects deleted, %d packs repacked, %d snapshots left", deleted, repacked, snapshots)
	}
	res, err := verify.Run(t.Context(), first.Lent(t), verify.Options{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Problems {
		t.Errorf("%s: %v (%s)", p.Object, p.Err, p.Harms)
	}
}

// enough tells whether objects were deleted and packs repacked.
func enough(soakers []*soaker) bool {
	var deleted int64
	repacked := 0
	for _, s := range soakers {
		s.mu.Lock()
		deleted, repacked = deleted+s.deleted, repacked+s.repacked
		s.mu.Unlock()
	}
	return deleted > 0 && repacked > 0
}

// turn changes some files, backs up, and forgets all but some snapshots; now and
// then it repacks.
func (s *soaker) turn() {
	if s.rand.IntN(4) == 0 {
		s.prune(prune.Options{MaxDelete: 1, Repack: true}, s.Kit)
	}
	for range 3 {
		b := make([]byte, 1000+s.rand.IntN(100_000))
		r := rand.NewChaCha8([32]byte{byte(s.rand.IntN(20))}) // some contents come back
		r.Read(b)
		path := filepath.Join(s.dir, fmt.Sprint("file", s.rand.IntN(8)))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			s.t.Error(err)
		}
	}
	v, err := s.open(nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	res, err := backup.Run(s.t.Context(), v, backup.Options{Project: s.project, Label: "p", Roots: []string{s.dir}, Host: "h"})
	switch {
	case errors.Is(err, vault.ErrRestart):
		return // days pass in seconds: a run may find again and again that a prune was there
	case err != nil:
		s.t.Error(err)
		return
	}
	if _, had := s.want[res.Snapshot]; !had {
		s.want[res.Snapshot] = s.tree()
		s.order = append(s.order, res.Snapshot)
	}
	for len(s.order) > 4 {
		i := s.rand.IntN(len(s.order) - 1)
		s.forget(v, s.order[i])
		delete(s.want, s.order[i])
		s.order = append(s.order[:i:i], s.order[i+1:]...)
	}
}

func (s *soaker) open(k *kit.Kit) (*vault.Vault, error) {
	dir, err := state.Open(s.StatePath())
	if err != nil {
		return nil, err
	}
	return vault.Open(s.t.Context(), s.Store, vault.OpenOptions{State: dir, Kit: k, Safety: s.Safety})
}

func (s *soaker) forget(v *vault.Vault, id string) {
	snap, err := v.Find(s.t.Context(), id, vault.Filter{})
	if err == nil {
		_, err = v.Forget(s.t.Context(), []*vault.Snapshot{snap}, nil)
	}
	if err != nil {
		s.t.Error(err)
	}
}

func (s *soaker) tree() map[string]string {
	out := map[string]string{}
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		var b []byte
		if err == nil {
			path := filepath.Join(s.dir, e.Name())
			b, err = os.ReadFile(path)
			out[path] = string(b)
		}
	}
	if err != nil {
		s.t.Error(err)
	}
	return out
}

// prune does what a prune does. One may be stopped: what it saw as needed at
// its beginning another one may have deleted, because here a day is shorter
// than a look.
func (s *soaker) prune(o prune.Options, k *kit.Kit) {
	var p *prune.Plan
	var res prune.Result
	v, err := s.open(k)
	if err == nil {
		p, err = prune.Make(s.t.Context(), v, o)
	}
	if err == nil {
		res, err = p.Run(s.t.Context())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted += res.Deleted.All().Count
	s.repacked += res.Repacked.Packs
	var stopped *prune.StoppedError
	switch {
	case errors.As(err, &stopped):
		s.stopped++
		s.t.Log(stopped)
	case errors.Is(err, vault.ErrRestart):
	case err != nil:
		s.t.Error(err)
	}
}

// check restores all snapshots that were not forgotten.
func (s *soaker) check() {
	v := s.Lent(s.t)
	for id, want := range s.want {
		snap, err := v.Find(s.t.Context(), id, vault.Filter{})
		if err != nil {
			s.t.Error(err)
			continue
		}
		if got, err := vaulttest.Read(s.t.Context(), v, snap); err != nil {
			s.t.Errorf("snapshot %.8s: %v", id, err)
		} else if !maps.Equal(got, want) {
			s.t.Errorf("snapshot %.8s differs", id)
		}
	}
}
