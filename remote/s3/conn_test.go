package s3_test

import (
	"bufio"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
)

func writeCA(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// raw serves each connection with serve, after reading the request's header.
func raw(t *testing.T, serve func(net.Conn, *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					serve(c, r)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// hang keeps a connection open until the test ends.
func hang(t *testing.T) func() {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	return func() { <-done }
}

const stall = time.Second

func stalling(o *s3.Options) { o.Stall = stall }

// wantStall checks that an operation failed because nothing moved, soon.
func wantStall(t *testing.T, what string, start time.Time, err error) {
	t.Helper()
	if !errors.Is(err, remote.ErrUnreachable) || remote.Final(err) || !strings.Contains(err.Error(), "nothing moved") {
		t.Errorf("%s: %v, want a stall worth a retry", what, err)
	}
	if took := time.Since(start); took < stall || took > 30*time.Second {
		t.Errorf("%s: took %s", what, took)
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	wait := hang(t)
	big := remote.NewObject("big", make([]byte, 32<<20))

	silent := open(t, raw(t, func(net.Conn, *http.Request) { wait() }), stalling)
	start := time.Now()
	_, err := silent.Get(t.Context(), nil, "a", 0, -1)
	wantStall(t, "get without an answer", start, err)
	start = time.Now()
	wantStall(t, "put that nobody reads", start, silent.Put(t.Context(), big))
	start = time.Now()
	wantStall(t, "put without an answer", start, silent.Put(t.Context(), remote.NewObject("small", []byte("x"))))

	half := open(t, raw(t, func(c net.Conn, _ *http.Request) {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n%s", strings.Repeat("x", 500))
		wait()
	}), stalling)
	start = time.Now()
	_, err = half.Get(t.Context(), nil, "a", 0, -1)
	wantStall(t, "get of half an answer", start, err)
}

// What moves slowly is no stall, however long it takes.
func TestSlowIsNoStall(t *testing.T) {
	t.Parallel()
	s := open(t, raw(t, func(c net.Conn, r *http.Request) {
		if r.Method == http.MethodPut {
			// A reader that takes a piece at a time; the answer comes long
			// after the patience for reading would have ended.
			buf := make([]byte, 1<<20)
			for n := 0; n < 32<<20; n += len(buf) {
				if _, err := io.ReadFull(c, buf[:min(len(buf), 32<<20-n-4096)]); err != nil {
					break
				}
				time.Sleep(stall / 15)
			}
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nContent-Length: 0\r\n\r\n")
			return
		}
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
		for range 10 {
			time.Sleep(stall / 4)
			fmt.Fprint(c, "x")
		}
	}), stalling)
	start := time.Now()
	if got, err := s.Get(t.Context(), nil, "a", 0, -1); err != nil || len(got) != 10 {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	if err := s.Put(t.Context(), remote.NewObject("big", make([]byte, 32<<20))); err != nil {
		t.Errorf("put: %v", err)
	}
	if took := time.Since(start); took < 2*stall {
		t.Errorf("took %s only", took)
	}
}

// Held to a bandwidth, a transfer stands still on purpose, but never so long
// that it looks dead.
func TestLimitIsNoStall(t *testing.T) {
	var got int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0"`)
	}))
	t.Cleanup(srv.Close)
	s := remote.Limit(open(t, srv.URL, func(o *s3.Options) { o.Stall = 2 * time.Second }), 50_000, 0)
	start := time.Now()
	if err := s.Put(t.Context(), remote.NewObject("a", make([]byte, 150_000))); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); got != 150_000 || took < 2500*time.Millisecond || took > 6*time.Second {
		t.Errorf("%d bytes in %s at 50,000 a second", got, took)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	plain := httptest.NewServer(http.HandlerFunc(accept))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(accept))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of our bad manners
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		what, endpoint, says string
		final                bool
	}{
		{"nobody there", "http://" + l.Addr().String(), "connection refused", false},
		{"unknown authority", secure.URL, "certificate is not trusted", true},
		{"TLS to a plain server", strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS", true},
		{"cut off", raw(t, func(_ net.Conn, r *http.Request) { io.Copy(io.Discard, r.Body) }), "EOF", false},
	} {
		s := open(t, c.endpoint, nil)
		err := s.Put(t.Context(), remote.NewObject("packs/a", []byte("x")))
		if !errors.Is(err, remote.ErrUnreachable) || remote.Final(err) != c.final {
			t.Errorf("%s: %v, want ErrUnreachable, final %v", c.what, err, c.final)
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.endpoint+"/bucket") || !strings.Contains(err.Error(), "packs/a") {
			t.Errorf("%s: %v, want it to name the place and say %q", c.what, err, c.says)
		}
		if errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "Signature") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestCAFile(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(accept))
	t.Cleanup(srv.Close)
	ca := writeCA(t, srv)
	o := remote.NewObject("a", []byte("x"))
	if err := open(t, srv.URL, func(o *s3.Options) { o.CAFile = ca }).Put(t.Context(), o); err != nil {
		t.Errorf("by option: %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", ca)
	if err := open(t, srv.URL, nil).Put(t.Context(), o); err != nil {
		t.Errorf("by environment: %v", err)
	}
	for _, file := range []string{ca + ".gone", os.Args[0]} {
		_, err := s3.Open(t.Context(), s3.Options{Location: s3.Location{Bucket: "bucket"}, CAFile: file})
		if err == nil || !strings.Contains(err.Error(), "certificate authorities") {
			t.Errorf("open with %s as CA file: %v", file, err)
		}
	}
}
