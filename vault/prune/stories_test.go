package prune_test

import (
	"strings"
	"testing"
)

// The real writers and prunes, driven through the store: two devices that back
// up, forget and bring back, and two prunes, over requests that fail or whose
// answers are lost, listings that lag or are cut short, and machines that sleep
// and crash. Whatever happens, no snapshot that counts loses what it needs.
//
// COFFER_STORIES is how many stories are played: make test sets ten thousand,
// which takes some minutes. COFFER_STORY is the seed of one to be told.
func TestStories(t *testing.T) {
	s := newStage(t)
	if seed := env(t, "COFFER_STORY", 0); seed > 0 {
		t.Log(s.play(t, t.TempDir(), seed, flaws{}).text())
		return
	}
	var saw sights
	n := env(t, "COFFER_STORIES", 1000)
	s.stories(t, 1, n+1, flaws{}, func(seed uint64, w *world) bool {
		saw.add(w.judge.saw)
		if len(w.judge.wrong) > 0 {
			t.Errorf("COFFER_STORY=%d:\n%s", seed, w.text())
		}
		return len(w.judge.wrong) > 0
	})
	t.Logf("tried: %d stories of backups beside prunes: %+v", n, saw)
	if few := int(n / 100); min(saw.snapshots, saw.forgets, saw.withdrawals, saw.late, saw.deleted, saw.condemned, saw.restarts, saw.crashes) < few {
		t.Error("hardly anything happened in them")
	}
}

// The stories have teeth: with a rule broken they come to lose a snapshot.
func TestStoriesWithFlaws(t *testing.T) {
	s := newStage(t)
	for name, f := range map[string]flaws{
		"commits do not expire":          {noExpiry: true},
		"writers see no condemned lists": {noLists: true},
		"prunes are hasty":               {hasty: true},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			const most = 5000
			s.stories(t, 1, most, f, func(seed uint64, w *world) bool {
				if len(w.judge.wrong) > 0 && !found {
					found = true
					t.Logf("seed %d:\n%s", seed, w.text())
				}
				return found
			})
			if !found {
				t.Errorf("nothing was lost in %d stories", most)
			}
		})
	}
}

// text is what happened, and what was wrong with it.
func (w *world) text() string {
	return strings.Join(w.story, "\n") + "\n\n" + strings.Join(w.judge.wrong, "\n")
}
