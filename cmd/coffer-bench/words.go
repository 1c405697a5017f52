package main

import (
	"math/rand/v2"
	"strconv"
)

// words makes text that compresses about as source code and database dumps
// do: zstd makes a quarter of a small file, and a fifth of many together.
type words struct {
	rnd    *rand.Rand
	common []string // of all projects
	own    []string // of the present one
	lines  []string // that come again and again
	zipf   *rand.Zipf
}

func newWords(rnd *rand.Rand) *words {
	w := &words{rnd: rnd, zipf: rand.NewZipf(rnd, 1.25, 4, 2999)}
	for range 3000 {
		w.common = append(w.common, w.word())
	}
	w.project()
	return w
}

// word makes up a word of two to twelve letters.
func (w *words) word() string {
	const consonants, vowels = "bcdfghjklmnpqrstvwxz", "aeiou"
	var b []byte
	for range 1 + w.rnd.IntN(4) {
		b = append(b, consonants[w.rnd.IntN(len(consonants))], vowels[w.rnd.IntN(len(vowels))])
		if w.rnd.IntN(3) == 0 {
			b = append(b, consonants[w.rnd.IntN(len(consonants))])
		}
	}
	return string(b)
}

// project begins a project with names and turns of its own.
func (w *words) project() {
	w.own, w.lines = w.own[:0], w.lines[:0]
	for range 300 {
		w.own = append(w.own, w.word()+"_"+w.word())
	}
	for range 400 {
		w.lines = append(w.lines, string(w.line(nil)))
	}
}

// line appends a line of source code that was not there before.
func (w *words) line(b []byte) []byte {
	const indent = "\t\t\t\t"
	b = append(b, indent[:w.rnd.IntN(len(indent))]...)
	for i := range 1 + w.rnd.IntN(8) {
		if i > 0 {
			b = append(b, [...]string{" ", ", ", ".", "(", ") ", " = ", " := ", "; "}[w.rnd.IntN(8)]...)
		}
		if w.rnd.IntN(3) == 0 {
			b = append(b, w.own[min(int(w.zipf.Uint64()), len(w.own)-1)]...)
		} else {
			b = append(b, w.common[w.zipf.Uint64()]...)
		}
	}
	return append(b, '\n')
}

// source appends size bytes of source code.
func (w *words) source(b []byte, size int) []byte {
	from := len(b)
	for len(b)-from < size {
		if w.rnd.IntN(2) == 0 {
			b = append(b, w.lines[w.rnd.IntN(len(w.lines))]...)
		} else {
			b = w.line(b)
		}
	}
	return b[:from+size]
}

// rows appends size bytes of a database dump.
func (w *words) rows(b []byte, size int) []byte {
	from := len(b)
	for n := 1; len(b)-from < size; n++ {
		b = append(b, "INSERT INTO orders VALUES ("...)
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, ", '"...)
		b = append(b, w.common[w.zipf.Uint64()]...)
		b = append(b, "@example.org', "...)
		b = strconv.AppendInt(b, w.rnd.Int64N(1e6), 10)
		b = append(b, ", '2026-11-"...)
		b = strconv.AppendInt(b, 10+w.rnd.Int64N(20), 10)
		b = append(b, "', '"...)
		for range 4 {
			b = append(append(b, w.common[w.zipf.Uint64()]...), ' ')
		}
		b = append(b, "');\n"...)
	}
	return b[:from+size]
}
