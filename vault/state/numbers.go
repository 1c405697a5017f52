package state

import (
	"fmt"
	"slices"
	"sync"

	"coffer/chunk"
)

// MaxNumber is the highest pack number of a series: 16 PiB of packs.
const MaxNumber = 1<<30 - 1

// NumberBlock is how many pack numbers are reserved at once, at most: the rest
// of a folder of packs, so that a killed run leaves its folder and the next
// begins a new one.
const NumberBlock = 1024

// Numbers hands out the pack numbers of one series, each once, ever. A block
// of numbers is reserved durably before its first is handed out; what a killed
// process did not use is a gap. It is safe for concurrent use.
type Numbers struct {
	dir    *Dir
	series string

	mu        sync.Mutex
	next, end uint32 // reserved and not handed out, guarded by mu
}

// Numbers returns the numbers of a series of this device that is not closed.
func (d *Dir) Numbers(s chunk.Series) *Numbers { return &Numbers{dir: d, series: s.String()} }

// Next returns the next number.
func (n *Numbers) Next() (uint32, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == n.end {
		if err := n.reserve(); err != nil {
			return 0, fmt.Errorf("reserve pack numbers: %w", err)
		}
	}
	n.next++
	return n.next - 1, nil
}

func (n *Numbers) reserve() error {
	_, err := n.dir.UpdateDevice(func(d *Device) error {
		s, err := d.series(n.series)
		if err != nil {
			return err
		}
		if s.Closed || s.Next > MaxNumber {
			return fmt.Errorf("series %s takes no more packs: begin a new one", n.series)
		}
		n.next = s.Next
		s.Next = (s.Next/NumberBlock + 1) * NumberBlock
		n.end = s.Next
		return nil
	})
	if err != nil {
		n.next, n.end = 0, 0
	}
	return err
}

// Close gives back what was reserved and not handed out. Next may be called
// again.
func (n *Numbers) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next, end := n.next, n.end
	n.next, n.end = 0, 0
	if next == end {
		return nil
	}
	_, err := n.dir.updateDevice(func(d *Device) error {
		s, err := d.series(n.series)
		if err == nil && s.Next == end {
			s.Next = next
		}
		return err
	}, func(next, old *Device) error { return nil })
	return err
}

func (d *Device) series(name string) (*SeriesState, error) {
	i := slices.IndexFunc(d.Series, func(s SeriesState) bool { return s.Series == name })
	if i < 0 {
		return nil, fmt.Errorf("series %s is not one of this device", name)
	}
	return &d.Series[i], nil
}
