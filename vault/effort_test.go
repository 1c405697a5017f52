package vault

import (
	"testing"
	"time"

	"coffer/chunk/pack"
)

func TestEffort(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		why            string
		from           pack.Level
		worked, waited time.Duration
		want           pack.Level
	}{
		{"nobody waits: the processor is the bottleneck", pack.Default, 10 * s, 0, pack.Fastest},
		{"a little waiting is noise", pack.Better, 10 * s, s, pack.Default},
		{"no lighter than the lightest", pack.Fastest, 10 * s, 0, pack.Fastest},
		{"to compress harder would take all the time there is", pack.Fastest, 10 * s, 11 * s, pack.Fastest},
		{"there is time for one level more", pack.Fastest, 10 * s, 20 * s, pack.Default},
		{"there is time for two", pack.Fastest, s, 12 * s, pack.Better},
		{"it fits as it is", pack.Better, 10 * s, 5 * s, pack.Better},
		{"nothing was measured", pack.Default, 0, 0, pack.Fastest},
		{"the work took no time that the clock shows", pack.Fastest, 0, s, pack.Better},
	} {
		e := newEffort(c.from)
		full := e.since.Add(c.worked)
		if got := e.next(full, full.Add(c.waited)); got != c.want {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

// A lane eases off once, in its first pack.
func TestEffortEases(t *testing.T) {
	e := newEffort(pack.Default)
	if l, ok := e.ease(easeAfter - 1); ok {
		t.Errorf("eased to %v while there is little", l)
	}
	if l, ok := e.ease(easeAfter); !ok || l != pack.Fastest {
		t.Errorf("level %v, %v; want the lightest", l, ok)
	}
	if _, ok := e.ease(2 * easeAfter); ok {
		t.Error("eased twice")
	}
	full := e.since.Add(time.Second)
	if l := e.next(full, full.Add(10*time.Second)); l != pack.Better {
		t.Errorf("level %v where uploads are slow", l)
	}
	if l, ok := e.ease(easeAfter); ok {
		t.Errorf("eased to %v although uploads are slow", l)
	}
}
