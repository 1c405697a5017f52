package s3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"
)

// The promise that one hash is enough: a Put reads the bytes once, to send
// them, and the request carries the given SHA-256 as payload hash and as
// checksum, in clear and over TLS, and never as a trailer.
func TestPutReadsOnceAndCarriesTheSum(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var mu sync.Mutex
		var got []*http.Request
		var body []byte
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			got, body = append(got, r), b
			mu.Unlock()
			w.Header().Set("ETag", `"0"`)
		}))
		s := openTest(t, srv, secure)
		o := remote.NewObject("packs/x/1", bytes.Repeat([]byte("payload "), 1<<19))
		if err := s.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if n := s.BodyBytes(); n != int64(len(o.Data)) {
			t.Errorf("TLS %v: the body was read %.2f times", secure, float64(n)/float64(len(o.Data)))
		}
		if len(got) != 1 || !bytes.Equal(body, o.Data) {
			t.Fatalf("TLS %v: %d requests, %d bytes", secure, len(got), len(body))
		}
		h := got[0].Header
		if v := h.Get("X-Amz-Content-Sha256"); v != hex.EncodeToString(o.Sum[:]) {
			t.Errorf("TLS %v: payload hash %q", secure, v)
		}
		if v := h.Get("X-Amz-Checksum-Sha256"); v != base64.StdEncoding.EncodeToString(o.Sum[:]) {
			t.Errorf("TLS %v: checksum %q", secure, v)
		}
		if h.Get("X-Amz-Trailer") != "" || h.Get("Content-Encoding") != "" || got[0].ContentLength != int64(len(o.Data)) || h.Get("If-None-Match") != "" {
			t.Errorf("TLS %v: header %v", secure, h)
		}
		if got[0].URL.Path != "/bucket/p/packs/x/1" {
			t.Errorf("TLS %v: path %s", secure, got[0].URL.Path)
		}
		if signed := h.Get("Authorization"); !strings.Contains(signed, "x-amz-checksum-sha256") || !strings.Contains(signed, "x-amz-content-sha256") {
			t.Errorf("TLS %v: not signed: %s", secure, signed)
		}
	}
}

// openTest starts srv and opens a store on it.
func openTest(t *testing.T, srv *httptest.Server, secure bool) *s3.Store {
	t.Helper()
	t.Cleanup(srv.Close)
	if !secure {
		srv.Start()
		return open(t, srv.URL, nil)
	}
	srv.StartTLS()
	ca := writeCA(t, srv)
	return open(t, srv.URL, func(o *s3.Options) { o.CAFile = ca })
}

// Against the real servers: the bytes are read once, and a server that gets
// others than the sum says refuses them, whichever of the two hashes is wrong.
func TestServersCheckTheSum(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		srv := servers.Start(t, kind, servers.TLS)
		s := srv.Open(t, srv.NewBucket(t), "p")
		o := remote.NewObject("good", bytes.Repeat([]byte{7}, 3<<20))
		if err := s.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if n := s.BodyBytes(); n != int64(len(o.Data)) {
			t.Errorf("%s: the body was read %.2f times", kind, float64(n)/float64(len(o.Data)))
		}
		bad := remote.Object{Name: "bad", Data: []byte("one"), Sum: sha256.Sum256([]byte("other"))}
		err := s3.Send(t.Context(), s, bad)
		if !errors.Is(err, remote.ErrDamaged) || remote.Final(err) {
			t.Errorf("%s: put with a wrong sum: %v, want ErrDamaged", kind, err)
		}
		if _, err := s.Get(t.Context(), nil, "bad", 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: get: %v, want fs.ErrNotExist", kind, err)
		}
		st, err := s.Stage(t.Context(), remote.NewObject("bad2", []byte("one")), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		s3.Flip(st)
		if err := st.Publish(t.Context()); !errors.Is(err, remote.ErrDamaged) {
			t.Errorf("%s: publish with a wrong sum: %v, want ErrDamaged", kind, err)
		}
		if _, err := s.Get(t.Context(), nil, "bad2", 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: get: %v, want fs.ErrNotExist", kind, err)
		}
	}
}

// Success is not believed from what cannot have stored anything.
func TestFalseSuccess(t *testing.T) {
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"login page": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<!DOCTYPE html><html><body>Welcome to our hotel</body></html>")
		}, remote.ErrUnreachable},
		"error in a success": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"0"`)
			refuse(w, 200, "InternalError", "We encountered an internal error.")
		}, remote.ErrUnreachable},
		"no ETag": {func(w http.ResponseWriter, r *http.Request) {}, remote.ErrUnreachable},
		"other checksum": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"0"`)
			w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(make([]byte, 32)))
		}, remote.ErrDamaged},
	} {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				page(w, false, "")
				return
			}
			io.Copy(io.Discard, r.Body)
			c.answer(w, r)
		})
		o := remote.NewObject("a", []byte("x"))
		if err := s.Put(t.Context(), o); !errors.Is(err, c.want) || remote.Final(err) {
			t.Errorf("%s: put: %v, want %v, worth a retry", what, err, c.want)
		}
		st, err := s.Stage(t.Context(), o, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Publish(t.Context()); !errors.Is(err, c.want) || remote.Final(err) {
			t.Errorf("%s: publish: %v, want %v, worth a retry", what, err, c.want)
		}
	}
}

// A server that knows no SHA-256 checksum gets an MD5 instead, at once and from
// then on; the signed payload hash stays.
func TestChecksumUnknownToTheServer(t *testing.T) {
	var requests []http.Header
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			page(w, false, "")
			return
		}
		requests = append(requests, r.Header)
		if r.Header.Get("X-Amz-Checksum-Sha256") != "" {
			refuse(w, 400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256' received for this API call.")
			return
		}
		accept(w, r)
	})
	for i := range 2 {
		if err := s.Put(t.Context(), remote.NewObject(fmt.Sprint(i), []byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.Stage(t.Context(), remote.NewObject("c", []byte("x")), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(requests) != 4 {
		t.Fatalf("%d requests, want 4", len(requests))
	}
	for _, h := range requests[1:] {
		if h.Get("Content-Md5") != md5x {
			t.Errorf("Content-MD5 %q", h.Get("Content-Md5"))
		}
	}
	sum := sha256.Sum256([]byte("x"))
	if requests[1].Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		t.Error("the payload hash is gone")
	}
}

// md5x is the MD5 of "x", as the header states it.
const md5x = "ndTkYSaMgDT1yFZOFVxnpg=="

// With If-None-Match, a taken name is refused to other bytes and given to the
// same.
func TestIfNoneMatch(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		srv := servers.Start(t, kind, servers.HTTP)
		s := srv.Open(t, srv.NewBucket(t), "p")
		ctx := t.Context()
		works, err := s.ProbeIfNoneMatch(ctx)
		if err != nil || !works {
			t.Errorf("%s: probe: %v, %v", kind, works, err)
		}
		for info, err := range s.List(ctx, "", "") {
			t.Errorf("%s: the probe left %v, %v", kind, info, err)
		}
		for name, putBy := range map[string]func(remote.Object) error{
			"put": func(o remote.Object) error { return s.Put(ctx, o) },
			"publish": func(o remote.Object) error {
				st, err := s.Stage(ctx, o, time.Minute)
				if err != nil {
					return err
				}
				return st.Publish(ctx)
			},
		} {
			first := remote.NewObject(name, []byte("first"))
			for _, c := range []struct {
				data string
				want error
			}{{"first", nil}, {"first", nil}, {"other", fs.ErrExist}, {"longer than it", fs.ErrExist}} {
				if err := putBy(remote.NewObject(name, []byte(c.data))); !errors.Is(err, c.want) {
					t.Errorf("%s: %s of %q: %v, want %v", kind, name, c.data, err, c.want)
				}
			}
			got, err := s.Get(ctx, nil, name, 0, -1)
			if err != nil || !bytes.Equal(got, first.Data) {
				t.Errorf("%s: %s left %q, %v", kind, name, got, err)
			}
		}
	}
}

// The probe sees through servers that ignore the header, look first and store
// then, or do not know it; and says so if there is no server.
func TestProbeIfNoneMatch(t *testing.T) {
	for what, handler := range map[string]func() http.HandlerFunc{
		"ignored": func() http.HandlerFunc { return accept },
		"racy": func() http.HandlerFunc {
			var mu sync.Mutex
			n := 0
			return func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				n++
				late := n > 3 && r.Header.Get("If-None-Match") != ""
				mu.Unlock()
				if late {
					refuse(w, 412, "PreconditionFailed", "")
					return
				}
				accept(w, r)
			}
		},
		"unknown": func() http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") != "" {
					refuse(w, 501, "NotImplemented", "A header you provided implies functionality that is not implemented.")
					return
				}
				accept(w, r)
			}
		},
	} {
		s := fake(t, handler())
		if works, err := s.ProbeIfNoneMatch(t.Context()); works || err != nil {
			t.Errorf("%s: %v, %v, want false", what, works, err)
		}
		if err := s.Put(t.Context(), remote.NewObject("a", nil)); err != nil {
			t.Errorf("%s: put after the probe: %v", what, err)
		}
	}
	s := fake(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, 503, "SlowDown", "") })
	if works, err := s.ProbeIfNoneMatch(t.Context()); works || !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("down: %v, %v, want ErrUnreachable", works, err)
	}
}
