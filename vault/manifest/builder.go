package manifest

import (
	"errors"
	"fmt"

	"coffer/chunk"
	"coffer/files"
)

// A segment is closed once it has this much, whatever the hash says. It is
// asked before a line is added, so that a segment exceeds the bytes by one line
// at most.
const cutBytes = 1 << 20

// Put stores a chunk of kind chunk.Segment and says where it is. It copies
// what it keeps of data.
type Put func(data []byte) (chunk.Ref, error)

// A Builder makes the tree of one root, in one pass and with one open segment
// a level. It is not safe for concurrent use.
//
// An error of Add or AddLine that comes from the entry leaves the Builder
// without that entry, and good for more; an error of Put stays, and Finish
// returns it too.
type Builder struct {
	put    Put
	cutter cutter
	order  order
	levels []*level
	out    []byte // the segment being put
	head   []byte // how the line being added must begin
	err    error  // of put; sticky
}

// A level is the open segment of one level.
type level struct {
	table table
	pos   func(chunk.Series) int // table.at, made once
	lines []byte                 // with newlines
	items int                    // lines
	count int64                  // entries below them
	first []byte                 // path of the first
	shut  int                    // segments closed before this one
	last  node                   // the last of these, without its path
}

// NewBuilder returns a Builder that cuts by the segment key.
func NewBuilder(segment chunk.Key, put Put) *Builder {
	return &Builder{put: put, cutter: cutter{h: chunk.NewHasher(segment)}}
}

// Add adds an entry. They come in the order of files.Compare, the root first.
// An entry that is too large gives ErrTooLarge.
func (b *Builder) Add(e *Entry) error {
	if err := e.checkFields(); err != nil {
		return fmt.Errorf("add %q: %w", e.Path, err)
	}
	l, err := b.begin(e.Path)
	if err != nil {
		return err
	}
	lines, series := len(l.lines), len(l.table.series)
	l.lines = AppendEntry(l.lines, e, l.pos)
	if err := l.fits(lines, series); err != nil {
		return fmt.Errorf("add %q: %w", e.Path, err)
	}
	b.added(l, e.Path, e.Type == files.Dir)
	return nil
}

// AddLine adds an entry by the line that AppendEntry once made of it, without
// a newline, the positions of its series being those in table. It does what
// Add of the entry would do, but moves the line as it is, writing anew only
// the positions that differ; it allocates nothing. It checks of the line only
// its path and type, its end, and the form of its refs: the rest is the
// caller's promise.
func (b *Builder) AddLine(path, line []byte, table []chunk.Series) error {
	typ, err := b.typeOf(path, line)
	if err != nil {
		return fmt.Errorf("add line of %q: %w", path, err)
	}
	l, err := b.begin(view(path))
	if err != nil {
		return err
	}
	lines, series := len(l.lines), len(l.table.series)
	if err = l.renumber(line, table); err == nil {
		err = l.fits(lines, series)
	}
	if err != nil {
		l.undo(lines, series)
		return fmt.Errorf("add line of %q: %w", path, err)
	}
	b.added(l, view(path), typ == files.Dir)
	return nil
}

// begin checks that an entry may come now and returns the level 0 that it
// belongs to.
func (b *Builder) begin(path string) (*level, error) {
	if b.err != nil {
		return nil, b.err
	}
	if err := b.order.check(path); err != nil {
		return nil, fmt.Errorf("add %q: %w", path, err)
	}
	return b.open(0, bytesOf(path))
}

// open returns the level ready for an item: a new segment if path cuts.
func (b *Builder) open(i int, path []byte) (*level, error) {
	if i == len(b.levels) {
		l := &level{}
		l.pos = l.table.at
		b.levels = append(b.levels, l)
	}
	l := b.levels[i]
	if l.full() || l.items >= least(i) && b.cutter.cuts(i, path) {
		if err := b.shut(i); err != nil {
			return nil, err
		}
	}
	if l.items == 0 {
		l.first = append(l.first[:0], path...)
	}
	return l, nil
}

// least is how many items a segment of a level has before a path may cut it.
func least(level int) int {
	if level == 0 {
		return leastEntries
	}
	return 1
}

func (l *level) full() bool {
	return l.items >= MaxItems || len(l.lines) >= cutBytes || len(l.table.series) >= cutSeries
}

// fits undoes a line that is too long.
func (l *level) fits(lines, series int) error {
	if n := len(l.lines) - lines; n > MaxLine {
		l.undo(lines, series)
		return fmt.Errorf("%w: line of %d bytes", ErrTooLarge, n)
	}
	return nil
}

func (l *level) undo(lines, series int) {
	l.lines = l.lines[:lines]
	l.table.series = l.table.series[:series]
}

// added closes the line of an entry.
func (b *Builder) added(l *level, path string, dir bool) {
	l.lines = append(l.lines, '\n')
	l.items++
	l.count++
	b.order.passed(path, dir)
}

// shut puts the open segment of level i and adds its node one level above.
func (b *Builder) shut(i int) error {
	n, err := b.store(i)
	if err != nil {
		return err
	}
	if i == MaxLevel {
		b.err = errors.New("tree of too many levels")
		return b.err
	}
	up, err := b.open(i+1, bytesOf(n.path))
	if err != nil {
		return err
	}
	up.lines = appendNode(up.lines, &n, up.table.at(n.ref.Series))
	up.lines = append(up.lines, '\n')
	up.items++
	up.count += n.count
	return nil
}

// store puts the open segment of level i and empties the level. The path of
// the node is good until the level is opened again.
func (b *Builder) store(i int) (node, error) {
	l := b.levels[i]
	b.out = appendTable(b.out[:0], l.table.series)
	b.out = append(b.out, l.lines...)
	ref, err := b.put(b.out)
	if err == nil && (ref.Len != int64(len(b.out)) || ref.Offset < 0) {
		err = fmt.Errorf("put says %d bytes at offset %d, not %d bytes", ref.Len, ref.Offset, len(b.out))
	}
	if err != nil {
		b.err = fmt.Errorf("store segment from %q: %w", l.first, err)
		return node{}, b.err
	}
	n := node{level: i, path: view(l.first), count: l.count, ref: ref}
	l.table.reset()
	l.lines, l.items, l.count = l.lines[:0], 0, 0
	l.shut++
	l.last = node{level: i, count: n.count, ref: n.ref}
	return n, nil
}

var errFinished = errors.New("the tree is finished")

// Finish puts what is open and returns the root of the tree. The Builder
// cannot be used again.
func (b *Builder) Finish() (Root, error) {
	if b.err != nil {
		return Root{}, b.err
	}
	for i := 0; i < len(b.levels); i++ { // closing one may add the next
		l := b.levels[i]
		if l.items > 0 {
			if l.shut > 0 {
				if err := b.shut(i); err != nil {
					return Root{}, err
				}
				continue
			}
			if _, err := b.store(i); err != nil {
				return Root{}, err
			}
		}
		// Level 0 is empty here if an entry cut and was then refused.
		if l.shut == 1 {
			b.err = errFinished
			return Root{Level: i, Count: l.last.count, Ref: l.last.ref}, nil
		}
	}
	return Root{}, errors.New("finish a tree without entries")
}
