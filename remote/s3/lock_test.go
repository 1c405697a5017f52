package s3_test

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest"
	"coffer/remote/storetest/servers"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The whole contract holds in buckets with locks: those that the bucket sets,
// and those that we do.
func TestContractWithLocks(t *testing.T) {
	for what, c := range map[string]struct {
		bucket servers.BucketOptions
		lock   s3.Lock
	}{
		"default governance": {servers.BucketOptions{Lock: true, Mode: types.ObjectLockRetentionModeGovernance, Days: 1}, s3.Lock{}},
		"default compliance": {servers.BucketOptions{Lock: true, Mode: types.ObjectLockRetentionModeCompliance, Days: 1}, s3.Lock{}},
		"own governance":     {servers.BucketOptions{Lock: true}, s3.Lock{For: time.Minute}},
		"own compliance":     {servers.BucketOptions{Lock: true}, s3.Lock{For: time.Minute, Compliance: true}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			srv := servers.Start(t, servers.MinIO, servers.HTTP)
			bucket := srv.NewBucketWith(t, c.bucket)
			var n atomic.Int32
			storetest.Run(t, func(t *testing.T) remote.Store {
				return openLocked(t, srv, bucket, fmt.Sprintf("p%d", n.Add(1)), c.lock)
			})
		})
	}
}

func openLocked(t *testing.T, srv *servers.Server, bucket, prefix string, lock s3.Lock) *s3.Store {
	t.Helper()
	o := srv.Options(t, bucket, prefix)
	o.Lock = lock
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// destroy tries to remove the version of an object for good, with all the
// rights there are.
func destroy(t *testing.T, srv *servers.Server, bucket, key string) error {
	t.Helper()
	c, err := srv.Client()
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: head.VersionId, BypassGovernanceRetention: aws.Bool(true)})
	return err
}

// What is locked cannot be destroyed by anyone until its time has passed, or
// the time it was extended to; and an extension never shortens.
func TestLock(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	bucket := srv.NewBucketWith(t, servers.BucketOptions{Lock: true})
	const lock = 15 * time.Second // long enough for all that is done before it ends, also on a slow machine
	s := openLocked(t, srv, bucket, "p", s3.Lock{For: lock, Compliance: true})
	wrapped := remote.Limit(remote.Retry(s, remote.RetryOptions{}), 0, 0)
	if d := remote.LockPeriod(wrapped); d != lock {
		t.Errorf("lock period %s", d)
	}
	ctx := t.Context()
	for _, name := range []string{"short", "long"} {
		if err := s.Put(ctx, remote.NewObject(name, []byte(name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := stageFor(t, s, "staged", time.Minute).Publish(ctx); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 2 { // the second time it is as long already
		if err := remote.ExtendLock(ctx, wrapped, "long", start.Add(time.Hour)); err != nil {
			t.Errorf("extend: %v", err)
		}
	}
	if err := remote.ExtendLock(ctx, wrapped, "long", start.Add(time.Minute)); err != nil {
		t.Errorf("extend to less: %v, want nil", err)
	}
	if err := remote.ExtendLock(ctx, wrapped, "none", start.Add(time.Minute)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("extend what is not there: %v, want fs.ErrNotExist", err)
	}
	for _, name := range []string{"p/short", "p/long", "p/staged"} {
		if err := destroy(t, srv, bucket, name); err == nil {
			t.Errorf("%s: destroyed while locked", name)
		}
	}
	time.Sleep(time.Until(start.Add(lock + 3*time.Second)))
	for _, name := range []string{"p/short", "p/staged"} {
		if err := destroy(t, srv, bucket, name); err != nil {
			t.Errorf("%s: destroy after its time: %v", name, err)
		}
	}
	if err := destroy(t, srv, bucket, "p/long"); err == nil {
		t.Error("p/long: destroyed though its lock was extended")
	}
}

// A lock where there can be none is an error, and not forgotten.
func TestLockNeedsABucketForIt(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	s := openLocked(t, srv, srv.NewBucket(t), "p", s3.Lock{For: time.Hour})
	if err := s.Put(t.Context(), remote.NewObject("a", nil)); err == nil || !remote.Final(err) {
		t.Errorf("put: %v, want an error for good", err)
	}
	plain := srv.Open(t, srv.NewBucket(t), "p")
	if err := remote.ExtendLock(t.Context(), plain, "a", time.Now()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("extend without locks: %v, want errors.ErrUnsupported", err)
	}
}

// With the policy that allows locks, locks can be set and extended as far as
// agreed, and not further.
func TestPolicyWithLocks(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	bucket := srv.NewBucketWith(t, servers.BucketOptions{Lock: true})
	as, _ := assume(t, srv, bucket, s3.PolicyOptions{LockDays: 30})
	s := openLocked(t, as, bucket, "p", s3.Lock{For: 24 * time.Hour})
	if err := s.Put(t.Context(), remote.NewObject("a", nil)); err != nil {
		t.Errorf("put: %v", err)
	}
	if err := s.ExtendLock(t.Context(), "a", time.Now().Add(29*24*time.Hour)); err != nil {
		t.Errorf("extend: %v", err)
	}
	if err := s.ExtendLock(t.Context(), "a", time.Now().Add(40*24*time.Hour)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("extend beyond what is agreed: %v, want fs.ErrPermission", err)
	}
	as, _ = assume(t, srv, bucket, s3.PolicyOptions{})
	s = openLocked(t, as, bucket, "p", s3.Lock{For: 24 * time.Hour})
	if err := s.Put(t.Context(), remote.NewObject("b", nil)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("put with a lock and without the right: %v, want fs.ErrPermission", err)
	}
}
