package s3

import (
	"context"
	"net/http"
	"time"

	"coffer/remote"
)

// What the tests outside of the package need to see of its inside.

var (
	HostRegion       = hostRegion
	ParseCredentials = parseCredentials
)

// BodyBytes returns how many bytes were read from request bodies so far.
func (s *Store) BodyBytes() int64 { return s.bodyBytes.Load() }

// Region returns the region believed so far.
func (s *Store) Region() string { return *s.region.Load() }

// Signed returns the request that publishing would send.
func Signed(st remote.Staged) (url string, header http.Header) {
	p := st.(*staged)
	return p.request.URL, p.request.SignedHeader
}

// Forget makes a staged object believe that it has all the time in the world,
// so that only the server can refuse it.
func Forget(st remote.Staged) { st.(*staged).made = time.Now().Add(time.Hour) }

// Send is Put without the last look at the bytes, as if they had changed since.
func Send(ctx context.Context, s *Store, o remote.Object) error { return s.put(ctx, o, false) }

// Flip changes the bytes of a staged object.
func Flip(st remote.Staged) { st.(*staged).o.Data[0] ^= 1 }

// ProbeLifecycle is the one part of a probe.
func ProbeLifecycle(ctx context.Context, s *Store) remote.Finding { return s.probeLifecycle(ctx) }
