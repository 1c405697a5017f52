package s3_test

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"coffer/remote"
	"coffer/remote/storetest/servers"
)

// Real servers refuse what comes late, and the probe finds it, through
// wrappers, and leaves nothing behind.
func TestServersEnforceExpiry(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			srv := servers.Start(t, kind, servers.HTTP)
			s := srv.Open(t, srv.NewBucket(t), "p")
			enforced, err := remote.ExpiryEnforced(t.Context(), remote.Count(remote.Retry(s, remote.RetryOptions{})))
			if !enforced || err != nil {
				t.Errorf("%v, %v, want true", enforced, err)
			}
			if names, err := list(t, s, "", ""); len(names) > 0 || err != nil {
				t.Errorf("left behind: %q, %v", names, err)
			}
		})
	}
}

// A server that takes late requests is found out, though the client would
// never send one; one that refuses everything proves nothing.
func TestExpiryIsAskedOfTheServer(t *testing.T) {
	for what, c := range map[string]struct {
		put  http.HandlerFunc
		want error
	}{
		"careless": {accept, nil},
		"taken": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/late") {
				refuse(w, 412, "PreconditionFailed", "")
				return
			}
			accept(w, r)
		}, nil},
		"forbidding": {func(w http.ResponseWriter, r *http.Request) { refuse(w, 403, "AccessDenied", "Access Denied") }, fs.ErrPermission},
		"down": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/late") {
				refuse(w, 503, "SlowDown", "")
				return
			}
			accept(w, r)
		}, remote.ErrUnreachable},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := fake(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodPut:
					c.put(w, r)
				case http.MethodDelete:
					w.WriteHeader(http.StatusNoContent)
				default:
					page(w, false, "")
				}
			})
			enforced, err := remote.ExpiryEnforced(t.Context(), s)
			if enforced || !errors.Is(err, c.want) {
				t.Errorf("%v, %v, want false, %v", enforced, err, c.want)
			}
		})
	}
}
