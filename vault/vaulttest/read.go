package vaulttest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"coffer/chunk"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/manifest"
)

// Read returns the content of every regular file of a snapshot by its absolute
// path, read by the kit alone.
func (r *Room) Read(t testing.TB, spec string) map[string]string {
	t.Helper()
	v := r.Lent(t)
	snap, err := v.Find(t.Context(), spec, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(t.Context(), v, snap)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Entries returns the entries of a snapshot by absolute path, read by the kit
// alone.
func (r *Room) Entries(t testing.TB, spec string) map[string]*manifest.Entry {
	t.Helper()
	v := r.Lent(t)
	snap, err := v.Find(t.Context(), spec, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := v.Source(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*manifest.Entry{}
	for _, root := range src.Body().Roots {
		for e, err := range manifest.Walk(t.Context(), root.Root, src.Segment, manifest.WalkOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.Join(root.Path, e.Path)] = e.Clone()
		}
	}
	return out
}

// Read reads all files of a snapshot, each pack once. Unlike a restore it ends
// at the first error.
func Read(ctx context.Context, v *vault.Vault, snap *vault.Snapshot) (map[string]string, error) {
	src, err := v.Source(ctx, snap)
	if err != nil {
		return nil, err
	}
	w := &wanted{src: src, files: map[string][]byte{}}
	for _, root := range src.Body().Roots {
		for e, err := range manifest.Walk(ctx, root.Root, src.Segment, manifest.WalkOptions{}) {
			if err == nil && e.Type == files.Regular {
				err = w.add(ctx, filepath.Join(root.Path, e.Path), e)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return w.fetch(ctx)
}

// wanted is what Read has yet to read.
type wanted struct {
	src    *vault.Source
	files  map[string][]byte
	pieces []piece
}

// A piece is where a chunk belongs.
type piece struct {
	ref chunk.Ref
	to  []byte
}

func (w *wanted) add(ctx context.Context, path string, e *manifest.Entry) error {
	b := make([]byte, e.Size)
	w.files[path] = b
	var data [][]byte // stretches between the holes
	for off, n := range files.DataExtents(e.Size, e.Holes) {
		data = append(data, b[off:off+n])
	}
	stored := 0
	for ref, err := range manifest.Refs(ctx, e, w.src.Segment) {
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		stored += int(ref.Len)
		if len(data) == 0 {
			return fmt.Errorf("%s: more than its %d bytes are stored", path, e.Size)
		}
		if len(e.Holes) == 0 {
			w.pieces = append(w.pieces, piece{ref, data[0][:ref.Len]})
			data[0] = data[0][ref.Len:]
			continue
		}
		w.pieces = append(w.pieces, piece{ref, nil})
	}
	if len(e.Holes) > 0 {
		return w.sparse(ctx, path, data)
	}
	if int64(stored) != e.Size && e.Err == "" {
		return fmt.Errorf("%s: %d bytes are stored of %d", path, stored, e.Size)
	}
	return nil
}

// sparse reads a file with holes at once: its chunks do not end where its
// stretches of data do.
func (w *wanted) sparse(ctx context.Context, path string, data [][]byte) error {
	i := slices.IndexFunc(w.pieces, func(p piece) bool { return p.to == nil })
	var all bytes.Buffer
	if i >= 0 {
		for _, p := range w.pieces[i:] {
			err := w.src.Read(ctx, chunk.Data, []chunk.Ref{p.ref}, func(_ int, b []byte) error { all.Write(b); return nil })
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		w.pieces = w.pieces[:i]
	}
	for _, d := range data {
		if n := copy(d, all.Next(len(d))); n < len(d) {
			return fmt.Errorf("%s: less is stored than lies between its holes", path)
		}
	}
	if all.Len() > 0 {
		return fmt.Errorf("%s: more is stored than lies between its holes", path)
	}
	return nil
}

func (w *wanted) fetch(ctx context.Context) (map[string]string, error) {
	slices.SortStableFunc(w.pieces, func(a, b piece) int {
		return cmp.Or(bytes.Compare(a.ref.Series[:], b.ref.Series[:]), cmp.Compare(a.ref.Number, b.ref.Number))
	})
	for len(w.pieces) > 0 {
		first := w.pieces[0].ref
		n := 0
		var refs []chunk.Ref
		for n < len(w.pieces) && w.pieces[n].ref.Series == first.Series && w.pieces[n].ref.Number == first.Number {
			refs = append(refs, w.pieces[n].ref)
			n++
		}
		err := w.src.Read(ctx, chunk.Data, refs, func(i int, b []byte) error {
			copy(w.pieces[i].to, b)
			return nil
		})
		if err != nil {
			return nil, err
		}
		w.pieces = w.pieces[n:]
	}
	out := make(map[string]string, len(w.files))
	for path, b := range w.files {
		out[path] = string(b)
	}
	return out, nil
}
