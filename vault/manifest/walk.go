package manifest

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"coffer/chunk"
	"coffer/files"
)

// WalkOptions say what of a tree is walked.
type WalkOptions struct {
	Prefix string // only this entry and what lies below it; "": all
	From   string // only from this path on, to go on with a walk; "": all

	// Ahead is how many segments are fetched while earlier ones are in use,
	// each of them at most MaxSegment bytes. Default: 3.
	Ahead int

	// skip tells of segments, and all below them, that they are not wanted.
	skip func(chunk.Ref) bool
}

// Walk yields the entries of a tree in order, fetching only the segments that
// hold wanted ones and those that lead to them. An entry is good until the
// next step: use Clone to keep it.
//
// A segment that is missing or wrong yields a SegmentError in place of its
// entries, or of the rest of them. This does not end the sequence: who goes on
// gets what follows that segment. Any other error ends it.
func Walk(ctx context.Context, root Root, get Get, opts WalkOptions) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		w := walk{span: opts.span(), yield: yield}
		for s, err := range segments(ctx, root, get, opts) {
			if err != nil {
				w.order.restart()
			}
			if err != nil && !yield(nil, err) || err == nil && s.node.level == 0 && !w.leaf(s) {
				return
			}
		}
	}
}

// walk is one run of Walk.
type walk struct {
	span  span
	order order
	entry Entry
	yield func(*Entry, error) bool
}

// leaf yields the entries of a segment, and false when no more are wanted.
func (w *walk) leaf(s segment) bool {
	for err := range s.entries(&w.entry, &w.order) {
		switch {
		case err != nil:
			return w.yield(nil, err)
		case w.span.ends(w.entry.Path):
			return false
		case files.Compare(w.entry.Path, w.span.from) < 0:
		case !w.yield(&w.entry, nil):
			return false
		}
	}
	return true
}

// A span is a stretch of the order of paths: from a path on, as long as it is
// or lies below the prefix.
type span struct {
	from, prefix string
}

func (o *WalkOptions) span() span {
	if files.Compare(o.From, o.Prefix) < 0 {
		return span{o.Prefix, o.Prefix}
	}
	return span{o.From, o.Prefix}
}

// begins reports whether something of n may lie in the span or after it.
func (s span) begins(n *node) bool { return n.last || files.Compare(n.next, s.from) > 0 }

// ends reports whether path, and with it all that follows, lies after the span.
func (s span) ends(path string) bool {
	return path != s.prefix && !below(path, s.prefix) && files.Compare(path, s.prefix) > 0
}

// A segment is a node that was met on the way through a tree, with its bytes
// if it is of level 0.
type segment struct {
	node    node
	data    []byte
	err     error
	skipped bool // not fetched, with all below it
}

// entries reads a segment of level 0 into e, entry by entry. The error ends it.
func (s *segment) entries(e *Entry, o *order) iter.Seq[error] {
	return func(yield func(error) bool) {
		if !o.any && s.node.path != "" {
			o.restart()
		}
		l, err := s.node.leaf(s.data)
		for err == nil {
			var more bool
			if more, err = l.next(e, o); err == nil && (!more || !yield(nil)) {
				return
			}
		}
		o.restart()
		yield(err)
	}
}

// segments yields the segments of a tree that reach into the span of opts, in
// order, each before those below it. One that cannot be read comes with an
// error, and the next one follows; the end of ctx ends it.
func segments(ctx context.Context, root Root, get Get, opts WalkOptions) iter.Seq2[segment, error] {
	return func(yield func(segment, error) bool) {
		if err := opts.check(root); err != nil {
			yield(segment{}, err)
			return
		}
		inner, cancel := context.WithCancel(ctx)
		d := descent{ctx: inner, get: get, span: opts.span(), skip: opts.skip, queue: make(chan chan segment, opts.ahead())}
		defer d.fetches.Wait()
		defer cancel()
		d.fetches.Go(func() {
			defer close(d.queue)
			n := root.node()
			d.visit(&n)
		})
		for c := range d.queue {
			s := <-c
			if ctx.Err() != nil {
				break
			}
			if !yield(s, s.err) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(segment{}, ctx.Err())
		}
	}
}

func (o *WalkOptions) check(root Root) error {
	if err := root.check(); err != nil {
		return err
	}
	if err := checkPath(o.Prefix); err != nil {
		return fmt.Errorf("walk below %q: %w", o.Prefix, err)
	}
	return nil
}

func (o *WalkOptions) ahead() int {
	if o.Ahead < 1 {
		return 3
	}
	return o.Ahead
}

// A descent goes down a tree ahead of who reads it. Its queue holds the
// segments in order, some of them still being fetched: its length bounds how
// many, and so the memory.
type descent struct {
	ctx     context.Context // of the fetches; ends with the walk
	get     Get
	span    span
	skip    func(chunk.Ref) bool // nil: none
	queue   chan chan segment
	fetches sync.WaitGroup
}

// visit queues n and what lies below it, and returns false when no more is
// wanted.
func (d *descent) visit(n *node) bool {
	if !d.span.begins(n) {
		return true
	}
	if d.span.ends(n.path) {
		return false
	}
	c := make(chan segment, 1)
	select {
	case d.queue <- c:
	case <-d.ctx.Done():
		return false
	}
	if d.skip != nil && d.skip(n.ref) {
		c <- segment{node: *n, skipped: true}
		return true
	}
	if n.level == 0 {
		leaf := *n
		d.fetches.Go(func() {
			data, err := leaf.fetch(d.ctx, d.get)
			c <- segment{node: leaf, data: data, err: err}
		})
		return true
	}
	data, err := n.fetch(d.ctx, d.get)
	var below []node
	if err == nil {
		below, err = n.children(data)
	}
	c <- segment{node: *n, err: err}
	for i := range below {
		if !d.visit(&below[i]) {
			return false
		}
	}
	return true
}
