package vault

import (
	"testing"

	"coffer/vault/state"
)

// A run relies on packs that every present recipient can open, and on no others.
func TestOpensToAll(t *testing.T) {
	const kit, partner, client = "age1kit", "age1partner", "age1client"
	dev := func(hash string, lines ...string) *state.Device {
		return &state.Device{RecipientsHash: hash, Recipients: lines}
	}
	series := func(hash string, lines ...string) state.SeriesState {
		return state.SeriesState{RecipientsHash: hash, Recipients: recipientTags(lines)}
	}
	for _, c := range []struct {
		name   string
		series state.SeriesState
		dev    *state.Device
		want   bool
	}{
		{"the same", series("a", kit), dev("a", kit), true},
		{"the same, not known one by one", series("a"), dev("a", kit), true},
		{"another set, not known one by one", series("a"), dev("b", kit, partner), false},
		{"one was added", series("a", kit), dev("b", kit, partner), false},
		{"one was removed", series("a", kit, partner), dev("b", kit), true},
		{"one was exchanged", series("a", kit, partner), dev("b", kit, client), false},
		{"one of three was removed", series("a", kit, partner, client), dev("b", kit, client), true},
	} {
		if got := opensToAll(c.series, c.dev); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
