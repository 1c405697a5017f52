package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A Lock is a retention set on each object as it is uploaded (Object Lock). The
// bucket must have been made for it. The credentials need s3:PutObjectRetention;
// a default retention of the bucket does without, and without this.
type Lock struct {
	Compliance bool          // nobody can lift it, not even the owner of the bucket
	For        time.Duration // from the upload, by the server's clock; 0 is no lock
}

var _ remote.Locker = (*Store)(nil)

func (l Lock) check() error {
	if l.For < 0 || l.For > 100*366*24*time.Hour {
		return fmt.Errorf("a lock of %s is not within a hundred years: %w", l.For, fs.ErrInvalid)
	}
	return nil
}

func (l Lock) mode() types.ObjectLockRetentionMode {
	if l.Compliance {
		return types.ObjectLockRetentionModeCompliance
	}
	return types.ObjectLockRetentionModeGovernance
}

// lockUntil returns until when what is uploaded now is to be locked, in whole
// seconds; the zero time where nothing is.
func (s *Store) lockUntil(ctx context.Context) (time.Time, error) {
	if s.lock.For == 0 {
		return time.Time{}, nil
	}
	now, err := s.Now(ctx)
	return now.Add(s.lock.For + time.Second).Truncate(time.Second).UTC(), err
}

// LockPeriod is Lock.For.
func (s *Store) LockPeriod() time.Duration { return s.lock.For }

// ExtendLock sets the retention of an object's newest version.
func (s *Store) ExtendLock(ctx context.Context, name string, until time.Time) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	if s.lock.For == 0 {
		return fmt.Errorf("lock %s in %s: %w", name, s.Location(), errors.ErrUnsupported)
	}
	until = until.Add(time.Second - 1).Truncate(time.Second).UTC()
	err := s.call(ctx, remote.OpLock, name, func(in func(*s3.Options)) error {
		_, err := s.client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
			Bucket: s.bucket(), Key: s.key(name),
			Retention: &types.ObjectLockRetention{Mode: s.lock.mode(), RetainUntilDate: &until},
		}, in)
		return err
	})
	if err == nil || isAbsent(err) {
		return err
	}
	// A longer or stricter one is refused to be shortened.
	if mode, has, e := s.lockOf(ctx, name); e == nil && !has.Before(until) && (mode == s.lock.mode() || !s.lock.Compliance) {
		return nil
	}
	return err
}

// lockOf returns the retention of an object: the zero time if it has none.
func (s *Store) lockOf(ctx context.Context, name string) (mode types.ObjectLockRetentionMode, until time.Time, err error) {
	err = s.call(ctx, remote.OpLock, name, func(in func(*s3.Options)) error {
		out, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: s.bucket(), Key: s.key(name)}, in)
		if a := answerOf(err); a.code == "NoSuchObjectLockConfiguration" || a.code == "ObjectLockConfigurationNotFoundError" {
			return nil
		}
		if err == nil && out.Retention != nil {
			mode, until = out.Retention.Mode, aws.ToTime(out.Retention.RetainUntilDate)
		}
		return err
	})
	return mode, until, err
}
