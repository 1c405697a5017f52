package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// A pack that is found bad or missing counts as unknown, so a run stores anew
// what it held and is still on the disk. That makes the new snapshot whole. So
// that older ones are whole again too, the run ends with a move, which says
// where those chunks are now. Which chunks the pack held only its index knows:
// a device cannot read what it stored. The state keeps them, as wounds, from
// when the harm was found until a move was committed, whatever happens between.

// Healed tells what Heal did.
type Healed struct {
	Packs  int // bad or missing packs of which chunks were found elsewhere now
	Chunks int // those chunks
	Left   int // chunks of bad packs that are not stored anywhere else, as far as this device knows
}

// Examine notes the chunks of packs that were found bad or missing, while the
// index still knows them, and stores the segments of this device's newest
// manifests again that were among them. It comes before the walk.
func (r *Run) Examine(ctx context.Context) error {
	old, err := r.v.dir.Wounds()
	if err != nil {
		return err
	}
	known := map[state.Wound]bool{}
	for _, w := range old {
		known[w] = true
		if r.known.usable[w.Series] == nil || r.isSick(w.Series, w.Number) {
			continue
		}
		if err := r.v.dir.RemoveWound(w); err != nil { // it is back
			return err
		}
	}
	var fresh []state.Wound
	held := map[state.Wound]int{}
	for series, table := range r.known.usable {
		for number, info := range table.All() {
			w := state.Wound{Series: series, Number: number, Sum: info.Sum}
			if info.Flags&sick != 0 && info.Flags&state.PackReplaced == 0 && !known[w] {
				fresh = append(fresh, w)
				held[w] = info.Chunks
			}
		}
	}
	if len(fresh) > 0 {
		if err := r.v.dir.WriteSmall(remakeFile, remaking{r.now()}); err != nil {
			return err
		}
		if err := r.v.dir.AddWounds(r.index, fresh, func(w state.Wound) int { return held[w] }); err != nil {
			return err
		}
	} else if _, err := state.ReadSmall[remaking](r.v.dir, remakeFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return r.remake(ctx)
}

// remaking is kept in the state from when harm was found until a run that
// stored the segments again has ended: one that was cut off before has noted
// the wounds, and may have stored nothing yet.
type remaking struct {
	Since time.Time `json:"since"`
}

const remakeFile = "remake.json"

// remade forgets it.
func (r *Run) remade() error {
	err := os.Remove(filepath.Join(r.v.dir.Path(), remakeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sick are the flags of a pack whose chunks must be found elsewhere.
const sick = state.PackBad | state.PackMissing

func (r *Run) isSick(series chunk.Series, number uint32) bool {
	table := r.known.usable[series]
	if table == nil {
		return false
	}
	info, ok := table.Get(number)
	return ok && info.Flags&sick != 0
}

// remake builds the manifests of the newest snapshots once more from the local
// ones, and stores the segments that a bad pack held. A walk would not make
// the same: where a pack of data is bad too, its lines have new refs.
func (r *Run) remake(ctx context.Context) error {
	projects, err := r.v.dir.Projects()
	if err != nil {
		return err
	}
	lane := r.Lane(chunk.Segment)
	for _, p := range projects {
		roots, err := r.v.dir.Roots(p.ID)
		if err != nil {
			return err
		}
		for _, root := range roots {
			if err := r.remakeRoot(ctx, lane, p.ID, root); err != nil {
				r.warn(fmt.Errorf("store the manifest of %s again: %w", root, err))
			}
		}
	}
	return lane.Flush()
}

func (r *Run) remakeRoot(ctx context.Context, lane *Lane, project, root string) error {
	m, err := r.v.dir.OpenManifest(project, root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.Close()
	b := manifest.NewBuilder(r.v.segKey, r.putAgain(lane))
	var rec state.Record
	for m.Next(&rec) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.AddLine(rec.Path, rec.Line, rec.Series); err != nil {
			return err
		}
	}
	_, err = b.Finish()
	return err
}

// putAgain stores a segment again if it was in a bad pack. It returns the ref
// by which the tree was built: the node above names that one.
func (r *Run) putAgain(lane *Lane) manifest.Put {
	h := r.v.Hasher(chunk.Segment)
	return func(data []byte) (chunk.Ref, error) {
		id := h.ID(data)
		if was, ok := r.index.Lookup(id, r.isSick); ok && r.isSick(was.Series, was.Number) {
			_, _, err := lane.Put(data)
			return was, err
		}
		if ref, ok := r.index.Lookup(id, nil); ok {
			return ref, nil
		}
		return chunk.Ref{ID: id, Len: int64(len(data))}, nil
	}
}

// maxMoved bounds the chunks of one move: some 10 MB as a map.
const maxMoved = 1 << 17

// Heal commits where those chunks of bad packs are now that are stored
// elsewhere. It comes after Commit; a failure costs nothing but that the next
// run does it.
func (r *Run) Heal(ctx context.Context) (Healed, error) {
	var done Healed
	wounds, err := r.v.dir.Wounds()
	if err != nil {
		return done, err
	}
	if len(wounds) == 0 {
		return done, r.remade()
	}
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	h := healer{r: r, done: &done}
	h.begin()
	for _, w := range wounds {
		if err := h.wound(ctx, w); err != nil {
			return done, fmt.Errorf("heal older snapshots: %w", err)
		}
	}
	if err := h.commit(ctx); err != nil {
		return done, fmt.Errorf("heal older snapshots: %w", err)
	}
	return done, r.remade()
}

// A healer gathers one move after another.
type healer struct {
	r    *Run
	done *Healed

	old   []string // full names of the packs it replaces
	where map[chunk.ID]chunk.Ref
	used  *ledger.Set
	rest  map[state.Wound]state.WoundNote // what is left of them after this move
}

func (h *healer) begin() {
	h.old, h.where, h.used, h.rest = nil, map[chunk.ID]chunk.Ref{}, new(ledger.Set), map[state.Wound]state.WoundNote{}
}

// wound takes up what was stored again of one pack. A file that is damaged
// goes: the index may know more at the next run.
func (h *healer) wound(ctx context.Context, w state.Wound) error {
	note, err := h.r.v.dir.Wound(w)
	if errors.Is(err, state.ErrDamaged) {
		return h.r.v.dir.RemoveWound(w)
	}
	if err != nil {
		return err
	}
	var left []chunk.Ref
	found := 0
	for _, ref := range note.Refs {
		now, ok := h.r.index.Lookup(ref.ID, h.r.known.has)
		if !ok || !h.r.known.has(now.Series, now.Number) {
			left = append(left, ref)
			continue
		}
		found++
		if len(h.where) == maxMoved {
			if err := h.commit(ctx); err != nil {
				return err
			}
		}
		h.where[ref.ID] = now
		h.used.Add(now.Series, now.Number)
		h.names(w)
	}
	h.done.Left += len(left) + int(note.Gone)
	if found > 0 {
		h.done.Packs++
		h.done.Chunks += found
		note.Refs = left
		h.rest[w] = note
	}
	if len(h.old) == commit.MaxList {
		return h.commit(ctx)
	}
	return nil
}

// names makes the move in the making one of this pack too.
func (h *healer) names(w state.Wound) {
	name := ledger.Pack{Series: w.Series, Number: w.Number, Sum: w.Sum}.Name()
	if len(h.old) == 0 || h.old[len(h.old)-1] != name {
		h.old = append(h.old, name)
	}
}

// commit writes ledger and map of the move, commits it, and notes what is left.
func (h *healer) commit(ctx context.Context) error {
	if len(h.where) > 0 {
		if err := h.r.commitMove(ctx, h.old, h.where, h.used, false); err != nil {
			return err
		}
	}
	for w, left := range h.rest {
		if err := h.r.v.dir.SetWound(w, left); err != nil {
			return err
		}
	}
	h.begin()
	return nil
}

// commitMove says of the packs old, sorted by name, where their chunks are. With
// repack it lets them go, which needs the role maintain.
func (r *Run) commitMove(ctx context.Context, old []string, where map[chunk.ID]chunk.Ref, used *ledger.Set, repack bool) error {
	refs := make([]chunk.Ref, 0, len(where))
	for _, ref := range where {
		refs = append(refs, ref)
	}
	plain, err := manifest.EncodeMap(refs)
	if err != nil {
		return err
	}
	obj, sum, err := pack.SealBlob(plain, r.recipients)
	if err != nil {
		return fmt.Errorf("seal map: %w", err)
	}
	d := draft{kind: commit.Move, body: r.labelled(commit.Moves, sum), old: old, repack: repack, used: used}
	if d.ledger, err = r.writeLedger(ctx, &d, used); err != nil {
		return err
	}
	if err := r.put(ctx, remote.Object{Name: d.body, Data: obj, Sum: sum}); err != nil {
		return err
	}
	d.objects = append(d.objects, d.body, d.ledger)
	_, err = r.publish(ctx, d)
	return err
}
