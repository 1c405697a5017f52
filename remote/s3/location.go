package s3

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"coffer/remote"
)

// A Location is where a remote is: a bucket at an endpoint, and a prefix.
type Location struct {
	Endpoint string // scheme://host[:port]; "" is AWS, or what AWS_ENDPOINT_URL says
	Bucket   string
	Prefix   string // of all keys, without slashes at its ends; may be ""
}

// maxPrefix leaves room for any object name in the 1,024 bytes of a key.
const maxPrefix = 1024 - 1 - remote.MaxName

// ParseLocation reads "s3:https://host[:port]/bucket[/prefix]" (or http), or
// "s3://bucket[/prefix]" for AWS. Credentials in it are refused, and an error
// does not repeat what might be one.
func ParseLocation(s string) (Location, error) {
	rest, ok := strings.CutPrefix(s, "s3:")
	if !ok {
		return Location{}, errors.New(`read S3 location: it must begin with "s3:"`)
	}
	u, err := url.Parse(rest)
	if err != nil || strings.Contains(rest, "@") {
		return Location{}, errors.New("read S3 location: it must be s3:https://host/bucket/prefix or s3://bucket/prefix, " +
			"without credentials (set AWS_ACCESS_KEY_ID or name a credentials file)")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.Contains(rest, "%") {
		return Location{}, fmt.Errorf("read S3 location %q: it may not contain ?, # or %%", s)
	}
	path := strings.Trim(u.Path, "/")
	var l Location
	switch u.Scheme {
	case "":
		l.Bucket, l.Prefix = u.Host, path
	case "http", "https":
		l.Endpoint = u.Scheme + "://" + u.Host
		l.Bucket, l.Prefix, _ = strings.Cut(path, "/")
	default:
		return Location{}, fmt.Errorf("read S3 location %q: the scheme must be https or http", s)
	}
	if u.Host == "" {
		return Location{}, fmt.Errorf("read S3 location %q: the host is missing", s)
	}
	if err := l.check(); err != nil {
		return Location{}, fmt.Errorf("read S3 location %q: %w", s, err)
	}
	return l, nil
}

func (l Location) check() error {
	if len(l.Bucket) < 3 || len(l.Bucket) > 63 || strings.Trim(l.Bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("bucket name %q must be 3 to 63 letters, digits, dots and hyphens", l.Bucket)
	}
	if len(l.Prefix) > maxPrefix {
		return fmt.Errorf("the prefix is longer than %d bytes", maxPrefix)
	}
	if l.Prefix == "" {
		return nil
	}
	for part := range strings.SplitSeq(l.Prefix, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, oddRune) {
			return fmt.Errorf("the prefix may hold letters, digits and -_.=+, in parts between single slashes, not %q", part)
		}
	}
	return nil
}

// oddRune refuses what S3 servers, or the signing of their paths, treat
// differently.
func oddRune(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.=+", r))
}

// String is the location as a user writes it.
func (l Location) String() string {
	s := "s3://" + l.Bucket
	if l.Endpoint != "" {
		s = "s3:" + l.Endpoint + "/" + l.Bucket
	}
	if l.Prefix != "" {
		s += "/" + l.Prefix
	}
	return s
}

// base is what the keys of all objects begin with.
func (l Location) base() string {
	if l.Prefix == "" {
		return ""
	}
	return l.Prefix + "/"
}
