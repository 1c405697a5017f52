package s3

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// PolicyOptions says whom a policy is for.
type PolicyOptions struct {
	// Maintain allows to delete, too: for prunes, with credentials that are
	// not those of the machine that backs up.
	Maintain bool

	// LockDays allows to set retentions, of up to that many days, which a
	// vault with object-lock in its config needs. A bucket that has a default
	// retention needs none of it.
	LockDays int

	Region string // where AWS has the bucket, if the location does not say it
}

type policy struct {
	Version   string
	Statement []statement
}

// A statement is one rule. What is denied stays so, whatever else a user is
// allowed.
type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// Policy returns an access policy as JSON, in the language that AWS made and
// other servers took over, for who backs up to l: to list, read and write below
// its prefix, and not to delete. At AWS it also forbids to overwrite; no other
// server has words for that (there, versions keep what is overwritten).
//
// It allows what this package calls, and nothing else; a test runs a backup
// with it.
func Policy(l Location, o PolicyOptions) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("make policy: %w", err)
	}
	bucket := "arn:" + l.partition(o.Region) + ":s3:::" + l.Bucket
	p := policy{"2012-10-17", append(allowed(l, o, bucket), forbidden(o, bucket)...)}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make policy: %w", err)
	}
	return append(b, '\n'), nil
}

// allowed are the statements of what the code calls.
func allowed(l Location, o PolicyOptions, bucket string) []statement {
	objects := bucket + "/" + l.base() + "*"
	list := allow("ListNames", bucket, "s3:ListBucket")
	if l.Prefix != "" {
		list.Condition = when("StringLike", "s3:prefix", l.base()+"*")
	}
	write := allow("WriteObjects", objects, "s3:PutObject")
	if l.atAWS() {
		write.Condition = when("Null", "s3:if-none-match", "false")
	}
	out := []statement{
		list,
		allow("ReadBucketSettings", bucket, "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetLifecycleConfiguration"),
		allow("ReadObjects", objects, "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"),
		write,
	}
	if o.LockDays > 0 {
		out = append(out, allow("LockObjects", objects, "s3:PutObjectRetention"))
	}
	if o.Maintain {
		out = append(out, allow("DeleteObjects", objects, "s3:DeleteObject"))
	}
	return out
}

// forbidden are the statements of what must not happen whatever other policies
// say.
func forbidden(o PolicyOptions, bucket string) []statement {
	never := []string{"s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"}
	if !o.Maintain {
		never = append([]string{"s3:DeleteObject"}, never...)
	}
	out := []statement{
		deny("NeverDestroy", bucket+"/*", never...),
		deny("NeverReconfigure", bucket, "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration",
			"s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutReplicationConfiguration", "s3:DeleteBucket"),
	}
	if o.LockDays > 0 {
		longer := deny("NeverLockForLonger", bucket+"/*", "s3:PutObjectRetention")
		longer.Condition = when("NumericGreaterThan", "s3:object-lock-remaining-retention-days", fmt.Sprint(o.LockDays))
		out = append(out, longer)
	}
	return out
}

func allow(sid, on string, actions ...string) statement {
	return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: []string{on}}
}

func deny(sid, on string, actions ...string) statement {
	return statement{Sid: sid, Effect: "Deny", Action: actions, Resource: []string{on}}
}

func when(operator, key, value string) map[string]map[string]string {
	return map[string]map[string]string{operator: {key: value}}
}

// atAWS reports whether the location is at AWS itself.
func (l Location) atAWS() bool {
	if l.Endpoint == "" {
		return true
	}
	u, err := url.Parse(l.Endpoint)
	return err == nil && strings.HasSuffix(strings.TrimSuffix(u.Hostname(), ".cn"), ".amazonaws.com")
}

// partition is the part of AWS that names there begin with.
func (l Location) partition(region string) string {
	if r := hostRegion(l.Endpoint); r != "" {
		region = r
	}
	switch {
	case !l.atAWS():
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
