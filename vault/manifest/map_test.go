package manifest_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coffer/chunk"
	"coffer/vault/manifest"
)

func mapRefs(n int) []chunk.Ref {
	var refs []chunk.Ref
	for i := range n {
		r := chunk.Ref{Series: chunk.Series{byte(i % 3), 1}, Number: uint32(i), Offset: int64(i) * 7, Len: 5}
		r.ID[0], r.ID[1] = byte(i>>8), byte(i)
		refs = append(refs, r)
	}
	return refs
}

func TestMapRoundTrip(t *testing.T) {
	b, err := manifest.EncodeMap(mapRefs(3000))
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifest.ParseMap(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(mapRefs(3000), got); d != "" {
		t.Error(d)
	}
	if _, err := manifest.EncodeMap(append(mapRefs(3), mapRefs(1)...)); err == nil {
		t.Error("a chunk that is there twice was encoded")
	}
}

func FuzzParseMap(f *testing.F) {
	b, err := manifest.EncodeMap(mapRefs(5))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		refs, err := manifest.ParseMap(b)
		if err != nil {
			return
		}
		again, err := manifest.EncodeMap(refs)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %q, wrote %q (%v)", b, again, err)
		}
	})
}
