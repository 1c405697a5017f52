package config

import (
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A Remote is the place of a vault, taken apart: a folder if Dir is set, else
// a bucket.
type Remote struct {
	Dir string // absolute and clean

	Endpoint string // https://host or https://host:port (or http:); "" for AWS
	Bucket   string
	Prefix   string // "" or a/b, without slashes around
}

// remoteForms says how a remote is written.
const remoteForms = `write s3:https://host/bucket/prefix, s3://bucket/prefix or an absolute folder`

// ParseRemote reads a remote as a user writes it. Its errors never repeat the
// text beyond a scheme, because it may hold a password by mistake.
func ParseRemote(s string) (Remote, error) {
	if strings.HasPrefix(s, "/") || s == "~" || strings.HasPrefix(s, "~/") {
		dir, err := ParsePath(s)
		return Remote{Dir: dir}, err
	}
	scheme, rest, found := strings.Cut(s, ":")
	switch {
	case found && scheme == "s3":
		return parseS3(rest)
	case found && (scheme == "https" || scheme == "http"):
		return Remote{}, wrong("put s3: before it", "it is a web address")
	case found && schemeName.MatchString(scheme):
		return Remote{}, wrong(remoteForms, "there is no remote of kind %q", scheme)
	}
	return Remote{}, wrong(remoteForms, "it is neither a bucket nor an absolute folder")
}

var (
	schemeName = regexp.MustCompile(`^[a-z][a-z0-9+.-]{0,15}$`)
	// Old and foreign buckets have capitals and underscores.
	bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)
	// What needs no escaping in an address and means nothing to any store.
	prefixPart = regexp.MustCompile(`^[A-Za-z0-9._=+-]+$`)
	hostName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)
)

// parseS3 reads what stands behind "s3:".
func parseS3(s string) (Remote, error) {
	// An @ ends a user name and password. It is refused everywhere, because a
	// password may hold slashes.
	if strings.ContainsAny(s, "@?#") {
		return Remote{}, errSecret
	}
	if bucket, ok := strings.CutPrefix(s, "//"); ok {
		return parseBucket("", bucket)
	}
	// Not by url.Parse: its errors repeat the text.
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return Remote{}, wrong(remoteForms, "it has no host")
	}
	host, bucket, _ := strings.Cut(rest, "/")
	if !validHost(host) {
		return Remote{}, wrong(remoteForms, "its host is not one")
	}
	return parseBucket(scheme+"://"+strings.ToLower(host), bucket)
}

// errSecret is what a user name or a signature in an address gives.
var errSecret = wrong("use credentials-file, profile or the environment", "a secret does not belong in an address")

// validHost reports whether s is a host name or address with perhaps a port.
func validHost(s string) bool {
	u := url.URL{Host: s}
	host, port := u.Hostname(), u.Port()
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		s = strings.TrimSuffix(s, ":"+port)
	}
	if strings.HasPrefix(s, "[") {
		return net.ParseIP(host) != nil && s == "["+host+"]"
	}
	return hostName.MatchString(host) && s == host
}

// parseBucket reads bucket/prefix.
func parseBucket(endpoint, s string) (Remote, error) {
	bucket, prefix, _ := strings.Cut(s, "/")
	if bucket == "" {
		return Remote{}, wrong(remoteForms, "it names no bucket")
	}
	if !bucketName.MatchString(bucket) {
		return Remote{}, wrong("3 to 63 letters, digits, dots, dashes", "its bucket has no valid name")
	}
	prefix = strings.Trim(prefix, "/")
	if prefix != "" && !validPrefix(prefix) {
		return Remote{}, wrong("letters, digits and . _ = + - between single slashes", "its prefix is not valid")
	}
	return Remote{Endpoint: endpoint, Bucket: bucket, Prefix: prefix}, nil
}

// validPrefix leaves half of the 1,024 bytes of a key to the object names.
func validPrefix(s string) bool {
	if len(s) > 511 {
		return false
	}
	for p := range strings.SplitSeq(s, "/") {
		if p == "." || p == ".." || !prefixPart.MatchString(p) {
			return false
		}
	}
	return true
}

// String returns the text that ParseRemote reads as the same remote.
func (r Remote) String() string {
	switch {
	case r.Dir != "":
		return r.Dir
	case r.Endpoint != "":
		return "s3:" + r.Endpoint + "/" + path.Join(r.Bucket, r.Prefix)
	}
	return "s3://" + path.Join(r.Bucket, r.Prefix)
}

// wantsPathStyle is the default of Vault.PathStyle: own servers seldom have
// names for their buckets, and no certificate fits a bucket with a dot.
func (r Remote) wantsPathStyle() bool {
	return r.Endpoint != "" || strings.Contains(r.Bucket, ".")
}

// ParsePath reads an absolute path, or one under the home folder, and cleans
// it. Nothing else is expanded.
func ParsePath(s string) (string, error) {
	if s == "~" || strings.HasPrefix(s, "~/") {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return "", wrong("write the folder out", "%.80q needs a home folder, and HOME is not set", s)
		}
		return filepath.Join(home, s[1:]), nil
	}
	switch {
	case filepath.IsAbs(s):
		return filepath.Clean(s), nil
	case strings.HasPrefix(s, "$"):
		return "", wrong("only ~/ is replaced", "%.80q is not absolute", s)
	case strings.HasPrefix(s, "~"):
		return "", wrong("write the other user's home folder out", "%.80q is not absolute", s)
	}
	return "", wrong("begin with / or ~/", "%.80q is not absolute", s)
}
