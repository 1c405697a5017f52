package manifest

import (
	"context"
	"iter"

	"coffer/chunk"
)

// A Use is a chunk that a tree needs.
type Use struct {
	Kind chunk.Kind
	Ref  chunk.Ref
	Path string // of the entry it belongs to, or the first path of a segment; good until the next step
}

// Closure yields every chunk that a tree needs, in the order of a walk: its
// segments of all levels, list chunks and large xattrs (of kind
// chunk.Segment), and the content (of kind chunk.Data). A chunk that is needed
// twice comes twice. Errors are those of Walk; a list chunk that cannot be
// read does not end the sequence either.
func Closure(ctx context.Context, root Root, get Get) iter.Seq2[Use, error] {
	return ClosureBut(ctx, root, get, nil)
}

// ClosureBut is Closure without the segments that skip names and all that lies
// below them: of trees that have most in common each part is read once. skip is
// called by one goroutine at a time, ahead of what is yielded.
func ClosureBut(ctx context.Context, root Root, get Get, skip func(segment chunk.Ref) bool) iter.Seq2[Use, error] {
	return func(yield func(Use, error) bool) {
		var o order
		var e Entry
		for s, err := range segments(ctx, root, get, WalkOptions{skip: skip}) {
			if s.skipped {
				o.restart()
				continue
			}
			if s.node.count > 0 && !yield(Use{chunk.Segment, s.node.ref, s.node.path}, nil) {
				return
			}
			if err != nil {
				o.restart()
				if !yield(Use{}, err) {
					return
				}
				continue
			}
			if s.node.level > 0 {
				continue
			}
			for err := range s.entries(&e, &o) {
				if err != nil && !yield(Use{}, err) || err == nil && !uses(ctx, &e, get, yield) {
					return
				}
			}
		}
	}
}

// uses yields what one entry needs.
func uses(ctx context.Context, e *Entry, get Get, yield func(Use, error) bool) bool {
	for _, x := range e.BigXattrs {
		if !yield(Use{chunk.Segment, x.Ref, e.Path}, nil) {
			return false
		}
	}
	for u, err := range content(ctx, e, get) {
		if !yield(u, err) {
			return false
		}
	}
	return true
}

// WalkRefs yields the refs of all chunks of kind chunk.Segment that a tree
// needs: segments, list chunks and large xattrs. It is Closure without the
// content.
func WalkRefs(ctx context.Context, root Root, get Get) iter.Seq2[chunk.Ref, error] {
	return func(yield func(chunk.Ref, error) bool) {
		for u, err := range Closure(ctx, root, get) {
			if err == nil && u.Kind != chunk.Segment {
				continue
			}
			if !yield(u.Ref, err) {
				return
			}
		}
	}
}
