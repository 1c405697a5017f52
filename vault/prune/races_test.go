package prune_test

import (
	"strings"
	"testing"
)

// The real writers and prunes, driven through the store: two devices that back
// up, forget and bring back, and two prunes, over requests that fail, are lost,
// come late or never, with listings that lag and machines that sleep. Whatever
// happens, no snapshot that counts loses what it needs.
//
// COFFER_STORIES is how many stories are played; COFFER_STORY is the seed of
// one that is told.
func TestStories(t *testing.T) {
	s := newStage(t)
	if seed := env(t, "COFFER_STORY", 0); seed > 0 {
		w := s.play(t, t.TempDir(), seed, flaws{})
		t.Logf("%s\n%s", strings.Join(w.story, "\n"), strings.Join(w.judge.wrong, "\n"))
		return
	}
	var saw sights
	n := env(t, "COFFER_STORIES", 100)
	s.stories(t, 1, n+1, flaws{}, func(seed uint64, w *world) bool {
		saw.add(w.judge.saw)
		if len(w.judge.wrong) > 0 {
			t.Errorf("COFFER_STORY=%d tells how:\n%s", seed, strings.Join(w.judge.wrong, "\n"))
		}
		return len(w.judge.wrong) > 0
	})
	t.Logf("%d stories: %+v", n, saw)
}
