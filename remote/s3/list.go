package s3

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// maxEmptyPages bounds how many pages in a row may bring nothing and promise
// more.
const maxEmptyPages = 100

// List asks page by page. Keys that no Store would give an object are passed
// over; a listing that is not in order, repeats itself or strays is an error.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckPrefix(prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		l := listing{s: s, prefix: prefix, after: after}
		for more := true; more; {
			page, err := l.next(ctx)
			if err != nil {
				yield(remote.Info{}, err)
				return
			}
			for _, info := range page {
				if !yield(info, nil) {
					return
				}
			}
			more = l.token != nil
		}
	}
}

// A listing is one List under way.
type listing struct {
	s             *Store
	prefix, after string
	token         *string // of the next page; nil at the beginning and the end
	last          string  // key seen last
	empty         int     // pages in a row
}

// next fetches a page and moves on.
func (l *listing) next(ctx context.Context) ([]remote.Info, error) {
	var out *s3.ListObjectsV2Output
	err := l.s.call(ctx, remote.OpList, l.prefix, func(in func(*s3.Options)) (err error) {
		out, err = l.s.client.ListObjectsV2(ctx, l.input(), in)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Any well-formed XML would do as an empty page for the parser.
	if out.Name == nil {
		return nil, l.s.nonsense(remote.OpList, l.prefix, "it is no listing")
	}
	if err := l.turn(out); err != nil {
		return nil, err
	}
	return l.infos(out)
}

func (l *listing) input() *s3.ListObjectsV2Input {
	base := l.s.location.base()
	in := &s3.ListObjectsV2Input{
		Bucket: l.s.bucket(), Prefix: aws.String(base + l.prefix), ContinuationToken: l.token,
		// Without it, one foreign key with a control character makes the
		// listing unreadable.
		EncodingType: types.EncodingTypeUrl,
	}
	if l.after != "" && l.token == nil {
		in.StartAfter = aws.String(base + l.after)
	}
	return in
}

// turn takes the token of the next page.
func (l *listing) turn(out *s3.ListObjectsV2Output) error {
	if !aws.ToBool(out.IsTruncated) {
		l.token = nil
		return nil
	}
	next := aws.ToString(out.NextContinuationToken)
	if next == "" {
		return l.wrong("it is cut off without saying how to go on")
	}
	if next == aws.ToString(l.token) {
		return l.wrong("it goes round in circles")
	}
	if len(out.Contents) > 0 {
		l.empty = 0
	} else if l.empty++; l.empty > maxEmptyPages {
		return l.wrong("it goes on without an end")
	}
	l.token = &next
	return nil
}

func (l *listing) wrong(text string) error {
	return l.s.damaged(remote.OpList, l.prefix, "the listing is wrong: "+text)
}

// infos returns the objects of a page.
func (l *listing) infos(out *s3.ListObjectsV2Output) ([]remote.Info, error) {
	infos := make([]remote.Info, 0, len(out.Contents))
	base := l.s.location.base()
	for _, c := range out.Contents {
		key, err := decodeKey(aws.ToString(c.Key), out.EncodingType)
		if err != nil {
			return nil, l.wrong(err.Error())
		}
		name, ok := strings.CutPrefix(key, base)
		if !ok || !strings.HasPrefix(name, l.prefix) {
			return nil, l.wrong(fmt.Sprintf("it strays to %q", clean(key)))
		}
		if key <= l.last && l.last != "" {
			return nil, l.wrong(fmt.Sprintf("%q comes after %q", clean(key), clean(l.last)))
		}
		l.last = key
		// A server that knows no start-after begins at the beginning.
		if name <= l.after || remote.CheckName(name) != nil {
			continue
		}
		if c.Size == nil || *c.Size < 0 || c.LastModified == nil {
			return nil, l.wrong(fmt.Sprintf("%q has no size or no time", name))
		}
		infos = append(infos, remote.Info{Name: name, Size: *c.Size, Time: *c.LastModified})
	}
	return infos, nil
}

func decodeKey(key string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return key, nil
	}
	plain, err := url.QueryUnescape(key)
	if err != nil {
		return "", fmt.Errorf("%q is no encoded key", clean(key))
	}
	return plain, nil
}
