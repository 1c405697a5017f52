package vaulttest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
)

// The fuzz targets of the decoders begin with real objects: those of a golden
// vault, opened, under testdata/fuzz beside each target, where go test looks
// for them.
//
//	go test ./vault/vaulttest -run TestSeeds -seeds
//
// writes them again.
var writeSeeds = flag.Bool("seeds", false, "write what the fuzz targets begin with")

// seedsFrom is the golden vault that they are taken from. How it is sealed
// makes no difference to what is inside.
const seedsFrom = "classic"

// Every seed is there, and is what is in the golden vault today.
func TestSeeds(t *testing.T) {
	s := &seeds{t: t, stock: openGolden(t, filepath.Join(goldenFolder, seedsFrom))}
	s.ids = seal.NewIdentities(s.kit.Identity)
	s.clear()
	s.sealed()
	s.packs()
	kitText, err := os.ReadFile(s.path)
	must(t, err)
	s.add("vault/kit", "FuzzParse", fmt.Sprintf("string(%q)", kitText))
	for _, target := range []string{
		"vault/trust FuzzParse", "vault/commit FuzzParseObject", "vault/commit FuzzOpenCondemned", "vault/ledger FuzzParse", "vault/manifest FuzzBody",
		"vault/manifest FuzzParseMap", "vault/manifest FuzzSegment", "vault/manifest FuzzList", "chunk/pack FuzzDirectory", "chunk/pack FuzzReader", "vault/kit FuzzParse",
	} {
		if s.count[target] == 0 {
			t.Errorf("no seed for %s", target)
		}
	}
}

type seeds struct {
	*stock
	t     *testing.T
	ids   seal.Identities
	count map[string]int
}

// clear removes what was written before.
func (s *seeds) clear() {
	s.count = map[string]int{}
	if !*writeSeeds {
		return
	}
	old, err := filepath.Glob("../../*/*/testdata/fuzz/*/golden-*")
	must(s.t, err)
	for _, path := range old {
		must(s.t, os.Remove(path))
	}
}

// add writes a seed, or compares it with the one that is there.
func (s *seeds) add(room, target string, values ...string) {
	s.t.Helper()
	text := "go test fuzz v1\n" + strings.Join(values, "\n") + "\n"
	if len(text) > 100<<10 {
		return
	}
	s.count[room+" "+target]++
	path := filepath.Join("../..", room, "testdata/fuzz", target, fmt.Sprintf("golden-%x", sha256.Sum256([]byte(text)))[:20])
	if *writeSeeds {
		write(s.t, path, text)
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		s.t.Errorf("the seed %s is not what is in the golden vault: %v", path, err)
	}
}

func quoted(b []byte) string { return fmt.Sprintf("[]byte(%q)", b) }

// open decrypts an object.
func (s *seeds) open(path string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(path)
	must(s.t, err)
	r, err := seal.OpenLimit(b, s.ids, 64<<10)
	must(s.t, err)
	plain, err := io.ReadAll(r)
	must(s.t, err)
	return plain
}

// sealed takes what is no pack.
func (s *seeds) sealed() {
	for _, path := range s.objects("trust/*") {
		plain := s.open(path)
		s.add("vault/trust", "FuzzParse", quoted(plain[:bytes.IndexByte(plain, '\n')+1]))
	}
	for _, path := range s.objects("commits/*/*/*") {
		b, err := os.ReadFile(path)
		must(s.t, err)
		s.add("vault/commit", "FuzzParseObject", quoted(b))
		s.add("vault/commit", "FuzzParse", quoted(b[:bytes.IndexByte(b, '\n')+1]))
	}
	for _, path := range s.objects("condemned/*/*") {
		b, err := os.ReadFile(path)
		must(s.t, err)
		lines, _, ok := bytes.Cut(b, []byte("-----BEGIN"))
		if !ok {
			s.t.Fatal("a condemned list without a signature")
		}
		s.add("vault/commit", "FuzzOpenCondemned", quoted(lines))
	}
	for _, path := range s.objects("ledgers/*/*") {
		b, err := os.ReadFile(path)
		must(s.t, err)
		s.add("vault/ledger", "FuzzParse", quoted(b))
	}
	s.blobs("snapshots/*/*", "FuzzBody")
	s.blobs("moves/*/*", "FuzzParseMap")
}

func (s *seeds) blobs(pattern, target string) {
	for _, path := range s.objects(pattern) {
		b, err := os.ReadFile(path)
		must(s.t, err)
		plain, err := pack.OpenBlob(b, s.ids, 1<<20)
		must(s.t, err)
		s.add("vault/manifest", target, quoted(plain))
		s.add("chunk/pack", "FuzzBlob", quoted(s.open(path)))
	}
}

// packs takes directories, whole packs, and the segments that are in them.
func (s *seeds) packs() {
	for _, path := range s.objects("packs/*/*/*") {
		plain := s.open(path)
		n := binary.LittleEndian.Uint64(plain[len(plain)-16:])
		s.add("chunk/pack", "FuzzDirectory", quoted(plain[len(plain)-16-int(n):len(plain)-16]))
		s.add("chunk/pack", "FuzzReader", quoted(plain), quoted(nil))
		b, err := os.ReadFile(path)
		must(s.t, err)
		r, err := pack.Open(b, s.ids)
		must(s.t, err)
		s.segments(r)
	}
}

func (s *seeds) segments(r *pack.Reader) {
	var at []pack.Extent
	for e := range r.Entries() {
		if e.Kind == chunk.Segment {
			at = append(at, pack.Extent{Offset: e.Offset, Len: e.Len})
		}
	}
	must(s.t, r.Read(at, func(_ int, data []byte) error {
		_, second, _ := bytes.Cut(data, []byte("\n"))
		switch {
		case bytes.HasPrefix(second, []byte("[")):
			s.add("vault/manifest", "FuzzList", quoted(data))
		case bytes.Contains(second, []byte(`"type":`)):
			s.add("vault/manifest", "FuzzSegment", quoted(data), "byte('\\x00')")
		default:
			s.add("vault/manifest", "FuzzSegment", quoted(data), "byte('\\x01')")
		}
		return nil
	}))
}
