package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// probeSettings reads what the bucket is set to do by itself.
func (s *Store) probeSettings(ctx context.Context, canary remote.Object) []remote.Finding {
	return []remote.Finding{s.probeVersioning(ctx), s.probeLock(ctx, canary), s.probeLifecycle(ctx)}
}

func (s *Store) probeVersioning(ctx context.Context) remote.Finding {
	const check = "versioning"
	var status types.BucketVersioningStatus
	err := s.call(ctx, "look at", "", func(in func(*s3.Options)) error {
		out, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: s.bucket()}, in)
		if err == nil {
			status = out.Status
		}
		return err
	})
	switch {
	case err != nil:
		return unknown(check, err)
	case status == types.BucketVersioningStatusEnabled:
		return ok(check, "on")
	case status == types.BucketVersioningStatusSuspended:
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "suspended", Means: "what is overwritten or deleted from now on is gone", Do: keepVersions}
	}
	return remote.Finding{Check: check, Grade: remote.Weak, Found: "off", Means: "what is overwritten or deleted is gone", Do: keepVersions}
}

// probeLock looks at the lock that the canary got, which is that of everything
// that is uploaded.
func (s *Store) probeLock(ctx context.Context, canary remote.Object) remote.Finding {
	const check = "object-lock"
	mode, until, err := s.lockOf(ctx, canary.Name)
	var e *Error
	none := errors.As(err, &e) && slices.Contains([]string{"InvalidRequest", "NotImplemented", "MethodNotAllowed"}, e.Code)
	if err != nil && !none {
		return unknown(check, err)
	}
	if until.IsZero() {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "what is uploaded is not locked",
			Means: "whoever gets at credentials that may delete can destroy every backup",
			Do:    "make a bucket with object lock and a default retention, or with object-lock in the config"}
	}
	return ok(check, lockedText(until, string(mode)))
}

// probeLifecycle looks for rules that delete what a vault needs.
func (s *Store) probeLifecycle(ctx context.Context) remote.Finding {
	const check = "lifecycle"
	var rules []types.LifecycleRule
	err := s.call(ctx, "look at", "", func(in func(*s3.Options)) error {
		out, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: s.bucket()}, in)
		if err == nil {
			rules = out.Rules
		}
		return err
	})
	var e *Error
	if errors.As(err, &e) && (e.Code == "NoSuchLifecycleConfiguration" || e.Code == "NotImplemented") {
		err = nil
	}
	if err != nil {
		return unknown(check, err)
	}
	if i := slices.IndexFunc(rules, s.expires); i >= 0 {
		return remote.Finding{Check: check, Grade: remote.Bad, Found: fmt.Sprintf("rule %q of the bucket deletes objects of the vault by their age", clean(aws.ToString(rules[i].ID))),
			Means: "snapshots lose objects that they need, however new they are: what did not change is not uploaded again",
			Do:    "remove the rule, or limit it to other prefixes"}
	}
	return ok(check, "no rule deletes objects by their age")
}

// expires reports whether a rule removes current objects that may be ours.
func (s *Store) expires(r types.LifecycleRule) bool {
	e := r.Expiration
	if r.Status != types.ExpirationStatusEnabled || e == nil || e.Days == nil && e.Date == nil {
		return false
	}
	prefix := aws.ToString(r.Prefix)
	if f := r.Filter; f != nil {
		prefix += aws.ToString(f.Prefix)
		if f.And != nil {
			prefix += aws.ToString(f.And.Prefix)
		}
	}
	base := s.location.base()
	return strings.HasPrefix(prefix, base) || strings.HasPrefix(base, prefix)
}

// A change is an attempt to set the bucket otherwise. What is sent is no
// setting, so that it changes nothing even where it is allowed: a server asks
// who is there before it reads what was sent.
type change struct {
	check string
	err   error
}

// malformed sends in the place of an input what no parser of XML accepts.
func malformed(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("Malformed",
			func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
				req, err := in.Request.(*smithyhttp.Request).SetStream(strings.NewReader("<this is no setting"))
				if err != nil {
					return middleware.SerializeOutput{}, middleware.Metadata{}, err
				}
				in.Request = req
				return next.HandleSerialize(ctx, in)
			}), middleware.After)
	})
}

func (s *Store) changes(ctx context.Context) []change {
	try := func(check string, do func(in func(*s3.Options)) error) change {
		return change{check, s.call(ctx, "change", "", do)}
	}
	return []change{
		try("change-lifecycle", func(in func(*s3.Options)) error {
			_, err := s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
				Bucket: s.bucket(), LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{}}}, in, malformed)
			return err
		}),
		try("change-versioning", func(in func(*s3.Options)) error {
			_, err := s.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
				Bucket: s.bucket(), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}, in, malformed)
			return err
		}),
		try("change-lock", func(in func(*s3.Options)) error {
			_, err := s.client.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{
				Bucket: s.bucket(), ObjectLockConfiguration: &types.ObjectLockConfiguration{}}, in, malformed)
			return err
		}),
		try("change-policy", func(in func(*s3.Options)) error {
			_, err := s.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: s.bucket(), Policy: aws.String("this is no policy")}, in)
			return err
		}),
	}
}

func (c change) probe() remote.Finding {
	var e *Error
	switch {
	case errors.Is(c.err, fs.ErrPermission):
		return ok(c.check, "refused to these credentials")
	case errors.As(c.err, &e) && (e.Status == 501 || e.Code == "NotImplemented" || e.Code == "MethodNotAllowed"):
		return ok(c.check, "the server does not know it")
	case errors.As(c.err, &e) && e.Status/100 == 4:
		return remote.Finding{Check: c.check, Grade: remote.Bad, Found: "allowed",
			Means: "whoever takes this machine can have the bucket delete every backup, or stop keeping what is deleted", Do: useThePolicy}
	case c.err == nil:
		return remote.Finding{Check: c.check, Grade: remote.Bad, Found: "nonsense was accepted", Do: "look at the settings of the bucket"}
	}
	return unknown(c.check, c.err)
}
