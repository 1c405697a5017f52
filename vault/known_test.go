package vault

import (
	"slices"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/vault/ledger"
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
		{"another set, none of either known", series("a"), dev("b"), false},
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

// A pack can be relied on if a live ledger names it or it was acknowledged
// lately, and nothing speaks against it.
func TestKnown(t *testing.T) {
	dir, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := &Vault{dir: dir, safety: Safety{AckTrust: 6 * 24 * time.Hour}}
	series := chunk.Series{7}
	table, err := dir.Packs(series)
	if err != nil {
		t.Fatal(err)
	}
	k := newKnown()
	k.usable[series] = table
	defer k.close()
	name := func(n uint32, sum byte) string {
		return ledger.Pack{Series: series, Number: n, Sum: [32]byte{sum}}.Name()
	}
	at := func(ago time.Duration) int64 { return noon.Add(-ago).Unix() }
	const fresh, old = time.Hour, 30 * 24 * time.Hour
	condemned := map[string]bool{name(20, 1): true, name(21, 1): true, name(22, 2): true, "ledgers/x": true}
	live := []uint32{1, 12, 13, 14, 15, 21, 30}
	for number, c := range map[uint32]struct {
		info state.Pack
		want bool
	}{
		1:  {state.Pack{Acked: at(old)}, true}, // live
		2:  {state.Pack{Acked: at(old)}, false},
		3:  {state.Pack{Acked: at(fresh)}, true},
		4:  {state.Pack{Acked: at(6 * 24 * time.Hour)}, false},
		5:  {state.Pack{Acked: at(6*24*time.Hour - time.Second)}, true},
		6:  {state.Pack{Acked: at(-time.Hour)}, true},                   // by a clock a bit ahead
		7:  {state.Pack{Acked: at(-2 * time.Hour)}, false},              // by one that was wrong
		12: {state.Pack{Acked: at(fresh), Flags: state.PackBad}, false}, // though live
		13: {state.Pack{Acked: at(fresh), Flags: state.PackMissing}, false},
		14: {state.Pack{Acked: at(fresh), Flags: state.PackReplaced}, false},
		15: {state.Pack{Acked: at(fresh), Flags: state.PackTwice}, false},
		20: {state.Pack{Acked: at(fresh)}, false},
		21: {state.Pack{Acked: at(fresh)}, false}, // though live
		22: {state.Pack{Acked: at(fresh)}, true},  // another's of that number is condemned
	} {
		c.info.Sum, c.info.Size = [32]byte{1}, 100
		if err := table.Set(number, c.info); err != nil {
			t.Fatal(err)
		}
		var used ledger.Set
		if slices.Contains(live, number) {
			used.Add(series, number)
		}
		k.commit(&used) // what was live stays live
		k.fence.Store(v.newFence(noon, condemned))
		if got := k.has(series, number); got != c.want {
			t.Errorf("pack %d: relied on %t, want %t", number, got, c.want)
		}
	}
	k.commit(new(ledger.Set))
	if !k.has(series, 1) {
		t.Error("what an earlier commit named is not live any more")
	}
	if k.has(series, 30) || k.has(chunk.Series{8}, 1) {
		t.Error("a pack that is not known, or of another series, is relied on")
	}
	if !k.condemned("ledgers/x") || k.condemned("ledgers/y") {
		t.Error("other objects than the condemned ones are condemned")
	}

	// What a ledger names is live, once: a second pack of that number spoils both.
	pack := ledger.Pack{Series: series, Number: 40, Sum: [32]byte{1}, Size: 9}
	other := pack
	other.Sum[0] = 2
	for i, c := range []struct {
		pack ledger.Pack
		want bool
	}{{pack, true}, {pack, true}, {other, false}, {pack, false}, {ledger.Pack{Series: chunk.Series{8}}, false}} {
		if err := v.learnPack(k, c.pack); err != nil {
			t.Fatal(err)
		}
		if got := k.has(c.pack.Series, c.pack.Number); got != c.want {
			t.Errorf("learned %d: relied on %t", i, got)
		}
	}
	// What is wrong with one pack is not wrong with another of its number.
	for _, c := range []struct {
		sum  byte
		want bool
	}{{2, true}, {1, false}} {
		if err := k.mark(ledger.Pack{Series: series, Number: 3, Sum: [32]byte{c.sum}}, state.PackBad); err != nil {
			t.Fatal(err)
		}
		if k.has(series, 3) != c.want {
			t.Errorf("marked pack 3 of sum %d: relied on %t", c.sum, !c.want)
		}
	}
	if err := k.mark(ledger.Pack{Series: chunk.Series{8}}, state.PackBad); err != nil {
		t.Errorf("a pack of another series: %v", err)
	}
	if err := k.note(ledger.Pack{Series: series, Number: 50, Sum: [32]byte{1}, Size: 9}, 3, noon); err != nil || !k.has(series, 50) {
		t.Errorf("acknowledged, and not relied on: %v", err)
	}
}
