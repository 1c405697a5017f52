package prune_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote"
)

// A home is a store whose clock is this machine's own.
type home struct {
	remote.Store
	boot string
	on   time.Duration
}

var _ remote.HomeClock = (*home)(nil)

func (h *home) Unwrap() remote.Store { return h.Store }

func (h *home) SinceBoot() (string, time.Duration, bool) { return h.boot, h.on, true }

// Where the remote's clock is this machine's own, setting it forward does not
// make the grace pass: the clock that counts since the machine was started must
// say so too. After a new start an hour is enough, because nothing that was at
// work before is left.
func TestHomeClock(t *testing.T) {
	for _, c := range []struct {
		name string
		pass func(h *home)
		gone bool
	}{
		{"clock set", func(h *home) {}, false},
		{"waited", func(h *home) { h.on += 25 * time.Hour }, true},
		{"just started", func(h *home) { h.boot, h.on = "two", time.Minute }, false},
		{"on for long", func(h *home) { h.boot, h.on = "two", 2*time.Hour }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, _, _ := story(t)
			h := &home{y.room.Store, "one", time.Hour}
			y.room = y.room.With(h)
			y.prune()
			y.time.pass(2 * day)
			c.pass(h)
			if res := y.prune(); (res.Deleted.All().Count > 0) != c.gone {
				t.Errorf("%+v", res)
			}
			y.prune() // what it remembers of a list goes with the last object of it
			note, err := os.ReadFile(filepath.Join(y.room.StatePath(), "prune.json"))
			if err != nil || strings.Contains(string(note), "condemned/") == c.gone {
				t.Errorf("%s, %v", note, err)
			}
		})
	}
}

// A list that this machine sees for the first time waits from then on.
func TestHomeClockOfAnother(t *testing.T) {
	y, _, _ := story(t)
	h := &home{y.room.Store, "one", time.Hour}
	y.prune() // by a machine whose clock is not asked
	y.room = y.room.With(h)
	y.time.pass(2 * day)
	if res := y.prune(); res.Deleted.All().Count != 0 {
		t.Errorf("at first sight: %+v", res)
	}
	h.on += 25 * time.Hour
	if res := y.prune(); res.Deleted.All().Count == 0 {
		t.Errorf("a day later: %+v", res)
	}
}
