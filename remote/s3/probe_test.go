package s3_test

import (
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// grades probes a store, through wrappers, and returns the grade of each check.
func grades(t *testing.T, s *s3.Store) (map[string]remote.Grade, []remote.Finding) {
	t.Helper()
	found, err := remote.Probe(t.Context(), remote.Retry(s, remote.RetryOptions{Attempts: 1}), remote.ProbeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]remote.Grade{}
	for _, f := range found {
		if _, twice := out[f.Check]; twice || f.Found == "" {
			t.Errorf("%s: told twice, or nothing: %+v", f.Check, f)
		}
		out[f.Check] = f.Grade
	}
	return out, found
}

// What MinIO enforces under each kind of credentials, in each kind of bucket:
// what the probe finds was tried on a real server.
func TestProbe(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	always := map[string]remote.Grade{
		"clock": remote.OK, "read-after-write": remote.OK, "list-after-write": remote.OK, "expiry": remote.OK,
		"conditional-writes": remote.OK, "checksums": remote.OK, "lifecycle": remote.OK, "transport": remote.Weak,
	}
	owner := map[string]remote.Grade{"change-lifecycle": remote.Bad, "change-versioning": remote.Bad, "change-lock": remote.Bad, "change-policy": remote.Bad}
	device := map[string]remote.Grade{
		"change-lifecycle": remote.OK, "change-versioning": remote.OK, "change-lock": remote.OK, "change-policy": remote.OK, "delete": remote.OK,
	}
	daemon, maintain := &s3.PolicyOptions{}, &s3.PolicyOptions{Maintain: true}
	for what, c := range map[string]struct {
		bucket servers.BucketOptions
		policy *s3.PolicyOptions // nil is the owner of everything
		rights map[string]remote.Grade
		want   map[string]remote.Grade
	}{
		"owner, plain": {servers.BucketOptions{}, nil, owner, map[string]remote.Grade{
			"versioning": remote.Weak, "object-lock": remote.Weak, "overwrite": remote.Bad, "delete": remote.Bad}},
		"owner, versions": {servers.BucketOptions{Versions: true}, nil, owner, map[string]remote.Grade{
			"versioning": remote.OK, "object-lock": remote.Weak, "overwrite": remote.OK, "destroy-version": remote.Bad, "delete": remote.Weak}},
		"owner, governance": {servers.BucketOptions{Lock: true, Mode: types.ObjectLockRetentionModeGovernance, Days: 1}, nil, owner, map[string]remote.Grade{
			"versioning": remote.OK, "object-lock": remote.OK, "overwrite": remote.OK, "destroy-version": remote.Bad, "delete": remote.Weak}},
		"owner, compliance": {servers.BucketOptions{Lock: true, Mode: types.ObjectLockRetentionModeCompliance, Days: 1}, nil, owner, map[string]remote.Grade{
			"versioning": remote.OK, "object-lock": remote.OK, "overwrite": remote.OK, "destroy-version": remote.OK, "delete": remote.Weak}},
		"device, plain": {servers.BucketOptions{}, daemon, device, map[string]remote.Grade{
			"versioning": remote.Weak, "object-lock": remote.Weak, "overwrite": remote.Bad}},
		"device, versions": {servers.BucketOptions{Versions: true}, daemon, device, map[string]remote.Grade{
			"versioning": remote.OK, "object-lock": remote.Weak, "overwrite": remote.OK, "destroy-version": remote.OK}},
		"device, governance": {servers.BucketOptions{Lock: true, Mode: types.ObjectLockRetentionModeGovernance, Days: 1}, daemon, device, map[string]remote.Grade{
			"versioning": remote.OK, "object-lock": remote.OK, "overwrite": remote.OK, "destroy-version": remote.OK}},
		"maintenance, versions": {servers.BucketOptions{Versions: true}, maintain, device, map[string]remote.Grade{
			"versioning": remote.OK, "object-lock": remote.Weak, "overwrite": remote.OK, "destroy-version": remote.OK, "delete": remote.Weak}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bucket := srv.NewBucketWith(t, c.bucket)
			s := srv.Open(t, bucket, "p")
			if c.policy != nil {
				_, s = assume(t, srv, bucket, *c.policy)
			}
			want := map[string]remote.Grade{}
			for _, m := range []map[string]remote.Grade{always, c.rights, c.want} {
				for check, g := range m {
					want[check] = g
				}
			}
			got, found := grades(t, s)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("grades (-want +got):\n%s\n%+v", diff, found)
			}
			names, err := list(t, s, "", "")
			if allowed := got["delete"] != remote.OK; err != nil || allowed != (len(names) == 0) {
				t.Errorf("left behind: %q, %v", names, err)
			}
			settingsAreAsBefore(t, srv, bucket, c.bucket)
		})
	}
}

// settingsAreAsBefore: a probe that may change everything has changed nothing.
func settingsAreAsBefore(t *testing.T, srv *servers.Server, bucket string, o servers.BucketOptions) {
	t.Helper()
	c, err := srv.Client()
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.GetBucketVersioning(t.Context(), &awss3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil || (v.Status == types.BucketVersioningStatusEnabled) != (o.Versions || o.Lock) {
		t.Errorf("versioning is %+v, %v", v, err)
	}
	if _, err := c.GetBucketLifecycleConfiguration(t.Context(), &awss3.GetBucketLifecycleConfigurationInput{Bucket: &bucket}); err == nil {
		t.Error("there is a lifecycle now")
	}
	if _, err := c.GetBucketPolicy(t.Context(), &awss3.GetBucketPolicyInput{Bucket: &bucket}); err == nil {
		t.Error("there is a policy now")
	}
	if o.Mode == "" {
		return
	}
	l, err := c.GetObjectLockConfiguration(t.Context(), &awss3.GetObjectLockConfigurationInput{Bucket: &bucket})
	if err != nil || l.ObjectLockConfiguration.Rule.DefaultRetention.Mode != o.Mode {
		t.Errorf("the lock is %+v, %v", l, err)
	}
}

// A lifecycle rule that deletes what is ours is found, and one for others or
// for old versions is not.
func TestProbeLifecycle(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	for _, c := range []struct {
		rule types.LifecycleRule
		want remote.Grade
	}{
		{types.LifecycleRule{Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(30)}}, remote.Bad},
		{types.LifecycleRule{Filter: &types.LifecycleRuleFilter{Prefix: aws.String("p/packs/")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(30)}}, remote.Bad},
		{types.LifecycleRule{Filter: &types.LifecycleRuleFilter{Prefix: aws.String("logs/")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(30)}}, remote.OK},
		{types.LifecycleRule{Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}, NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(30)}}, remote.OK},
	} {
		bucket := srv.NewBucketWith(t, servers.BucketOptions{Versions: true})
		client, err := srv.Client()
		if err != nil {
			t.Fatal(err)
		}
		c.rule.ID, c.rule.Status = aws.String("rule"), types.ExpirationStatusEnabled
		_, err = client.PutBucketLifecycleConfiguration(t.Context(), &awss3.PutBucketLifecycleConfigurationInput{
			Bucket: &bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{c.rule}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := s3.ProbeLifecycle(t.Context(), srv.Open(t, bucket, "p")); got.Grade != c.want {
			t.Errorf("%+v: %+v", c.rule, got)
		}
	}
}

// Where the config wants a lock, the probe finds it on what was uploaded.
func TestProbeOwnLock(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	bucket := srv.NewBucketWith(t, servers.BucketOptions{Lock: true})
	got, found := grades(t, openLocked(t, srv, bucket, "p", s3.Lock{For: time.Hour, Compliance: true}))
	if got["object-lock"] != remote.OK || got["destroy-version"] != remote.OK {
		t.Errorf("%+v", found)
	}
}

// The other server enforces other things; the probe comes to an end there, too,
// and changes nothing.
func TestProbeVersityGW(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.VersityGW, servers.HTTP)
	got, found := grades(t, srv.Open(t, srv.NewBucket(t), "p"))
	for _, check := range []string{"read-after-write", "list-after-write", "expiry", "checksums"} {
		if got[check] != remote.OK {
			t.Errorf("%s: %s in %+v", check, got[check], found)
		}
	}
	for _, check := range []string{"delete", "overwrite"} {
		if got[check] != remote.Bad {
			t.Errorf("%s: %s in %+v", check, got[check], found)
		}
	}
}
