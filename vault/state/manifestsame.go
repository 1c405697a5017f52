package state

import (
	"errors"
	"fmt"
)

// A run that finds a tree as the run before it did would write the same
// manifest once more: a third of a gigabyte for a million entries. So the
// writer only counts, for as long as each record that it is given is the next
// one of the last manifest, and takes those over when the first one differs.
// A run that is killed before has noted nothing, and the last manifest still
// says all that it found.

// follow begins the checkpoint, or not yet if what b gives is one whole
// manifest.
func (w *ManifestWriter) follow(b *Base) error {
	if b.final != nil && b.sources[0] == b.final {
		w.old = b.final
		return nil
	}
	return w.create()
}

// whole tells, at the end, whether n records are all there are, and nothing was
// passed over.
func (r *ManifestReader) whole(n uint64) bool {
	return r.finished && r.damaged == 0 && r.records == n
}

var errOtherManifest = errors.New("the local manifest is not what it was")

// leave begins the checkpoint with what was the same until now. After an error
// the writer is of no more use.
func (w *ManifestWriter) leave() error {
	id, n := w.old.id, w.records
	w.old, w.records = nil, 0
	if err := w.create(); err != nil || n == 0 {
		return err
	}
	r, err := openManifest(w.final)
	if err != nil {
		w.err = fmt.Errorf("copy local manifest: %w", err)
		return w.err
	}
	defer r.Close()
	var rec Record
	for w.records < n {
		if r.id != id || !r.Next(&rec) || r.damaged > 0 {
			w.err = fmt.Errorf("copy local manifest: %w", errOtherManifest)
			return w.err
		}
		if err := w.add(&rec); err != nil {
			return err
		}
	}
	return nil
}
