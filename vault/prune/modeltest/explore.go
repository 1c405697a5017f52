package modeltest

import (
	"errors"
	"fmt"
	"strings"
)

// A Result is what an exploration has seen.
type Result struct {
	States int
	Depth  int            // steps to the farthest state
	Trace  []string       // the shortest way to a lost snapshot; nil if there is none
	Steps  [stepKinds]int // how often each kind of step was possible
}

// ErrBound means that there are more states than Explore was allowed.
var ErrBound = errors.New("more states than allowed")

// Explore visits every state that can be reached, nearest first, until a
// snapshot is lost or no state is left. It always takes the same way. A state
// takes about 30 bytes of memory.
func (r *Rules) Explore(bound int) (Result, error) {
	var res Result
	x := explorer{seen: newKeys(), from: []uint32{0}}
	first := r.start()
	x.seen.add(first.key())
	end := 1 // of the present depth
	for i := 0; i < len(x.seen.keys); i++ {
		if i == end {
			res.Depth++
			end = len(x.seen.keys)
		}
		lost := x.visit(r, i, &res)
		res.States = len(x.seen.keys)
		if lost > 0 {
			res.Trace = x.trace(r, lost)
			return res, nil
		}
		if res.States > bound {
			return res, fmt.Errorf("%w: %d after %d steps", ErrBound, res.States, res.Depth)
		}
	}
	return res, nil
}

type explorer struct {
	seen *keys
	from []uint32 // by state: the one it was reached from
}

// visit adds what follows the i-th state, and returns a state in which a
// snapshot is lost, or 0.
func (x *explorer) visit(r *Rules, i int, res *Result) (lost int) {
	s := x.seen.keys[i].state()
	r.next(&s, func(what step, n *state) {
		res.Steps[what.what]++
		if !x.seen.add(n.key()) {
			return
		}
		x.from = append(x.from, uint32(i))
		if lost == 0 && n.lost() {
			lost = len(x.seen.keys) - 1
		}
	})
	return lost
}

// trace goes the way to a state once more, with the names that things have at
// the beginning: a key may have called them otherwise.
func (x *explorer) trace(r *Rules, to int) []string {
	var way []int
	for ; to != 0; to = int(x.from[to]) {
		way = append(way, to)
	}
	var out []string
	s := r.start()
	for i := len(way) - 1; i >= 0; i-- {
		var after state
		took := ""
		r.next(&s, func(what step, n *state) {
			if took == "" && n.key() == x.seen.keys[way[i]] {
				took, after = what.String(), *n
			}
		})
		out = append(out, took)
		s = after
	}
	return out
}

// Text is a trace for people to read.
func (res *Result) Text() string {
	var b strings.Builder
	for i, line := range res.Trace {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, line)
	}
	return b.String()
}

// keys is a set that keeps the order in which it grew.
type keys struct {
	keys  []key
	table []uint32 // 1 + position in keys; 0 is free
}

func newKeys() *keys { return &keys{table: make([]uint32, 1<<16)} }

// add reports whether k is new.
func (s *keys) add(k key) bool {
	if len(s.keys)*2 >= len(s.table) {
		s.grow()
	}
	at := s.place(k)
	if s.table[at] != 0 {
		return false
	}
	s.keys = append(s.keys, k)
	s.table[at] = uint32(len(s.keys))
	return true
}

// place is where k is, or where it would go.
func (s *keys) place(k key) int {
	h := (k[0] ^ k[0]>>31) * 0x9e3779b97f4a7c15
	h = (h ^ k[1] ^ h>>29) * 0xbf58476d1ce4e5b9
	mask := len(s.table) - 1
	at := int(h>>20) & mask
	for s.table[at] != 0 && s.keys[s.table[at]-1] != k {
		at = (at + 1) & mask
	}
	return at
}

func (s *keys) grow() {
	s.table = make([]uint32, 2*len(s.table))
	for i, k := range s.keys {
		s.table[s.place(k)] = uint32(i + 1)
	}
}
