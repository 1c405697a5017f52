package manifest

import (
	"context"
	"fmt"
	"iter"

	"coffer/chunk"
)

// A ListBuilder stores the refs of one file as they come, in list chunks if
// they are more than fit in a line. It holds some thousand refs at most. It is
// not safe for concurrent use.
type ListBuilder struct {
	put    Put
	levels []*listLevel
	chunks []chunk.Ref
	out    []byte
	lines  []byte
	table  table
}

// A listLevel holds the refs of one depth that are in no list chunk yet.
type listLevel struct {
	refs   []chunk.Ref
	chunks bool // there are more than fit in a line: they go to list chunks
}

// NewListBuilder returns a ListBuilder.
func NewListBuilder(put Put) *ListBuilder { return &ListBuilder{put: put} }

// Add adds the next ref of the content.
func (l *ListBuilder) Add(r chunk.Ref) error { return l.add(0, r) }

func (l *ListBuilder) add(depth int, r chunk.Ref) error {
	if depth == len(l.levels) {
		l.levels = append(l.levels, &listLevel{})
	}
	v := l.levels[depth]
	if v.chunks {
		return l.push(depth, r)
	}
	v.refs = append(v.refs, r)
	if len(v.refs) <= MaxInlineRefs {
		return nil
	}
	if depth == MaxListDepth {
		return fmt.Errorf("%w: list of more than %d levels", ErrTooLarge, MaxListDepth)
	}
	held := v.refs
	v.refs, v.chunks = make([]chunk.Ref, 0, MaxListRefs), true
	for i := range held {
		if err := l.push(depth, held[i]); err != nil {
			return err
		}
	}
	return nil
}

// push adds a ref to the open list chunk, or to a new one.
func (l *ListBuilder) push(depth int, r chunk.Ref) error {
	v := l.levels[depth]
	if len(v.refs) > 0 && (len(v.refs) == MaxListRefs || cutsList(&r.ID)) {
		if err := l.shut(depth); err != nil {
			return err
		}
	}
	v.refs = append(v.refs, r)
	return nil
}

// shut puts the open list chunk and adds its ref one level above.
func (l *ListBuilder) shut(depth int) error {
	v := l.levels[depth]
	l.table.reset()
	l.lines = l.lines[:0]
	for i := range v.refs {
		l.lines = appendRef(l.lines, &v.refs[i], l.table.at(v.refs[i].Series))
		l.lines = append(l.lines, '\n')
	}
	l.out = append(appendTable(l.out[:0], l.table.series), l.lines...)
	v.refs = v.refs[:0]
	r, err := l.put(l.out)
	if err != nil {
		return fmt.Errorf("store list chunk: %w", err)
	}
	l.chunks = append(l.chunks, r)
	return l.add(depth+1, r)
}

// Finish puts what is open. It returns depth and top, which are ListDepth and
// Refs of the Entry, and the refs of all list chunks. The ListBuilder cannot be
// used again.
func (l *ListBuilder) Finish() (depth int, top, chunks []chunk.Ref, err error) {
	for depth = 0; depth < len(l.levels); depth++ {
		if !l.levels[depth].chunks {
			return depth, l.levels[depth].refs, l.chunks, nil
		}
		if err := l.shut(depth); err != nil {
			return 0, nil, nil, err
		}
	}
	return 0, nil, nil, nil // nothing was added
}

// BuildList is a ListBuilder for refs that are at hand: up to 64 come back as
// they are, with depth 0.
func BuildList(refs []chunk.Ref, put Put) (depth int, top, chunks []chunk.Ref, err error) {
	l := NewListBuilder(put)
	for i := range refs {
		if err := l.Add(refs[i]); err != nil {
			return 0, nil, nil, err
		}
	}
	return l.Finish()
}

// readList reads a list chunk of the file at path.
func readList(ctx context.Context, get Get, ref chunk.Ref, path string) ([]chunk.Ref, error) {
	data, err := fetch(ctx, get, ref)
	if err == nil {
		var refs []chunk.Ref
		if refs, err = parseList(data); err == nil {
			return refs, nil
		}
	}
	return nil, &SegmentError{Ref: ref, From: path, To: path, Err: err}
}

func parseList(data []byte) ([]chunk.Ref, error) {
	l, err := openLines(data, MaxListRefs)
	if err != nil {
		return nil, err
	}
	var refs []chunk.Ref
	for {
		line, err := l.next()
		if line == nil || err != nil {
			return refs, err
		}
		s := scanner{b: line}
		refs = append(refs, s.ref(&l.table))
		if err := s.end(); err != nil {
			return nil, l.fault(err)
		}
	}
}

// Refs yields the refs of the content of e in order, reading its list chunks
// where it has some. An error ends the sequence. The bytes the refs stand for
// are never more than e.Size.
func Refs(ctx context.Context, e *Entry, get Get) iter.Seq2[chunk.Ref, error] {
	return func(yield func(chunk.Ref, error) bool) {
		for u, err := range content(ctx, e, get) {
			if err != nil {
				yield(chunk.Ref{}, err)
				return
			}
			if u.Kind == chunk.Data && !yield(u.Ref, nil) {
				return
			}
		}
	}
}

// content yields the refs of the content of e and, each before those in it,
// of its list chunks. One that cannot be read gives an error, and the next one
// follows.
func content(ctx context.Context, e *Entry, get Get) iter.Seq2[Use, error] {
	return func(yield func(Use, error) bool) {
		x := expansion{ctx: ctx, get: get, entry: e, left: e.Size, yield: yield}
		x.refs(e.ListDepth, e.Refs)
	}
}

// An expansion is one run of content.
type expansion struct {
	ctx   context.Context
	get   Get
	entry *Entry
	in    chunk.Ref // the list chunk that is read; none for the entry's own refs
	left  int64     // bytes that the refs still to come may stand for
	yield func(Use, error) bool
}

// refs yields refs, which are of list chunks of the depth; of content if it is
// 0. It returns false when the sequence has ended.
func (x *expansion) refs(depth int, refs []chunk.Ref) bool {
	for _, r := range refs {
		if depth == 0 && !x.data(r) || depth > 0 && !x.list(depth, r) {
			return false
		}
	}
	return true
}

func (x *expansion) data(r chunk.Ref) bool {
	if x.left -= r.Len; x.left < 0 {
		err := fmt.Errorf("its lists hold more content than its %d bytes", x.entry.Size)
		x.yield(Use{}, &SegmentError{Ref: x.in, From: x.entry.Path, To: x.entry.Path, Err: err})
		return false
	}
	return x.yield(Use{chunk.Data, r, x.entry.Path}, nil)
}

func (x *expansion) list(depth int, r chunk.Ref) bool {
	if !x.yield(Use{chunk.Segment, r, x.entry.Path}, nil) {
		return false
	}
	refs, err := readList(x.ctx, x.get, r, x.entry.Path)
	if err != nil {
		return x.yield(Use{}, err) && x.ctx.Err() == nil
	}
	x.in = r
	return x.refs(depth-1, refs)
}
