package modeltest

import (
	"os"
	"slices"
	"testing"
	"time"

	"coffer/remote"
	"coffer/vault"
)

// The ages are as small as the inequalities between them allow.
var (
	// lagging is a store that refuses late commits and whose listings lag.
	lagging = Rules{E: 1, F: 1, G: 4, C: 1, D: 0, Final: 2}
	// prompt is one whose listings are complete.
	prompt = Rules{E: 0, F: 1, G: 2, C: 1, D: 0, Final: 1}
	// folder is one that cannot refuse, and is swept.
	folder = Rules{E: 0, F: 1, G: 2, C: 1, D: 0, Final: 1, Folder: true}
)

// within bounds how many runs, prunes and forgets begin.
func (r Rules) within(runs, prunes, forgets int) Rules {
	r.Runs, r.Prunes, r.Forgets = runs, prunes, forgets
	return r
}

// bound is far more states than any scope has: some 2 GiB.
const bound = 50_000_000

// scopes are the worlds that are walked through. Every snapshot lives: with
// COFFER_MODEL=deep in worlds ten times as large too, which takes some minutes
// and 2 GiB.
func scopes() map[string]Rules {
	s := map[string]Rules{
		"lagging, no forgets": lagging.within(2, 2, 0),
		"lagging, two runs":   lagging.within(2, 1, 1),
		"lagging, two prunes": lagging.within(1, 2, 1),
		"prompt":              prompt.within(2, 2, 1),
		"folder, two runs":    folder.within(2, 1, 1),
		"folder, two prunes":  folder.within(1, 2, 1),
	}
	if os.Getenv("COFFER_MODEL") == "deep" {
		s["lagging"] = lagging.within(2, 2, 1)
		s["folder"] = folder.within(2, 2, 1)
		s["prompt, three runs"] = prompt.within(3, 2, 1)
		s["prompt, two forgets"] = prompt.within(2, 2, 2)
	}
	return s
}

// No reachable state has a visible snapshot whose pack is gone. And the world
// is no empty one: everything that can happen in it does.
func TestNoSnapshotIsEverLost(t *testing.T) {
	total := 0
	t.Run("scopes", func(t *testing.T) {
		results := make(chan int, len(scopes()))
		for name, r := range scopes() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				res, err := r.Explore(bound)
				if err != nil {
					t.Fatal(err)
				}
				if res.Trace != nil {
					t.Errorf("a snapshot is lost:\n%s", res.Text())
				}
				everythingHappens(t, r, res)
				t.Logf("%d states, the farthest %d steps away, in %s", res.States, res.Depth, time.Since(start).Round(time.Millisecond))
				results <- res.States
			})
		}
		t.Cleanup(func() {
			close(results)
			for n := range results {
				total += n
			}
		})
	})
	if total < 1_000_000 {
		t.Errorf("%d states, want at least a million", total)
	}
	t.Logf("tried: %d states of the model of deletion", total)
}

// everythingHappens fails the test if a kind of step was never possible: dead
// packs are deleted, late commits refused, slept-through ones checked again.
func everythingHappens(t *testing.T, r Rules, res Result) {
	t.Helper()
	for what, n := range res.Steps {
		never := (stepKind(what) == forget || stepKind(what) == withdraw) && r.Forgets == 0 || stepKind(what) == sweep && !r.Folder
		if never != (n == 0) {
			t.Errorf("%d times: %s", n, stepWords[what])
		}
	}
}

// Each rule is needed: with it broken a snapshot is lost, and the shortest way
// to that is printed.
func TestEachRuleIsNeeded(t *testing.T) {
	for name, m := range map[string]struct {
		of     Rules
		change func(*Rules)
	}{
		"a prune does not look again":              {lagging, func(r *Rules) { r.NoRecheck = true }},
		"a writer ignores condemned lists":         {lagging, func(r *Rules) { r.IgnoreLists = true }},
		"commits do not expire":                    {lagging, func(r *Rules) { r.NoExpiry = true }},
		"a folder is not swept":                    {folder, func(r *Rules) { r.NoExpiry = true }},
		"a prune deletes before it condemns":       {lagging, func(r *Rules) { r.DeleteFirst = true }},
		"a writer commits before it uploads":       {lagging, func(r *Rules) { r.CommitFirst = true }},
		"a truncated listing is accepted":          {lagging, func(r *Rules) { r.Truncated = true }},
		"the grace is not more than F + 2E":        {lagging, func(r *Rules) { r.G-- }},
		"the grace is not more than F":             {prompt, func(r *Rules) { r.G-- }},
		"a forget is final before D + E":           {lagging, func(r *Rules) { r.Final-- }},
		"the grace is over only after the sweep":   {folder, func(r *Rules) { r.SweepEarly = true }},
		"the grace of a folder is not more than F": {folder, func(r *Rules) { r.G -= 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := m.of.within(2, 1, 1)
			m.change(&r)
			res, err := r.Explore(bound)
			if err != nil {
				t.Fatal(err)
			}
			if res.Trace == nil {
				t.Fatalf("nothing is lost in %d states", res.States)
			}
			if slices.Contains(res.Trace, "") {
				t.Error("the way cannot be gone")
			}
			t.Logf("lost, after %d states:\n%s", res.States, res.Text())
		})
	}
}

// A state has one key, whatever its equal parts are called, and the key is all
// of it.
func TestKeys(t *testing.T) {
	r := lagging.within(2, 2, 1)
	seen := newKeys()
	seen.add(func() key { s := r.start(); return s.key() }())
	for i := 0; i < len(seen.keys) && len(seen.keys) < 20_000; i++ {
		s := seen.keys[i].state()
		if s.key() != seen.keys[i] {
			t.Fatalf("%x became %x: %+v", seen.keys[i], s.key(), s)
		}
		m := s.mirrored()
		m.prunes[0], m.prunes[1] = m.prunes[1], m.prunes[0]
		m.snaps[0], m.snaps[1] = m.snaps[1], m.snaps[0]
		if m.key() != seen.keys[i] {
			t.Fatalf("by other names %x is %x: %+v", seen.keys[i], m.key(), s)
		}
		r.next(&s, func(_ step, n *state) { seen.add(n.key()) })
	}
}

// The ages with which Coffer runs keep the inequalities that the model keeps.
func TestSafetyKeepsTheInequalities(t *testing.T) {
	const day = 24 * time.Hour
	s := vault.DefaultSafety
	for what, ok := range map[string]bool{
		"Grace > CommitLife + 2 ListLag, with room":     s.Grace >= s.CommitLife+2*s.ListLag+time.Hour,
		"GraceLate > Grace":                             s.GraceLate > s.Grace,
		"GraceBoot > CommitLife":                        s.GraceBoot > s.CommitLife,
		"AckTrust < CondemnAge, by a day":               s.AckTrust+day <= s.CondemnAge,
		"ProgressEvery < AckTrust, by days":             s.ProgressEvery+2*day <= s.AckTrust,
		"ProgressLife > CondemnAge":                     s.ProgressLife > s.CondemnAge,
		"ForgetDelay, Grace and ListLag are not 0":      min(s.ForgetDelay, s.Grace, s.ListLag) > 0,
		"a sweep removes whatever may not be published": s.CommitLife <= remote.StagedMax,
	} {
		if !ok {
			t.Errorf("%s does not hold: %+v", what, s)
		}
	}
	for _, r := range []Rules{lagging, prompt, folder} {
		if r.G != r.F+2*r.E+1 || r.E == 0 && r.Final != r.D+1 || r.E > 0 && r.Final != r.D+r.E+1 || r.C < 1 {
			t.Errorf("the model keeps others: %+v", r)
		}
	}
}
