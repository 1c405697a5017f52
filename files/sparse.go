package files

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// minHole: a smaller hole is stored as the zeros it reads as.
	minHole = 64 << 10
	// maxHoles: of more, the largest are kept, the others read as zeros.
	maxHoles = 1024
)

// sparse tells whether a file has fewer blocks than its size needs.
func sparse(st Stat) bool {
	return st.Type == Regular && st.Size >= minHole && st.Blocks < (st.Size+511)/512
}

// findHoles asks the file system for the holes of an open file below size. If
// it does not say, there are none. The file offset moves.
func findHoles(fd int, size int64) []Hole {
	var holes holeSet
	for at := int64(0); at < size; {
		hole, err := unix.Seek(fd, at, unix.SEEK_HOLE)
		if err != nil || hole >= size {
			break
		}
		data, err := unix.Seek(fd, hole, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // nothing but a hole to the end
			data, err = size, nil
		}
		if err != nil || data <= hole {
			break
		}
		data = min(data, size)
		holes.add(Hole{hole, data - hole})
		at = data
	}
	return holes.list()
}

// A holeSet keeps the largest holes: a heap, the smallest at the top.
type holeSet []Hole

func (s *holeSet) add(h Hole) {
	switch {
	case h.Len < minHole:
	case len(*s) < maxHoles:
		*s = append(*s, h)
		s.up(len(*s) - 1)
	case h.Len > (*s)[0].Len:
		(*s)[0] = h
		s.down(0)
	}
}

func (s holeSet) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if s[p].Len <= s[i].Len {
			return
		}
		s[p], s[i] = s[i], s[p]
		i = p
	}
}

func (s holeSet) down(i int) {
	for {
		k := 2*i + 1
		if k+1 < len(s) && s[k+1].Len < s[k].Len {
			k++
		}
		if k >= len(s) || s[i].Len <= s[k].Len {
			return
		}
		s[i], s[k] = s[k], s[i]
		i = k
	}
}

func (s holeSet) list() []Hole {
	slices.SortFunc(s, func(a, b Hole) int { return cmp.Compare(a.Off, b.Off) })
	return s
}

// CheckHoles tells whether holes can be those of a file of that size:
// ascending, not empty, not touching, inside the file. (Two that touch would be
// one, so that a file has one description.)
func CheckHoles(size int64, holes []Hole) error {
	if len(holes) > maxHoles {
		return fmt.Errorf("%d holes: more than %d", len(holes), maxHoles)
	}
	free := int64(-1) // a hole must begin behind this
	for _, h := range holes {
		if h.Len <= 0 || h.Off <= free || h.Off > size || h.Len > size-h.Off {
			return fmt.Errorf("hole of %d bytes at %d: not in order or not inside a file of %d bytes", h.Len, h.Off, size)
		}
		free = h.Off + h.Len
	}
	return nil
}

// DataExtents yields offset and length of what is stored of a file: what lies
// between its holes. The stored content is these stretches, joined. The holes
// must have passed CheckHoles.
func DataExtents(size int64, holes []Hole) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		at := int64(0)
		for _, h := range holes {
			if h.Off > at && !yield(at, h.Off-at) {
				return
			}
			at = h.Off + h.Len
		}
		if at < size {
			yield(at, size-at)
		}
	}
}
