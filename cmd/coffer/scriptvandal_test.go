package main

import (
	"bytes"
	"context"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"coffer/remote/storetest/servers"
)

// as returns the server as the script's credentials see it, and the bucket in
// use.
func (s *stores) as(ts *testscript.TestScript) (*s3.Client, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	srv := *s.running[servers.HTTP]
	srv.AccessKey, srv.SecretKey, srv.Token = ts.Getenv("AWS_ACCESS_KEY_ID"), ts.Getenv("AWS_SECRET_ACCESS_KEY"), ts.Getenv("AWS_SESSION_TOKEN")
	c, err := srv.Client()
	ts.Check(err)
	bucket, _, _ := strings.Cut(strings.TrimPrefix(ts.Getenv("REMOTE"), "s3:"+srv.Endpoint+"/"), "/")
	return c, bucket
}

// owner takes the credentials of the owner of all buckets.
func (s *stores) owner(ts *testscript.TestScript, neg bool, args []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	srv := s.running[servers.HTTP]
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": srv.AccessKey, "AWS_SECRET_ACCESS_KEY": srv.SecretKey, "AWS_SESSION_TOKEN": ""} {
		ts.Setenv(name, value)
	}
}

// versions lists all versions of all objects in a bucket, by key, newest first.
func versions(ts *testscript.TestScript, c *s3.Client, bucket string) map[string][]types.ObjectVersion {
	all := map[string][]types.ObjectVersion{}
	pages := s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		ts.Check(err)
		if len(page.DeleteMarkers) > 0 {
			ts.Fatalf("%d objects are hidden by a delete marker", len(page.DeleteMarkers))
		}
		for _, v := range page.Versions {
			all[*v.Key] = append(all[*v.Key], v)
		}
	}
	return all
}

// vandal FILE tries with the script's credentials to destroy the bucket whose
// owner has written the names of all versions to FILE, by every means there is.
// Nothing of it may succeed but to store over what is there, which it does.
func (s *stores) vandal(ts *testscript.TestScript, neg bool, args []string) {
	c, bucket := s.as(ts)
	ctx := context.Background()
	refused := func(act string, err error) {
		if err == nil {
			ts.Fatalf("%s: allowed", act)
		}
		if !strings.Contains(err.Error(), "AccessDenied") {
			ts.Fatalf("%s: %v, want AccessDenied", act, err)
		}
	}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		key, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
		refused("delete "+key, err)
		for _, bypass := range []bool{false, true} {
			_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: &version, BypassGovernanceRetention: aws.Bool(bypass)})
			refused("destroy "+key, err)
		}
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte("junk"))})
		ts.Check(err)
	}
	_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	refused("suspend versions", err)
	_, err = c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{
		Rules: []types.LifecycleRule{{ID: aws.String("gone"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
			NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)}}}}})
	refused("let versions expire", err)
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	refused("delete the bucket", err)
}

// names FILE writes key and version of each object to a file.
func (s *stores) names(ts *testscript.TestScript, neg bool, args []string) {
	c, bucket := s.as(ts)
	var b strings.Builder
	for key, all := range versions(ts, c, bucket) {
		b.WriteString(key + " " + *all[0].VersionId + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// rewind removes all versions of each object but the first.
func (s *stores) rewind(ts *testscript.TestScript, neg bool, args []string) {
	c, bucket := s.as(ts)
	for key, all := range versions(ts, c, bucket) {
		for _, v := range all[:len(all)-1] {
			_, err := c.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: v.VersionId})
			ts.Check(err)
		}
	}
}
