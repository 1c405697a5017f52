package s3_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"
)

// It is the server that refuses a late publish: a client that believes it has
// all the time in the world gets ErrExpired, and the object stays invisible.
// The same for a body other than the one signed, and for a signed header left
// out.
//
// What the servers enforce, found here: both refuse after the expiry, a body
// whose checksum is another, and a request without a signed header (the
// checksum).
func TestServersRefuseWhatWasNotSigned(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			srv := servers.Start(t, kind, servers.HTTP)
			s := srv.Open(t, srv.NewBucket(t), "odd+prefix=x/p")
			late := stageFor(t, s, "late", 2*time.Second)
			for what, send := range map[string]func(url string, h http.Header) (int, string){
				"other body": func(url string, h http.Header) (int, string) { return sendPut(t, url, h, "other bytes!") },
				"no checksum": func(url string, h http.Header) (int, string) {
					h.Del("X-Amz-Checksum-Sha256")
					return sendPut(t, url, h, "staged bytes")
				},
				"other checksum": func(url string, h http.Header) (int, string) {
					h.Set("X-Amz-Checksum-Sha256", "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=")
					return sendPut(t, url, h, "foo")
				},
				"other name": func(url string, h http.Header) (int, string) {
					return sendPut(t, strings.Replace(url, "/p/", "/p/x", 1), h, "staged bytes")
				},
				"longer life": func(url string, h http.Header) (int, string) {
					return sendPut(t, strings.Replace(url, "X-Amz-Expires=60", "X-Amz-Expires=600", 1), h, "staged bytes")
				},
			} {
				name := strings.ReplaceAll(what, " ", "-")
				status, text := send(s3.Signed(stageFor(t, s, name, time.Minute)))
				if status/100 == 2 || status/100 == 5 {
					t.Errorf("%s: %d %s", what, status, text)
				}
				gone(t, s, name)
			}
			time.Sleep(3200 * time.Millisecond)
			s3.Forget(late)
			if err := late.Publish(t.Context()); !errors.Is(err, remote.ErrExpired) || !strings.Contains(err.Error(), "refused it as too late") {
				t.Errorf("publish late: %v, want ErrExpired from the server", err)
			}
			gone(t, s, "late")
			if names, err := list(t, s, "", ""); err != nil || len(names) != 0 {
				t.Errorf("list: %q, %v", names, err)
			}
		})
	}
}

func stageFor(t *testing.T, s *s3.Store, name string, life time.Duration) remote.Staged {
	t.Helper()
	st, err := s.Stage(t.Context(), remote.NewObject(name, []byte("staged bytes")), life)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func gone(t *testing.T, s *s3.Store, name string) {
	t.Helper()
	if _, err := s.Get(t.Context(), nil, name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get %s: %v, want fs.ErrNotExist", name, err)
	}
}

func sendPut(t *testing.T, url string, h http.Header, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range h {
		if name != "Host" && name != "Content-Length" {
			req.Header[name] = values
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// A body that comes in drips: what a server does when the time for the request
// ends while it is on the way. MinIO judges when the request begins, and stores
// it: a publish that was begun in time may become visible later, by as long as
// its body takes. versitygw judges when it has all of it, and refuses.
func TestWhenServersJudge(t *testing.T) {
	for kind, want := range map[servers.Kind]int{servers.MinIO: http.StatusOK, servers.VersityGW: http.StatusForbidden} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			srv := servers.Start(t, kind, servers.HTTP)
			s := srv.Open(t, srv.NewBucket(t), "p")
			url, h := s3.Signed(stageFor(t, s, "slow", 2*time.Second))
			r, w := io.Pipe()
			go func() {
				io.WriteString(w, "staged ")
				time.Sleep(4 * time.Second)
				io.WriteString(w, "bytes")
				w.Close()
			}()
			req, err := http.NewRequest(http.MethodPut, url, r)
			if err != nil {
				t.Fatal(err)
			}
			for name, values := range h {
				if name != "Host" {
					req.Header[name] = values
				}
			}
			req.ContentLength = int64(len("staged bytes"))
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("status %d, want %d", res.StatusCode, want)
			}
		})
	}
}

// The life is counted by the server's clock, whatever ours says.
func TestStageUsesTheServersClock(t *testing.T) {
	for _, off := range []time.Duration{-5 * time.Hour, 5 * time.Hour} {
		var query url.Values
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			if r.Method == http.MethodPut {
				query = r.URL.Query()
				accept(w, r)
			} else {
				page(w, false, "")
			}
		})
		if err := stageFor(t, s, "a", time.Minute).Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		signed, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
		if err != nil || time.Since(signed.Add(-off)).Abs() > 10*time.Second || query.Get("X-Amz-Expires") != "60" {
			t.Errorf("%s off: signed %s, %v", off, signed, query)
		}
		now, err := s.Now(t.Context())
		if err != nil || time.Until(now.Add(-off)).Abs() > 3*time.Second {
			t.Errorf("%s off: now %s, %v", off, now, err)
		}
	}
}

// A clock that is wrong by more than the server bears is corrected from its
// answer.
func TestWrongLocalClock(t *testing.T) {
	const off = 7 * time.Hour
	n := 0
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || time.Until(signed.Add(-off)).Abs() > 15*time.Minute {
			refuse(w, 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
			return
		}
		w.Header().Set("ETag", `"0"`)
	})
	for range 3 {
		if err := s.Put(t.Context(), remote.NewObject("a", []byte("x"))); err != nil {
			t.Errorf("put: %v", err)
		}
	}
	if n != 4 {
		t.Errorf("%d requests, want one more than puts", n)
	}
}

// Expiry as servers put it into words, and as their clock tells.
func TestExpiredAnswers(t *testing.T) {
	for _, c := range []struct {
		status        int
		code, message string
		ahead         time.Duration // of the answer's date
		want          error
	}{
		{403, "AccessDenied", "Request has expired", 0, remote.ErrExpired},
		{403, "AccessDenied", "Request has expired.", 0, remote.ErrExpired},
		{400, "ExpiredPresignRequest", "", 0, remote.ErrExpired},
		{403, "Whatever", "no", 2 * time.Minute, remote.ErrExpired},
		{403, "AccessDenied", "Access Denied", 0, fs.ErrPermission},
		{400, "ExpiredToken", "The provided token has expired.", 0, fs.ErrPermission},
		{503, "SlowDown", "expired", 2 * time.Minute, remote.ErrUnreachable},
	} {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.Header().Set("Date", time.Now().Add(c.ahead).UTC().Format(http.TimeFormat))
				refuse(w, c.status, c.code, c.message)
			} else {
				page(w, false, "")
			}
		})
		if err := stageFor(t, s, "a", time.Minute).Publish(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// An answer is lost and the next try is too late: what was stored by the first
// counts, and only that.
func TestPublishLateAfterALostAnswer(t *testing.T) {
	for _, stored := range []bool{true, false} {
		puts, other := 0, false
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut && puts == 0:
				puts++
				c, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					c.Close()
				}
			case r.Method == http.MethodPut:
				puts++
				refuse(w, 403, "AccessDenied", "Request has expired")
			case !strings.HasSuffix(r.URL.Path, "/p/a"):
				page(w, false, "")
			case !stored:
				refuse(w, 404, "NoSuchKey", "")
			case other:
				io.WriteString(w, "STAGED BYTES")
			default:
				io.WriteString(w, "staged bytes")
			}
		}))
		t.Cleanup(srv.Close)
		st := stageFor(t, open(t, srv.URL, nil), "a", time.Minute)
		if err := st.Publish(t.Context()); !errors.Is(err, remote.ErrUnreachable) {
			t.Fatalf("publish: %v, want ErrUnreachable", err)
		}
		if other = true; stored {
			if err := st.Publish(t.Context()); !errors.Is(err, remote.ErrExpired) {
				t.Errorf("other bytes are there: %v, want ErrExpired", err)
			}
		}
		other = false
		err := st.Publish(t.Context())
		if stored && err != nil || !stored && !errors.Is(err, remote.ErrExpired) {
			t.Errorf("stored %v: %v", stored, err)
		}
	}
}

// Retry, on top, makes one publish of it.
func TestPublishRetried(t *testing.T) {
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	s := srv.Open(t, srv.NewBucket(t), "")
	r := remote.Retry(s, remote.RetryOptions{Attempts: 2, First: time.Millisecond})
	o := remote.NewObject("a", bytes.Repeat([]byte("x"), 1000))
	st, err := r.Stage(t.Context(), o, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := st.Publish(t.Context()); err != nil {
			t.Errorf("publish: %v", err)
		}
	}
	srv.Stop()
	if err := r.Put(t.Context(), o); !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), "after 2 tries") {
		t.Errorf("put: %v, want ErrUnreachable after 2 tries", err)
	}
}
