package manifest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"coffer/files"
)

// maxXattrs bounds the values in a line together. What is beyond it goes out
// of line, as a large value does.
const maxXattrs = 64 << 10

// StoreXattrs makes the extended attributes of e fit for its line: it sorts
// them, and moves large values from Xattrs to BigXattrs, each as a chunk of
// its own. Call it before AppendEntry or Add. A value of more than MaxSegment
// bytes gives ErrTooLarge and leaves e unchanged but for the order.
func StoreXattrs(e *Entry, put Put) error {
	slices.SortFunc(e.Xattrs, byName)
	for _, x := range e.Xattrs {
		if len(x.Value) > MaxSegment {
			return fmt.Errorf("%w: xattr %q of %d bytes", ErrTooLarge, x.Name, len(x.Value))
		}
	}
	keep, inline := e.Xattrs[:0], 0
	for _, x := range e.Xattrs {
		if n := len(x.Value); n <= MaxInlineXattr && inline+n <= maxXattrs {
			keep, inline = append(keep, x), inline+n
			continue
		}
		ref, err := put(x.Value)
		if err != nil {
			return fmt.Errorf("store xattr %q: %w", x.Name, err)
		}
		e.BigXattrs = append(e.BigXattrs, BigXattr{Name: x.Name, Ref: ref})
	}
	e.Xattrs = keep
	slices.SortFunc(e.BigXattrs, func(a, b BigXattr) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// LoadXattrs is the way back: it fetches the large values into Xattrs. Those
// that it cannot fetch stay in BigXattrs, and the error names them all.
func LoadXattrs(ctx context.Context, e *Entry, get Get) error {
	var errs []error
	missing := e.BigXattrs[:0]
	for _, x := range e.BigXattrs {
		v, err := fetch(ctx, get, x.Ref)
		if err != nil {
			missing = append(missing, x)
			errs = append(errs, &SegmentError{Ref: x.Ref, From: e.Path, To: e.Path, Err: fmt.Errorf("xattr %q: %w", x.Name, err)})
			continue
		}
		e.Xattrs = append(e.Xattrs, files.Xattr{Name: x.Name, Value: slices.Clone(v)})
	}
	e.BigXattrs = missing
	slices.SortFunc(e.Xattrs, byName)
	return errors.Join(errs...)
}

func byName(a, b files.Xattr) int { return strings.Compare(a.Name, b.Name) }
