package prune_test

import (
	"fmt"
	"path"
	"time"

	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// A judge watches every commit that becomes visible and every deletion, and
// knows by itself what each snapshot needs and which are forgotten for good.
type judge struct {
	store *mem.Store
	now   func() time.Time
	needs map[string]map[string]bool // by the base name of a snapshot: objects
	said  map[string][]word          // by the base name of a snapshot
	wrong []string
	saw   sights
}

// A word is a forget of a snapshot, or its withdrawal.
type word struct {
	at   time.Time
	back bool
}

// sights count what happened, to show that much did.
type sights struct {
	snapshots, progress, forgets, withdrawals, late, deleted, condemned, restarts, crashes int
}

func (s *sights) add(o sights) {
	s.snapshots += o.snapshots
	s.progress += o.progress
	s.forgets += o.forgets
	s.withdrawals += o.withdrawals
	s.late += o.late
	s.deleted += o.deleted
	s.condemned += o.condemned
	s.restarts += o.restarts
	s.crashes += o.crashes
}

// copy is a judge for another copy of the store, who has seen the same.
func (j *judge) copy() *judge {
	c := &judge{needs: map[string]map[string]bool{}, said: map[string][]word{}}
	for base, n := range j.needs {
		c.needs[base] = n
	}
	for base, w := range j.said {
		c.said[base] = append([]word(nil), w...)
	}
	return c
}

func (j *judge) blame(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// publishes judges a commit that has become visible.
func (j *judge) publishes(name string, obj []byte) {
	c, _, err := commit.Parse(obj)
	if err != nil {
		j.blame("%s: %v", name, err)
		return
	}
	base := path.Base(name)
	switch c.Kind {
	case commit.Snapshot:
		j.saw.snapshots++
		j.snapshot(base, c)
	case commit.Progress:
		j.saw.progress++
	case commit.Forget:
		for _, s := range c.Forgets {
			j.said[s] = append(j.said[s], word{j.now(), c.Withdraw})
		}
		if c.Withdraw {
			j.saw.withdrawals++
		} else {
			j.saw.forgets++
		}
	}
}

// snapshot notes what a snapshot needs. All of it must be there.
func (j *judge) snapshot(base string, c *commit.Commit) {
	if j.needs[base] != nil {
		return // published once more, after a lost answer
	}
	needs := map[string]bool{c.Body: true, c.Ledger: true}
	j.needs[base] = needs
	obj, err := j.store.Get(ctx, nil, c.Ledger, 0, -1)
	if err != nil {
		j.blame("snapshot %s is visible, and its ledger is gone: %v", base, err)
		return
	}
	l, err := ledger.Parse(obj)
	if err != nil {
		j.blame("snapshot %s: %v", base, err)
		return
	}
	for p, err := range l.Packs(func(roll string) ([]byte, error) { return j.store.Get(ctx, nil, roll, 0, -1) }) {
		if err != nil {
			j.blame("snapshot %s: %v", base, err)
			continue
		}
		needs[p.Name()] = true
	}
	for name := range needs {
		if _, err := j.store.Get(ctx, nil, name, 0, 0); err != nil {
			j.blame("snapshot %s is visible and needs what is gone: %v", base, err)
		}
	}
}

// deletes judges a deletion.
func (j *judge) deletes(name string) {
	j.saw.deleted++
	for base, needs := range j.needs {
		if needs[name] && !j.forgotten(base) {
			j.blame("%s is deleted, and snapshot %s needs it", name, base)
		}
	}
}

// forgotten tells whether a snapshot may be lost: some forget of it took effect
// without a withdrawal between the two.
func (j *judge) forgotten(base string) bool {
	for _, f := range j.said[base] {
		end := f.at.Add(vault.DefaultSafety.ForgetDelay)
		final := !f.back && !j.now().Before(end)
		for _, w := range j.said[base] {
			final = final && !(w.back && !w.at.Before(f.at) && w.at.Before(end))
		}
		if final {
			return true
		}
	}
	return false
}

// ends judges what is left: every snapshot that counts has all it needs.
func (j *judge) ends() {
	for base, needs := range j.needs {
		for name := range needs {
			if _, err := j.store.Get(ctx, nil, name, 0, 0); err != nil && !j.forgotten(base) {
				j.blame("in the end snapshot %s lacks %s", base, name)
			}
		}
	}
}
