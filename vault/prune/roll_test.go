package prune_test

import (
	"os"
	"path/filepath"
	"testing"

	"coffer/chunk"
	"coffer/vault/state"
)

// A roll is lost for good, and somebody has said that deletion need not wait
// for it. That says nothing of the packs it lists: all of its stretch stay.
func TestLostRollSparesItsPacks(t *testing.T) {
	y := newYard(t)
	y.write("stays", 100<<10, 1)
	grain()
	alone := y.back() // its ledger names the pack itself
	if _, err := y.room.Dir(t).UpdateDevice(func(d *state.Device) error {
		for i := range d.Series {
			if d.Series[i].Kind == string(chunk.Data) {
				d.Series[i].Next = 1024 // as if its first folder were full
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	y.write("more", 50<<10, 2)
	grain()
	first := y.back()
	y.write("new", 50<<10, 3)
	grain()
	y.back()
	y.forget(first.Snapshot)
	rolls := y.under("rolls/")
	if len(rolls) != 1 {
		t.Fatalf("%d rolls", len(rolls))
	}
	y.forget(alone.Snapshot)
	y.time.pass(40 * day)
	y.memory().Overwrite(rolls[0], []byte("rotten"))
	if err := os.RemoveAll(filepath.Join(y.room.StatePath(), "objects")); err != nil { // this device's copy
		t.Fatal(err)
	}
	v, err := y.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Dismiss(t.Context(), rolls, nil); err != nil {
		t.Fatal(err)
	}
	y.prune()
	y.time.pass(10 * day)
	y.prune()
	y.check()
}

// The same of a ledger: its snapshot can still be restored, by listings.
func TestLostLedgerSparesPacks(t *testing.T) {
	y := newYard(t)
	y.write("stays", 100<<10, 1)
	grain()
	s := y.back()
	ledgers := y.under("ledgers/")
	y.time.pass(40 * day)
	y.memory().Overwrite(ledgers[0], []byte("rotten"))
	if err := os.RemoveAll(filepath.Join(y.room.StatePath(), "objects")); err != nil {
		t.Fatal(err)
	}
	v, err := y.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Dismiss(t.Context(), ledgers, nil); err != nil {
		t.Fatal(err)
	}
	y.prune()
	y.time.pass(10 * day)
	y.prune()
	y.check()

	// What nobody needs any more goes.
	y.forget(s.Snapshot)
	y.time.pass(10 * day)
	y.prune()
	y.time.pass(10 * day)
	if y.prune(); len(y.under("packs/")) > 0 {
		t.Errorf("left: %q", y.under("packs/"))
	}
}
