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
		if got := e.next(full, full.Add(c.waited), 1); got != c.want {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

// Waiting for packs to be opened again is waiting for the processor.
func TestEffortCountsTheRemoteAlone(t *testing.T) {
	e := newEffort(pack.Fastest)
	full := e.since.Add(time.Second)
	if got := e.next(full, full.Add(10*time.Second), 0.05); got != pack.Fastest {
		t.Errorf("level %v where the processor is what all wait for", got)
	}
}
