package s3_test

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"
)

// What a refusal means, to a Put and to a Publish, which read it by different
// ways.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error // nil: none of the sentinels
		final  bool
	}{
		{404, "NoSuchBucket", remote.ErrNoBucket, true},
		{403, "AccessDenied", fs.ErrPermission, true},
		{403, "InvalidAccessKeyId", fs.ErrPermission, true},
		{403, "SignatureDoesNotMatch", fs.ErrPermission, true},
		{403, "RequestTimeTooSkewed", fs.ErrPermission, true},
		{400, "ExpiredToken", fs.ErrPermission, true},
		{403, "SomethingNew", fs.ErrPermission, true},
		{401, "Unauthorized", fs.ErrPermission, true},
		{412, "PreconditionFailed", fs.ErrExist, true},
		{507, "XMinioStorageFull", remote.ErrFull, true},
		{507, "SomethingNew", remote.ErrFull, true},
		{400, "XMinioAdminBucketQuotaExceeded", remote.ErrFull, true},
		{403, "QuotaExceeded", remote.ErrFull, true},
		{400, "BadDigest", remote.ErrDamaged, false},
		{400, "XAmzContentSHA256Mismatch", remote.ErrDamaged, false},
		{503, "SlowDown", remote.ErrUnreachable, false},
		{500, "InternalError", remote.ErrUnreachable, false},
		{502, "", remote.ErrUnreachable, false},
		{429, "TooManyRequests", remote.ErrUnreachable, false},
		{400, "RequestTimeout", remote.ErrUnreachable, false},
		{409, "OperationAborted", remote.ErrUnreachable, false},
		{409, "ConditionalRequestConflict", nil, false},
		{400, "InvalidArgument", nil, true},
		{405, "MethodNotAllowed", nil, true},
		{301, "PermanentRedirect", nil, true},
	} {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				page(w, false, "")
				return
			}
			refuse(w, c.status, c.code, "what the server says")
		})
		o := remote.NewObject("packs/a", []byte("x"))
		st, err := s.Stage(t.Context(), o, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for act, err := range map[string]error{"put": s.Put(t.Context(), o), "publish": st.Publish(t.Context())} {
			if err == nil || c.want != nil && !errors.Is(err, c.want) || remote.Final(err) != c.final {
				t.Errorf("%d %s: %v, want %v, final %v", c.status, c.code, err, c.want, c.final)
				continue
			}
			for _, part := range []string{act, "packs/a", s.Location(), c.code} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%d %s: %q does not name %q", c.status, c.code, err, part)
				}
			}
			if c.want == nil {
				for _, sentinel := range []error{fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, remote.ErrUnreachable, remote.ErrNoBucket} {
					if errors.Is(err, sentinel) {
						t.Errorf("%d %s: %v is %v", c.status, c.code, err, sentinel)
					}
				}
			}
		}
	}
}

// An answer is foreign text: it stays on one line, and short.
func TestErrorTextIsClean(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, 403, "AccessDenied", "red \x1b[31malert\n\r"+strings.Repeat("long ", 1000))
	})
	err := s.Put(t.Context(), remote.NewObject("a", nil))
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n\r") || len(err.Error()) > 600 {
		t.Errorf("put: %q", err)
	}
}

// The same questions to the real servers.
func TestRealRefusals(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		srv := servers.Start(t, kind, servers.HTTP)
		bucket := srv.NewBucket(t)
		good := srv.Options(t, bucket, "")
		for what, c := range map[string]struct {
			key, secret, bucket string
			want                error
			says                string
		}{
			"no bucket":    {srv.AccessKey, srv.SecretKey, "no-such-bucket", remote.ErrNoBucket, "no-such-bucket"},
			"unknown key":  {"AKIDUNKNOWN", srv.SecretKey, bucket, fs.ErrPermission, "access key"},
			"wrong secret": {srv.AccessKey, "guessed-wrongly", bucket, fs.ErrPermission, "secret key"},
		} {
			o := good
			o.Location.Bucket = c.bucket
			s := openWith(t, o, c.key, c.secret)
			_, now := s.Now(t.Context())
			_, get := s.Get(t.Context(), nil, "a", 0, -1)
			_, listing := list(t, s, "", "")
			for act, err := range map[string]error{
				"get": get, "list": listing, "now": now, "put": s.Put(t.Context(), remote.NewObject("a", []byte("x"))),
				"delete": s.Delete(t.Context(), "a"),
			} {
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), c.secret) {
					t.Errorf("%s, %s: %s: %v, want %v that says %q", kind, what, act, err, c.want, c.says)
				}
			}
		}
		srv.Stop()
		s, err := s3.Open(t.Context(), good)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), remote.NewObject("a", nil)); !errors.Is(err, remote.ErrUnreachable) {
			t.Errorf("%s: put when it is down: %v, want ErrUnreachable", kind, err)
		}
	}
}
