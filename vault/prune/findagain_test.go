package prune_test

import (
	"testing"

	"coffer/vault/prune"
)

// A backup comes between the plan and its run, and needs again what the plan took
// for dead in a pack that is to be repacked. The run looks again before it
// deletes, and once more before it repacks: what it has learnt from the first look
// does not make the choice of the plan right. In the end all that lives restores,
// though the pack would long have gone.
func TestNeededAgainBeforeARepack(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		y, _, _ := story(t)
		if deletes { // else nothing is due, and it looks but once
			y.prune()
			y.time.pass(2 * day)
		}
		v, err := y.lent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, err := prune.Make(t.Context(), v, prune.Options{MaxDelete: 1, Repack: true})
		if err != nil || p.Partly.Chosen != 1 || len(p.Delete) > 0 != deletes {
			t.Fatalf("deletes %v: %+v, %v", deletes, p, err)
		}
		packs := y.under("packs/")
		y.write("goes", 200<<10, 2)
		grain()
		y.back()
		if more := without(y.under("packs/"), packs); len(more) != 1 {
			t.Fatalf("the backup stored %q: it did not rely on the pack", more)
		}
		res, err := p.Run(t.Context())
		if err != nil || res.Repacked.Packs != 0 || p.Partly.Chosen != 0 {
			t.Errorf("deletes %v: %+v, %+v, %v", deletes, p.Partly, res.Repacked, err)
		}
		for range 2 {
			y.time.pass(9 * day)
			y.prune()
		}
		y.check()
		y.deep()
	}
}
