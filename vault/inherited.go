package vault

import (
	"context"
	"fmt"
	"math/rand/v2"

	"coffer/chunk"
	"coffer/vault/manifest"
)

// Who takes the place of another device relies on its packs, whose chunks are
// known from manifests alone. Every segment was opened on the way; of the packs
// of file content a few are, by chance, while the kit is at hand: what is wrong
// with all of them, or with many, shows. One that is bad counts as unknown, so
// that what it held is stored again. The rest is for verify.

// samplePacks is how many are opened: at most 48 MiB are fetched for it.
const samplePacks = 3

// A sampler picks packs of file content, each with equal chance, and gathers
// which chunks manifests say are in them. nil picks none.
type sampler struct {
	seen   map[packKey]bool
	picked []pickedPack
}

type pickedPack struct {
	key  packKey
	src  *Source
	refs []chunk.Ref
}

func newSampler() *sampler { return &sampler{seen: map[packKey]bool{}} }

// see takes in one ref of a snapshot.
func (s *sampler) see(src *Source, use manifest.Use) {
	if s == nil || use.Kind != chunk.Data {
		return
	}
	k := packKey{use.Ref.Series, use.Ref.Number}
	if s.seen[k] {
		for i := range s.picked {
			if p := &s.picked[i]; p.key == k && p.src == src {
				p.refs = append(p.refs, use.Ref)
			}
		}
		return
	}
	s.seen[k] = true
	fresh := pickedPack{k, src, []chunk.Ref{use.Ref}}
	if len(s.picked) < samplePacks {
		s.picked = append(s.picked, fresh)
	} else if i := rand.IntN(len(s.seen)); i < samplePacks {
		s.picked[i] = fresh
	}
}

// openSample opens the packs that were picked and hashes those chunks.
func (v *Vault) openSample(ctx context.Context, s *sampler) error {
	now, err := v.store.Now(ctx)
	if err != nil {
		return fmt.Errorf("ask %s for its time: %w", v.store.Location(), err)
	}
	var reads []PackRead
	for _, p := range s.picked {
		w := &wanted{kind: chunk.Data, refs: p.refs, done: make([]bool, len(p.refs)), fn: func(int, []byte) error { return nil }}
		pack, err := p.src.PackName(ctx, p.key.series, p.key.number)
		if err == nil {
			err = p.src.readFrom(ctx, pack, w)
		}
		if isDamage(err) {
			if err = p.src.reading().follow(ctx, pack, true, w, err, 0); err == nil {
				continue // what snapshots need of it was moved on: it need not be there
			}
		}
		switch {
		case err != nil && !isDamage(err):
			return err
		case err != nil:
			v.notice(pack.Name(), err, "the files of snapshots that have a part in this pack; the next backup stores again what is still on the disk, and  coffer verify --read-data  looks at all packs")
		}
		if pack.Size > 0 {
			reads = append(reads, PackRead{Pack: pack, At: now, Err: err})
		}
	}
	return v.NoteReads(reads)
}
