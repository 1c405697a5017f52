package servers

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// BucketOptions says what a bucket enforces.
type BucketOptions struct {
	Versions bool // keep what is overwritten or deleted
	Lock     bool // retentions can be set; means versions, too

	// The default retention of a bucket with Lock; servers count in days.
	Mode types.ObjectLockRetentionMode // "" is none
	Days int32
}

// Client speaks to the server without anything of ours in between.
func (s *Server) Client() (*s3.Client, error) {
	client, err := s.plainClient()
	if err != nil {
		return nil, err
	}
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &s.Endpoint, UsePathStyle: true, HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey, SessionToken: s.Token}, nil
		}),
	}), nil
}

// MakeBucket makes a bucket that enforces something. It waits for a server that
// is still making its own house.
func (s *Server) MakeBucket(ctx context.Context, name string, o BucketOptions) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(o.Lock)})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	if o.Versions && !o.Lock {
		_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
	}
	if err == nil && o.Mode != "" {
		_, err = c.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &name, ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: o.Mode, Days: &o.Days}},
		}})
	}
	return err
}

// NewBucketWith makes a bucket of a new name that enforces something.
func (s *Server) NewBucketWith(t testing.TB, o BucketOptions) string {
	t.Helper()
	bucket := "bucket-" + token(6)
	if err := s.MakeBucket(t.Context(), bucket, o); err != nil {
		t.Fatalf("make bucket at %s: %v; the server says:\n%s", s.Kind, err, s.Log())
	}
	return bucket
}
