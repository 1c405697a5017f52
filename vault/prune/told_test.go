package prune_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault"
	"coffer/vault/prune"
)

// What a prune is at is told while it is at it, and how far it has come.
func TestProgressIsTold(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.more("further", 8)
	goes := y.more("goes", 2)
	y.forget(goes)
	y.time.pass(9 * day)
	y.forgetCache()
	told := new(prune.Progress)
	stages := map[string]map[string]bool{} // of operations
	var mu sync.Mutex
	most := int64(0)
	c := y.on(t, y.room.With(hook(y.room.Store, func(op remote.Op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		what := string(op) + " " + strings.SplitAfter(name, "/")[0]
		stage := told.Stage.Load()
		if stage == nil {
			return nil // the vault is being opened
		}
		if stages[what] == nil {
			stages[what] = map[string]bool{}
		}
		stages[what][*stage] = true
		if op == remote.OpDelete {
			most = max(most, told.Total.Load())
		}
		return nil
	})))
	res, err := c.tryPrune(t.Context(), prune.Options{MaxDelete: 1, Progress: told})
	if err != nil || len(res.Lists) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	deleted := res.Deleted.All().Count
	if deleted == 0 || most != deleted || told.Done.Load() != deleted {
		t.Errorf("%d of %d, when %d were deleted", told.Done.Load(), most, deleted)
	}
	for what, want := range map[string]string{
		"list commits/": "checking signatures and chains", "list condemned/": "checking signatures and chains", "get rolls/": "reading ledgers", "list packs/": "listing objects",
		"delete packs/": "deleting", "put condemned/": "publishing what is to go",
	} {
		if got := stages[what]; len(got) != 1 || !got[want] {
			t.Errorf("%s: told %v, want %s", what, got, want)
		}
	}
}

// A prober is a store that is asked whether it refuses what comes too late.
type prober struct {
	remote.Store
	err error
}

func (p *prober) ProbeExpiry(context.Context) (bool, error) { return p.err == nil, p.err }

// How long what is condemned waits is told, and whether that is known.
func TestGraceIsTold(t *testing.T) {
	y, _, _ := story(t)
	store := &prober{y.room.Store, errOnce}
	c := y.on(t, y.room.With(store))
	if p := c.make(prune.Options{DryRun: true}); !p.Unsure || p.Grace != vault.DefaultSafety.GraceLate || len(p.Warnings) != 1 {
		t.Errorf("not asked: %s, unsure %v, %v", p.Grace, p.Unsure, p.Warnings)
	}
	if _, err := os.Stat(filepath.Join(y.room.StatePath(), "prune.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dry run noted something: %v", err)
	}
	// That it could not be found out is told, and not that it is not known yet.
	p := c.make(all)
	if p.Unsure || p.Grace != vault.DefaultSafety.GraceLate || len(p.Warnings) != 2 || !errors.Is(p.Warnings[0], errOnce) {
		t.Errorf("no answer: %s, unsure %v, %v", p.Grace, p.Unsure, p.Warnings)
	}
	// This machine's clock is a year ahead of the remote's.
	if text := fmt.Sprint(p.Warnings); !strings.Contains(text, "clock") {
		t.Error(text)
	}
	store.err = nil
	y.time.pass(time.Since(y.time.Now()))
	for range 2 { // the second time it is known
		if p := c.make(all); p.Unsure || p.Grace != vault.DefaultSafety.Grace || len(p.Warnings) != 0 {
			t.Errorf("asked: %s, unsure %v, %v", p.Grace, p.Unsure, p.Warnings)
		}
	}
}

// With a grace that is too short for what a commit may take there is no prune.
func TestShortGrace(t *testing.T) {
	y, _, _ := story(t)
	short := vault.DefaultSafety
	short.Grace = short.CommitLife
	y.room.Safety = &short
	v, err := y.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := prune.Make(t.Context(), v, all); err == nil || p != nil || !strings.Contains(err.Error(), "grace") {
		t.Errorf("%+v, %v", p, err)
	}
}

// Whoever has seen the plan may allow more than was asked for.
func TestAllow(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	y.time.pass(2 * day)
	p := y.make(prune.Options{MaxDelete: 0.01})
	if err := p.TooMany(); err == nil {
		t.Error("it is not too many")
	}
	p.Allow(1)
	if res, err := p.Run(t.Context()); err != nil || res.Deleted.All().Count != 3 {
		t.Errorf("%+v, %v", res, err)
	}
}

// Of a vault with damage nobody looks into packs: what is needed is not known.
func TestNoRepackOfDamage(t *testing.T) {
	y, _, second := story(t)
	body := y.under("snapshots/")[1]
	good := y.get(body)
	if err := y.room.Store.Delete(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	p, _, err := y.tryRepack(t.Context())
	if !isStopped(err) || p.Partly != (prune.Partly{}) || strings.Contains(fmt.Sprint(p.Warnings), "repacked") {
		t.Errorf("%+v, %v, %v", p.Partly, p.Warnings, err)
	}
	y.memory().Overwrite(body, good)
	if p, _ := y.repack(); p.Partly.Chosen != 1 || y.want[second] == nil {
		t.Errorf("%+v", p.Partly)
	}
}

// A prune that was stopped because commits are lacking forgets none of them.
func TestStoppedForgetsNothing(t *testing.T) {
	y, _, _ := story(t)
	y.prune()
	if err := y.room.Dir(t).WriteSmall("own.json", struct {
		Heads []string `json:"heads"`
	}{}); err != nil {
		t.Fatal(err)
	}
	commits := y.under("commits/")
	last := commits[len(commits)-1]
	if err := y.room.Store.Delete(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if p := y.make(all); !has(p.Stops, last) {
			t.Errorf("%v", p.Stops)
		}
	}
}

// orphans are n packs of a run that never committed, long ago.
func (y *yard) orphans(n int) (names []string) {
	y.t.Helper()
	sum := y.under("packs/")[0]
	for i := range n {
		name := fmt.Sprintf("packs/00112233445566ff/0000000000/%010d%s", i, sum[len(sum)-65:])
		if err := y.room.Store.Put(y.t.Context(), remote.NewObject(name, []byte("x"))); err != nil {
			y.t.Fatal(err)
		}
		y.memory().SetTime(name, y.time.Now().Add(-30*day))
		names = append(names, name)
	}
	return names
}

// Objects are deleted a few at a time, and after one that cannot be, no further
// ones are tried.
func TestFewAtATime(t *testing.T) {
	const few = 8
	y, _, _ := story(t)
	y.orphans(5 * few)
	y.prune()
	y.time.pass(2 * day)
	var mu sync.Mutex
	now, most, tried := 0, 0, 0
	var refused error
	c := y.on(t, y.room.With(hook(y.room.Store, func(op remote.Op, name string) error {
		if op != remote.OpDelete || !strings.HasPrefix(name, "packs/") {
			return nil
		}
		mu.Lock()
		now++
		tried++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(time.Millisecond) // for others to come, if they may
		mu.Lock()
		defer mu.Unlock()
		now--
		return refused
	})))
	refused = errOnce
	if _, err := c.tryPrune(t.Context(), all); !errors.Is(err, errOnce) || tried == 0 || tried > few {
		t.Errorf("%d packs were tried after one could not be deleted: %v", tried, err)
	}
	refused, most = nil, 0
	if res, err := c.tryPrune(t.Context(), all); err != nil || res.Deleted[prune.Packs].Count != 5*few+1 || most > few {
		t.Errorf("%+v, %v, %d at a time", res, err, most)
	}
}
