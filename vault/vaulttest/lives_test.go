package vaulttest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/prune"
	"coffer/vault/retention"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// A life is a vault of two machines over some months: they back up, apply
// policies, forget by name, bring back, and prune, in any order.
type life struct {
	*timeline
	rand     *rand.Rand
	machines []*machine
	made     []*memory
}

// A machine has a folder that it backs up.
type machine struct {
	*timeline
	dir     string
	project trust.ProjectID
}

// A memory is what the test knows of a snapshot.
type memory struct {
	name  string // of its commit
	by    string // the machine
	holds map[string]string
	goes  time.Time // zero if it is not forgotten
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{timeline: newTimeline(t), rand: rand.New(rand.NewPCG(seed, 1))}
	must(t, l.Lent(t).SetFloor(t.Context(), l.Kit, trust.Floor{KeepLast: 1, KeepDays: 1}))
	l.machines = []*machine{
		{l.timeline, vaulttest.Folder(t), firstProject},
		{l.timeline.enrol("other"), vaulttest.Folder(t), secondProject},
	}
	return l
}

// work changes some files and backs up.
func (l *life) work(m *machine) {
	for range 1 + l.rand.IntN(3) {
		path := filepath.Join(m.dir, fmt.Sprint("file", l.rand.IntN(6)))
		if l.rand.IntN(4) == 0 {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				l.t.Fatal(err)
			}
			continue
		}
		b := make([]byte, l.rand.IntN(20_000))
		for i := range b {
			b[i] = byte(l.rand.Uint32())
		}
		must(l.t, os.WriteFile(path, b, 0o600))
	}
	holds := map[string]string{}
	entries, err := os.ReadDir(m.dir)
	must(l.t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(m.dir, e.Name()))
		must(l.t, err)
		holds[filepath.Join(m.dir, e.Name())] = string(b)
	}
	time.Sleep(20 * time.Millisecond) // past the grain of times within which a change could go unseen
	m.reopen()
	res, err := backup.Run(l.t.Context(), m.Vault, backup.Options{
		Project: m.project, Key: string(m.project), Label: "p", Roots: []string{m.dir}, Host: "h", Workers: 1, Uploads: 1,
	})
	must(l.t, err)
	for _, s := range l.list() {
		if s.ID() == res.Snapshot {
			l.made = append(l.made, &memory{name: s.Name.String(), by: m.dir, holds: holds})
		}
	}
}

// pick returns some of the snapshots that are as wanted.
func (l *life) pick(wanted func(*memory) bool) (out []*memory) {
	for _, m := range l.made {
		if wanted(m) && l.rand.IntN(3) == 0 {
			out = append(out, m)
		}
	}
	return out
}

func (l *life) find(v *vault.Vault, some []*memory) (out []*vault.Snapshot) {
	for s, err := range v.Snapshots(l.t.Context()) {
		must(l.t, err)
		if slices.ContainsFunc(some, func(m *memory) bool { return m.name == s.Name.String() }) {
			out = append(out, s)
		}
	}
	return out
}

// forgot notes what was forgotten.
func (l *life) forgot(snaps []*vault.Snapshot) {
	for _, m := range l.made {
		if m.goes.IsZero() && slices.ContainsFunc(snaps, func(s *vault.Snapshot) bool { return m.name == s.Name.String() }) {
			m.goes = l.time.Add(7 * day)
		}
	}
}

func (l *life) step() {
	m := l.machines[l.rand.IntN(2)]
	switch l.rand.IntN(10) {
	case 0, 1, 2, 3:
		l.work(m)
	case 4:
		m.reopen()
		plan, err := m.Vault.PlanForget(l.t.Context(), vault.KeepOptions{Policy: retention.Policy{Last: 2, Daily: 2}, OwnOnly: true})
		must(l.t, err)
		var goes []*vault.Snapshot
		for _, k := range plan {
			if !k.Stays {
				goes = append(goes, k.Snapshot)
			}
		}
		_, err = m.Vault.Forget(l.t.Context(), goes, nil)
		must(l.t, err)
		l.forgot(goes)
	case 5: // by name, of either machine; what the floor holds is refused
		some := l.find(m.Vault, l.pick(func(m *memory) bool { return m.goes.IsZero() }))
		m.reopen()
		if _, err := m.Vault.Forget(l.t.Context(), some, nil); err == nil {
			l.forgot(some)
		}
	case 6:
		some := l.pick(func(m *memory) bool { return l.time.Before(m.goes) })
		m.reopen()
		if _, err := m.Vault.Undelete(l.t.Context(), l.find(m.Vault, some), nil); err != nil {
			l.t.Fatal(err)
		}
		for _, m := range some {
			m.goes = time.Time{}
		}
	case 7, 8:
		m.reopen()
		plan, err := prune.Make(l.t.Context(), m.Vault, prune.Options{MaxDelete: 1})
		must(l.t, err)
		_, err = plan.Run(l.t.Context())
		must(l.t, err)
	case 9:
		l.time = l.time.Add(time.Duration(l.rand.IntN(9*24)) * time.Hour)
	}
	l.time = l.time.Add(time.Duration(1+l.rand.IntN(36)) * time.Hour)
}

// check restores all that is not gone, by the kit alone, and compares it.
func (l *life) check(step int) {
	v := l.Lent(l.t)
	there := map[string]*vault.Snapshot{}
	for s, err := range v.Snapshots(l.t.Context()) {
		must(l.t, err)
		there[s.Name.String()] = s
	}
	for _, m := range l.made {
		s := there[m.name]
		if s == nil {
			l.t.Fatalf("step %d: snapshot %s is not listed", step, m.name)
		}
		if s.Forgotten == m.goes.IsZero() {
			l.t.Fatalf("step %d: snapshot %s is forgotten: %t, goes %s", step, s.Short(), s.Forgotten, m.goes)
		}
		if s.Forgotten && !l.time.Before(m.goes) {
			continue
		}
		got, err := vaulttest.Read(l.t.Context(), v, s)
		if err != nil || !maps.Equal(got, m.holds) {
			l.t.Fatalf("step %d: snapshot %s: %d files, want %d: %v", step, s.Short(), len(got), len(m.holds), err)
		}
	}
}

// Whatever is forgotten, brought back and pruned, in any order: what is not
// forgotten, and what can still be brought back, restores byte for byte.
func TestForgetLives(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed)
			for _, m := range l.machines {
				l.work(m)
			}
			for i := range 60 {
				l.step()
				if i%6 == 5 {
					l.check(i)
				}
			}
			gone := 0
			for _, m := range l.made {
				if !m.goes.IsZero() && !l.time.Before(m.goes) {
					gone++
				}
			}
			t.Logf("%d snapshots, %d gone", len(l.made), gone)
			if gone == 0 || gone > len(l.made)-2 {
				t.Error("a tame life")
			}
		})
	}
}
