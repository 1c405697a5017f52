package s3

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Get reads a range of an object; see [remote.Store].
func (s *Store) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	if err := remote.CheckRange(name, off); err != nil {
		return dst, err
	}
	if n == 0 {
		// Asks for a byte, because a refusal to HEAD does not say why.
		_, err := s.get(ctx, remote.OpGet, nil, name, window{})
		return dst, err
	}
	return s.get(ctx, remote.OpGet, dst, name, newWindow(off, n))
}

// get appends what of the object lies in the window to dst.
func (s *Store) get(ctx context.Context, op remote.Op, dst []byte, name string, w window) ([]byte, error) {
	got := dst
	err := s.call(ctx, op, name, func(in func(*s3.Options)) error {
		out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: s.bucket(), Key: s.key(name), Range: w.header()}, in)
		if a := answerOf(err); a.code == "InvalidRange" {
			return s.beyond(op, name, w, a) // the object ends before
		}
		if err != nil {
			return err
		}
		defer out.Body.Close()
		got, err = s.receive(ctx, op, dst, name, out, w)
		return err
	})
	if err != nil {
		return dst, err
	}
	return got, nil
}

// beyond checks an answer that the window begins after the end, which says
// where the end is, against that.
func (s *Store) beyond(op remote.Op, name string, w window, a answer) error {
	var total int64
	if _, err := fmt.Sscanf(a.header.Get("Content-Range"), "bytes */%d", &total); err == nil && w.first < total {
		return s.damaged(op, name, fmt.Sprintf("the answer denies byte %d of %d", w.first, total))
	}
	return nil
}

// A window is the range asked for: bytes first to last, both inclusive.
type window struct{ first, last int64 }

func newWindow(off, n int64) window {
	if n < 0 || n > remote.MaxObject {
		n = remote.MaxObject
	}
	if off > math.MaxInt64-n {
		return window{off, math.MaxInt64}
	}
	return window{off, off + n - 1}
}

// header asks for the window; a whole object is asked for without one, because
// a range of an empty object cannot be had.
func (w window) header() *string {
	if w.first == 0 && w.last == remote.MaxObject-1 {
		return nil
	}
	return aws.String(fmt.Sprintf("bytes=%d-%d", w.first, w.last))
}

// receive appends the window to dst, after making sure that the answer holds
// it and nothing else.
func (s *Store) receive(ctx context.Context, op remote.Op, dst []byte, name string, out *s3.GetObjectOutput, w window) ([]byte, error) {
	length := aws.ToInt64(out.ContentLength)
	if out.ContentLength == nil || length < 0 {
		return dst, s.damaged(op, name, "the answer does not say how long it is")
	}
	want := min(length, w.last-w.first+1)
	switch {
	case out.ContentRange != nil:
		if err := w.check(*out.ContentRange, length); err != nil {
			return dst, s.damaged(op, name, err.Error())
		}
	case w.first != 0:
		return dst, s.damaged(op, name, "the answer is the whole object instead of a range")
	}
	from := len(dst)
	dst = slices.Grow(dst, int(want))[:from+int(want)]
	for at := from; at < len(dst); {
		n, err := out.Body.Read(dst[at:])
		at += n
		if err == nil {
			err = remote.PaceDown(ctx, n)
		}
		if err != nil && at < len(dst) {
			return dst[:from], cutOff(err)
		}
	}
	if want == length {
		// Seeing the end lets the connection be used again.
		out.Body.Read(make([]byte, 1))
	}
	return dst, ctx.Err()
}

// cutOff says that an answer ended before its length.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// check compares the range an answer states with the window: it must begin
// where that does and end where that or the object does.
func (w window) check(contentRange string, length int64) error {
	var first, last, total int64
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &total); err != nil {
		return fmt.Errorf("the range of the answer cannot be read: %q", clean(contentRange))
	}
	if first != w.first || last != min(w.last, total-1) || length != last-first+1 {
		return fmt.Errorf("asked for bytes %d to %d, the answer has %d to %d of %d in %d bytes",
			w.first, w.last, first, last, total, length)
	}
	return nil
}
