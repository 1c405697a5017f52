package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coffer/chunk"
)

// A Base is what a run compares a root with: first what the interrupted run
// before it noted, then, for paths after the last of those, the last finished
// manifest. It need not be whole: what is absent is read again. Not safe for
// concurrent use.
type Base struct {
	sources []*ManifestReader // those behind the first count only after its end
	final   *ManifestReader   // of sources, if it is there: the last finished manifest
	last    []byte            // path served last
	served  bool
	damaged int // of sources already closed, and files that could not be opened

	key  []byte
	rec  Record // for Find
	have bool   // rec is the next record
}

// Next reads the next record into rec, valid until the next call.
func (b *Base) Next(rec *Record) bool {
	for len(b.sources) > 0 {
		from := b.sources[0]
		for from.Next(rec) {
			if b.served && comparePaths(rec.Path, b.last) <= 0 {
				continue
			}
			b.last = append(b.last[:0], rec.Path...)
			b.served = true
			if from == b.final && from.damaged == 0 {
				rec.Nth = from.records
			}
			return true
		}
		b.dropFirst()
	}
	return false
}

// dropFirst goes on to the next source. Behind a whole manifest there is
// nothing more to say.
func (b *Base) dropFirst() {
	first := b.sources[0]
	b.damaged += first.damaged
	first.Close()
	b.sources = b.sources[1:]
	if first.finished {
		b.Close()
	}
}

// Find returns the record of path, if there is one, valid until the next call.
// Paths must be asked for in the order of a walk.
func (b *Base) Find(path string) (*Record, bool) {
	b.key = append(b.key[:0], path...)
	for {
		if !b.have && !b.Next(&b.rec) {
			return nil, false
		}
		b.have = true
		switch c := comparePaths(b.rec.Path, b.key); {
		case c == 0:
			return &b.rec, true
		case c > 0:
			return nil, false
		}
		b.have = false
	}
}

// Damaged returns how often something was passed over.
func (b *Base) Damaged() int {
	n := b.damaged
	for _, r := range b.sources {
		n += r.damaged
	}
	return n
}

// Close closes the files. Next finds nothing from then on.
func (b *Base) Close() error {
	var err error
	for _, r := range b.sources {
		b.damaged += r.damaged
		err = errors.Join(err, r.Close())
	}
	b.sources = nil
	return err
}

// manifestPaths are the files of one root.
type manifestPaths struct {
	final      string // of the last finished run
	checkpoint string // of the run at work, or interrupted
	former     string // of the interrupted run before the one at work
}

func (d *Dir) manifestPaths(project, root string) manifestPaths {
	sum := sha256.Sum256([]byte(root))
	h := hex.EncodeToString(sum[:8])
	return manifestPaths{
		final:      d.file("projects", project, "manifest-"+h),
		checkpoint: d.file("projects", project, "checkpoint-"+h),
		former:     d.file("projects", project, "checkpoint-"+h+".old"),
	}
}

// projectFolder makes the folder of a project.
func (d *Dir) projectFolder(project string) error {
	if !isHex(project, 8) {
		return fmt.Errorf("project ID %.40q: want 16 hex digits", project)
	}
	return d.makeFolders("projects", project)
}

// BeginManifest begins the notes of a run on one root of a project, and opens
// what the runs before it noted. Root is its path as given, and names it. Hold
// the run lock; close both.
func (d *Dir) BeginManifest(project, root string) (*Base, *ManifestWriter, error) {
	if err := d.projectFolder(project); err != nil {
		return nil, nil, err
	}
	paths := d.manifestPaths(project, root)
	b := &Base{}
	seed, err := b.open(paths, root)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("begin local manifest: %w", err), b.Close())
	}
	w, err := newManifestWriter(paths, root, seed)
	if err == nil {
		err = w.follow(b)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("begin local manifest: %w", err), b.Close())
	}
	return b, w, nil
}

// open opens the sources and makes room for the next checkpoint. It returns
// the series table that all of them fit.
func (b *Base) open(paths manifestPaths, root string) (seed []chunk.Series, err error) {
	seed, err = b.openCheckpoint(paths, root)
	if err != nil {
		return nil, err
	}
	final := b.try(paths.final, root)
	if final == nil {
		return seed, nil
	}
	b.sources, b.final = append(b.sources, final), final
	table, ok := final.lastTable()
	if !ok {
		_, table, _ = final.survey()
	}
	if len(seed) == 0 {
		seed = table
	}
	return seed, nil
}

// openCheckpoint keeps, of the two that runs killed one after another may have
// left, the one that reached further.
func (b *Base) openCheckpoint(paths manifestPaths, root string) (seed []chunk.Series, err error) {
	newer, older := b.try(paths.checkpoint, root), b.try(paths.former, root)
	newerEnd, newerTable, newerAny := newer.reach()
	olderEnd, olderTable, olderAny := older.reach()
	switch {
	case newerAny && (!olderAny || comparePaths(newerEnd, olderEnd) >= 0):
		b.sources, seed = []*ManifestReader{newer}, newerTable
		older.discard()
		return seed, os.Rename(paths.checkpoint, paths.former)
	case olderAny:
		b.sources, seed = []*ManifestReader{older}, olderTable
		newer.discard()
		return seed, removeIfThere(paths.checkpoint)
	}
	newer.discard()
	older.discard()
	return nil, errors.Join(removeIfThere(paths.checkpoint), removeIfThere(paths.former))
}

// try opens a file if it can be used. It may not be there, or damaged, or of a
// root whose path has the same hash.
func (b *Base) try(path, root string) *ManifestReader {
	r, err := openManifest(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		b.damaged++
		return nil
	case r.root != root:
		r.Close()
		return nil
	}
	return r
}

// reach is survey for a file that may not be there.
func (r *ManifestReader) reach() (last []byte, table []chunk.Series, any bool) {
	if r == nil {
		return nil, nil, false
	}
	return r.survey()
}

func (r *ManifestReader) discard() {
	if r != nil {
		r.Close()
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// OpenManifest opens the last finished manifest of a root, for reading all of
// it: [fs.ErrNotExist] if there is none.
func (d *Dir) OpenManifest(project, root string) (*ManifestReader, error) {
	r, err := openManifest(d.manifestPaths(project, root).final)
	if err != nil {
		return nil, fmt.Errorf("open local manifest: %w", err)
	}
	return r, nil
}

// Roots returns the paths of the roots that a project has local manifests or
// checkpoints of, sorted.
func (d *Dir) Roots(project string) ([]string, error) {
	var roots []string
	err := d.eachManifest(project, func(path string) error {
		if r, err := openManifest(path); err == nil {
			roots = append(roots, r.root)
			r.Close()
		}
		return nil
	})
	slices.Sort(roots)
	return slices.Compact(roots), err
}

// KeepRoots removes the local manifests of all other roots of a project: names
// of files are kept for the last run only.
func (d *Dir) KeepRoots(project string, roots []string) error {
	return d.eachManifest(project, func(path string) error {
		r, err := openManifest(path)
		if err == nil {
			defer r.Close()
			if slices.Contains(roots, r.root) {
				return nil
			}
		}
		return os.Remove(path)
	})
}

func (d *Dir) eachManifest(project string, fn func(path string) error) error {
	folder := d.file("projects", project)
	list, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), "manifest-") && !strings.HasPrefix(e.Name(), "checkpoint-") {
			continue
		}
		if err := fn(filepath.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	return err
}
