package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"coffer/chunk"
	"coffer/files"
)

// Get fetches a chunk of kind chunk.Segment and returns its bytes, checked
// against the ID of the ref. They are not written to by anybody afterwards;
// Get may return the same slice again. It must be safe for concurrent use.
type Get func(ctx context.Context, ref chunk.Ref) ([]byte, error)

// A Root is a whole tree: the one segment of its highest level.
type Root struct {
	Level int   // of the segment; 0: it holds the entries
	Count int64 // entries of the tree, at least 1
	Ref   chunk.Ref
}

func (r Root) check() error {
	if r.Level < 0 || r.Level > MaxLevel || r.Count < 1 {
		return fmt.Errorf("root of level %d with %d entries", r.Level, r.Count)
	}
	return checkRef(&r.Ref)
}

// node is the root as the line that a level above it would have.
func (r Root) node() node { return node{level: r.Level, count: r.Count, ref: r.Ref, last: true} }

// A SegmentError says that a segment or list chunk could not be fetched, or
// does not hold what a manifest holds.
type SegmentError struct {
	Ref  chunk.Ref
	From string // first path below it, or the path of the entry whose content it lists
	To   string // first path after it; "" if there is none
	Err  error
}

func (e *SegmentError) Error() string {
	return fmt.Sprintf("segment %s (pack %s-%010d, from %q): %v", e.Ref.ID, e.Ref.Series, e.Ref.Number, e.From, e.Err)
}

func (e *SegmentError) Unwrap() error { return e.Err }

// A node is a line of a segment above level 0: it stands for a segment.
type node struct {
	level int // of the segment it stands for
	path  string
	count int64
	ref   chunk.Ref

	next string // path of the first entry after it
	last bool   // there is none
}

// fetch reads the segment of n.
func (n *node) fetch(ctx context.Context, get Get) ([]byte, error) {
	data, err := fetch(ctx, get, n.ref)
	if err != nil {
		return nil, n.fault(err)
	}
	return data, nil
}

func fetch(ctx context.Context, get Get, ref chunk.Ref) ([]byte, error) {
	if ref.Len > MaxSegment {
		return nil, fmt.Errorf("%d bytes, more than %d", ref.Len, MaxSegment)
	}
	data, err := get(ctx, ref)
	if err == nil && int64(len(data)) != ref.Len {
		err = fmt.Errorf("%d bytes, want %d", len(data), ref.Len)
	}
	return data, err
}

func (n *node) fault(err error) error {
	return &SegmentError{Ref: n.ref, From: n.path, To: n.next, Err: err}
}

// appendNode appends the line of n, without a newline.
func appendNode(b []byte, n *node, pos int) []byte {
	b = appendPath(b, n.path)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, n.count, 10)
	b = append(b, `,"ref":`...)
	b = appendRef(b, &n.ref, pos)
	return append(b, '}')
}

// parseNode reads a line for a segment of the level.
func parseNode(line []byte, table *positions, level int) (node, error) {
	s, scratch := scanner{b: line}, []byte(nil)
	n := node{level: level, path: s.path(&scratch)}
	s.lit(`,"count":`)
	if n.count = int64(s.uint(math.MaxInt64)); n.count == 0 {
		s.fail("count zero")
	}
	s.lit(`,"ref":`)
	n.ref = s.ref(table)
	s.lit("}")
	if err := s.end(); err != nil {
		return n, err
	}
	return n, checkPath(n.path)
}

// lines reads what opens with a series table: a segment or a list chunk.
type lines struct {
	table positions
	rest  []byte // what follows the last line read
	n     int    // lines read
}

// openLines reads the series table and bounds the rest to items lines.
func openLines(data []byte, items int) (*lines, error) {
	switch {
	case len(data) > MaxSegment:
		return nil, fmt.Errorf("more than %d bytes", MaxSegment)
	case len(data) == 0 || data[len(data)-1] != '\n':
		return nil, errors.New("does not end with a newline")
	}
	end := bytes.IndexByte(data, '\n')
	s := scanner{b: data[:end]}
	s.lit(`{"series":`)
	table := positions{series: s.series()}
	s.lit("}")
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("series table: %w", err)
	}
	l := &lines{table: table, rest: data[end+1:]}
	if n := bytes.Count(l.rest, newline); n == 0 || n > items {
		return nil, fmt.Errorf("%d lines, want 1 to %d", n, items)
	}
	return l, nil
}

var newline = []byte("\n")

// next returns the next line without its newline. At the end it returns nil
// and whether the table was as it should be.
func (l *lines) next() ([]byte, error) {
	if len(l.rest) == 0 {
		if l.table.used < len(l.table.series) {
			return nil, errors.New("series table names a series that is not used")
		}
		return nil, nil
	}
	i := bytes.IndexByte(l.rest, '\n')
	line := l.rest[:i]
	l.rest = l.rest[i+1:]
	l.n++
	if i > MaxLine {
		return nil, l.fault(errLine)
	}
	return line, nil
}

func (l *lines) fault(err error) error { return fmt.Errorf("line %d: %w", l.n+1, err) }

// children reads the segment data of n, which is above level 0.
func (n *node) children(data []byte) ([]node, error) {
	l, err := openLines(data, MaxItems)
	if err != nil {
		return nil, n.fault(err)
	}
	list := make([]node, 0, bytes.Count(l.rest, newline))
	left := n.count
	for {
		line, err := l.next()
		if err != nil {
			return nil, n.fault(err)
		}
		if line == nil {
			break
		}
		c, err := parseNode(line, &l.table, n.level-1)
		if err == nil {
			err = n.adopt(list, &c)
		}
		if err != nil {
			return nil, n.fault(l.fault(err))
		}
		left -= c.count // cannot wrap: both are positive, and a negative left fails below
		if left < 0 {
			break
		}
		list = append(list, c)
	}
	if left != 0 {
		return nil, n.fault(fmt.Errorf("its lines do not add up to %d entries", n.count))
	}
	return list, nil
}

// adopt checks that c may follow its elder siblings below n, and links them.
func (n *node) adopt(elder []node, c *node) error {
	c.next, c.last = n.next, n.last
	if len(elder) == 0 {
		if c.path != n.path {
			return fmt.Errorf("first path %q, want %q", c.path, n.path)
		}
	} else {
		e := &elder[len(elder)-1]
		if files.Compare(e.path, c.path) >= 0 {
			return errOrder
		}
		e.next, e.last = c.path, false
	}
	return n.holds(c.path)
}

// holds checks that path lies before what follows n.
func (n *node) holds(path string) error {
	if !n.last && files.Compare(path, n.next) >= 0 {
		return fmt.Errorf("path %q belongs to a later segment", path)
	}
	return nil
}

// A leaf reads a segment of level 0 entry by entry.
type leaf struct {
	node  node
	lines *lines
}

func (n *node) leaf(data []byte) (*leaf, error) {
	l, err := openLines(data, MaxItems)
	if err == nil {
		if c := int64(bytes.Count(l.rest, newline)); c != n.count {
			err = fmt.Errorf("%d entries, want %d", c, n.count)
		}
	}
	if err != nil {
		return nil, n.fault(err)
	}
	return &leaf{node: *n, lines: l}, nil
}

// next reads an entry into e and checks it against those before it. At the
// end it returns false.
func (l *leaf) next(e *Entry, o *order) (bool, error) {
	line, err := l.lines.next()
	if line == nil || err != nil {
		if err != nil {
			err = l.node.fault(err)
		}
		return false, err
	}
	if err = parseEntry(line, &l.lines.table, e); err == nil {
		err = l.accept(e, o)
	}
	if err != nil {
		return false, l.node.fault(l.lines.fault(err))
	}
	o.passed(e.Path, e.Type == files.Dir)
	return true, nil
}

func (l *leaf) accept(e *Entry, o *order) error {
	if l.lines.n == 1 && e.Path != l.node.path {
		return fmt.Errorf("first path %q, want %q", e.Path, l.node.path)
	}
	if err := o.check(e.Path); err != nil {
		return fmt.Errorf("%q: %w", e.Path, err)
	}
	if len(l.lines.rest) > 0 {
		return nil // a later one is checked, and is higher
	}
	return l.node.holds(e.Path)
}
