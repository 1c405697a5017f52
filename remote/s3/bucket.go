package s3

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// MakeBucket makes the bucket. One that is there and ours already is fine.
func (s *Store) MakeBucket(ctx context.Context) error {
	return s.call(ctx, "make bucket", "", func(in func(*s3.Options)) error {
		input := &s3.CreateBucketInput{Bucket: s.bucket()}
		if region := *s.region.Load(); region != defaultRegion && region != "auto" {
			input.CreateBucketConfiguration = &types.CreateBucketConfiguration{
				LocationConstraint: types.BucketLocationConstraint(region),
			}
		}
		_, err := s.client.CreateBucket(ctx, input, in)
		var ours *types.BucketAlreadyOwnedByYou
		if errors.As(err, &ours) {
			return nil
		}
		return err
	})
}

// probeWriters is how many write at once in a probe: enough that a server which
// looks first and stores then is caught.
const probeWriters = 16

// ProbeIfNoneMatch finds out whether the server really refuses a name that is
// taken, also to several who come at once, and uses it from now on if so. It
// writes an object of a few bytes and deletes it, if it may. Callers remember
// the result and give it as Options.IfNoneMatch.
func (s *Store) ProbeIfNoneMatch(ctx context.Context) (works bool, err error) {
	works, err = s.probeRace(ctx)
	if err == nil {
		s.ifNoneMatch.Store(works)
	}
	return works, err
}

// probeRace is ProbeIfNoneMatch without the use.
func (s *Store) probeRace(ctx context.Context) (works bool, err error) {
	var b [8]byte
	rand.Read(b[:])
	name := remote.Canary + "race-" + hex.EncodeToString(b[:])
	defer s.clear(ctx, name)

	won, refused, last := s.race(ctx, name)
	if won == 0 && refused == 0 {
		// Not even one got through: down, or it does not know the header.
		if err := s.put(ctx, remote.NewObject(name, nil), false); err != nil {
			return false, err
		}
		if remote.Final(last) {
			return false, nil
		}
		return false, last
	}
	return won == 1 && refused > 0 && s.refuses(ctx, name), nil
}

// race lets several write the same name at once, each something else, and
// returns how many succeeded, how many were refused, and another error if
// there was one.
func (s *Store) race(ctx context.Context, name string) (won, refused int, other error) {
	errs := make([]error, probeWriters)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.put(ctx, remote.NewObject(name, fmt.Appendf(nil, "writer %d", i)), true)
		})
	}
	wg.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case errors.Is(err, fs.ErrExist):
			refused++
		default:
			other = err
		}
	}
	return won, refused, other
}

// refuses reports whether a name that is taken is refused to a late comer.
func (s *Store) refuses(ctx context.Context, name string) bool {
	err := s.put(ctx, remote.NewObject(name, []byte("late")), true)
	return errors.Is(err, fs.ErrExist)
}
