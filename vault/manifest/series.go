package manifest

import (
	"encoding/hex"
	"slices"

	"coffer/chunk"
)

// maxSeries bounds a series table that is read. No segment can need more: it
// is closed at cutSeries, and one more line has room for some 4,000 refs.
const (
	cutSeries = 256
	maxSeries = 8192
)

// A table collects the series of what is being encoded, in the order of their
// first use.
type table struct {
	series []chunk.Series
	last   int   // position asked for last
	moved  []int // from positions in another table: guesses, checked when used
}

func (t *table) reset() {
	t.series, t.last = t.series[:0], 0
}

// at returns the position of s, adding it if it is new. Tables are short, and
// most calls ask for the same series again.
func (t *table) at(s chunk.Series) int {
	if t.last < len(t.series) && t.series[t.last] == s {
		return t.last
	}
	t.last = slices.Index(t.series, s)
	if t.last < 0 {
		t.last = len(t.series)
		t.series = append(t.series, s)
	}
	return t.last
}

// from returns the position of other[i], adding it if it is new.
func (t *table) from(other []chunk.Series, i int) int {
	for len(t.moved) <= i {
		t.moved = append(t.moved, 0)
	}
	if p := t.moved[i]; p < len(t.series) && t.series[p] == other[i] {
		return p
	}
	t.moved[i] = t.at(other[i])
	return t.moved[i]
}

// appendTable appends the line that opens whatever holds refs, newline
// included.
func appendTable(b []byte, series []chunk.Series) []byte {
	b = append(b, `{"series":`...)
	b = appendSeries(b, series)
	return append(b, "}\n"...)
}

func appendSeries(b []byte, series []chunk.Series) []byte {
	b = append(b, '[')
	for i := range series {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = hex.AppendEncode(b, series[i][:])
		b = append(b, '"')
	}
	return append(b, ']')
}

// positions is a series table that was read. It knows how many of its series
// have been used, because an encoder lists them in the order of first use and
// no others: any other table would not encode to the same bytes again.
type positions struct {
	series []chunk.Series
	used   int
}

// at returns the series at position i.
func (p *positions) at(i int) (chunk.Series, bool) {
	if i >= len(p.series) || i > p.used {
		return chunk.Series{}, false
	}
	if i == p.used {
		p.used++
	}
	return p.series[i], true
}

// series reads the list of a series table.
func (s *scanner) series() []chunk.Series {
	s.lit("[")
	if s.has("]") {
		return nil
	}
	var list []chunk.Series
	seen := map[chunk.Series]bool{}
	for {
		v, err := chunk.ParseSeries(string(s.quoted(16)))
		if err != nil || seen[v] || len(list) == maxSeries {
			s.fail("no new series")
			return nil
		}
		seen[v] = true
		list = append(list, v)
		if !s.has(",") {
			s.lit("]")
			return list
		}
	}
}
