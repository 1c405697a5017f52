package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault/manifest"
	"coffer/vault/state"
)

// DedupMemory is for how many days the local index remembers a chunk that no
// manifest of this device names any more. Whoever takes the machine can test a
// guess of a file against the index; this bounds how far back.
const DedupMemory = 30

// Tidy lets the local index forget what no manifest has named for days, once a
// day. It comes after the local manifests of the run were kept. Nothing on the
// remote changes, and a failure costs nothing but space.
func (r *Run) Tidy(ctx context.Context, days int) error {
	if err := errors.Join(r.saveNamed(), r.letGo(days)); err != nil {
		return err
	}
	today := state.DayOf(r.now())
	if r.index.Stats().Passed == today {
		return r.index.Settle(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	_, err := r.index.Compact(ctx, state.CompactOptions{
		Today: today, Keep: days, Known: r.known.has, Named: r.v.namedIDs(cancel),
	})
	if err != nil {
		return fmt.Errorf("tidy the local index: %w", errors.Join(err, context.Cause(ctx)))
	}
	return nil
}

// noteNamed remembers a segment that this run's manifest names.
func (r *Run) noteNamed(id chunk.ID) {
	r.mu.Lock()
	r.named = append(r.named, state.Prefix(id))
	r.mu.Unlock()
}

func (v *Vault) namedPath(project string) string {
	return filepath.Join(v.dir.Path(), "projects", project, "segments")
}

// saveNamed keeps the beginnings of the IDs of the project's segments, which an
// unchanged tree leaves as they are.
func (r *Run) saveNamed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b []byte
	for _, p := range r.named {
		b = binary.BigEndian.AppendUint64(b, p)
	}
	path := r.v.namedPath(string(r.o.Project))
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil
	}
	return files.WriteAtomic(path, b, 0o600)
}

// namedIDs yields the beginning of each ID that the present manifests name. On
// an error it calls fail, which must end what it is for: a list that is not
// whole must not decide what is forgotten.
func (v *Vault) namedIDs(fail func(error)) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		projects, err := v.dir.Projects()
		for _, p := range projects {
			if err == nil {
				err = v.namedBy(p.ID, yield)
			}
		}
		if err != nil && !errors.Is(err, errStop) {
			fail(err)
		}
	}
}

// errStop ends an iteration that its consumer has ended.
var errStop = errors.New("stopped")

// namedBy yields what the manifests of one project name.
func (v *Vault) namedBy(project string, yield func(uint64) bool) error {
	b, err := os.ReadFile(v.namedPath(project))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for ; len(b) >= 8; b = b[8:] {
		if !yield(binary.BigEndian.Uint64(b)) {
			return errStop
		}
	}
	roots, err := v.dir.Roots(project)
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := v.namedIn(project, root, yield); err != nil {
			return err
		}
	}
	return nil
}

// namedIn yields the IDs in the local manifest of one root.
func (v *Vault) namedIn(project, root string, yield func(uint64) bool) error {
	m, err := v.dir.OpenManifest(project, root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.Close()
	var rec state.Record
	var e manifest.Entry
	for m.Next(&rec) {
		if err := manifest.ParseEntry(rec.Line, rec.Series, &e); err != nil {
			return fmt.Errorf("local manifest of %s: %w", root, err)
		}
		for _, ref := range e.Refs {
			if !yield(state.Prefix(ref.ID)) {
				return errStop
			}
		}
		for _, x := range e.BigXattrs {
			if !yield(state.Prefix(x.Ref.ID)) {
				return errStop
			}
		}
		for b := rec.Deep; len(b) >= 8; b = b[8:] {
			if !yield(binary.BigEndian.Uint64(b)) {
				return errStop
			}
		}
	}
	return nil
}
