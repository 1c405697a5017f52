package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"coffer/chunk"
)

// MaxMapRefs bounds the map of a move: the chunks of some packs.
const MaxMapRefs = 1 << 20

// EncodeMap encodes the map of a move: where chunks are now. It has the form
// of a list chunk, a series table and one REF a line, sorted by ID, and it is
// as long as it must be. refs is sorted in place; an ID that is there twice is
// an error.
func EncodeMap(refs []chunk.Ref) ([]byte, error) {
	if len(refs) == 0 || len(refs) > MaxMapRefs {
		return nil, fmt.Errorf("%w: a map of %d chunks, want 1 to %d", ErrTooLarge, len(refs), MaxMapRefs)
	}
	slices.SortFunc(refs, func(a, b chunk.Ref) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	var t table
	var lines []byte
	for i := range refs {
		if i > 0 && refs[i].ID == refs[i-1].ID {
			return nil, fmt.Errorf("chunk %s is there twice", refs[i].ID)
		}
		lines = append(appendRef(lines, &refs[i], t.at(refs[i].Series)), '\n')
	}
	return append(appendTable(nil, t.series), lines...), nil
}

// ParseMap reads what EncodeMap writes, and nothing else.
func ParseMap(data []byte) ([]chunk.Ref, error) {
	first, rest, ok := bytes.Cut(data, newline)
	if !ok || len(rest) == 0 || rest[len(rest)-1] != '\n' {
		return nil, errors.New("does not end with a newline")
	}
	s := scanner{b: first}
	s.lit(`{"series":`)
	t := positions{series: s.series()}
	s.lit("}")
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("series table: %w", err)
	}
	n := bytes.Count(rest, newline)
	if n > MaxMapRefs {
		return nil, fmt.Errorf("more than %d lines", MaxMapRefs)
	}
	refs := make([]chunk.Ref, 0, n)
	for line := range bytes.Lines(rest) {
		s := scanner{b: line[:len(line)-1]}
		r := s.ref(&t)
		if err := s.end(); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(refs)+2, err)
		}
		if k := len(refs); k > 0 && bytes.Compare(refs[k-1].ID[:], r.ID[:]) >= 0 {
			return nil, fmt.Errorf("line %d: not sorted by ID", k+2)
		}
		refs = append(refs, r)
	}
	if t.used < len(t.series) {
		return nil, errors.New("series table names a series that is not used")
	}
	return refs, nil
}
