package s3_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"testing"

	"coffer/remote"
)

// Answers to a request for bytes 10 to 19 that contradict it or themselves.
func TestGetDamaged(t *testing.T) {
	ten := strings.Repeat("x", 10)
	for what, c := range map[string]struct {
		status, contentRange, body string
	}{
		"whole object":        {"200 OK", "", ten},
		"another range":       {"206 Partial Content", "bytes 11-20/100", ten},
		"shorter range":       {"206 Partial Content", "bytes 10-14/100", "xxxxx"},
		"longer range":        {"206 Partial Content", "bytes 10-29/100", ten + ten},
		"range and length":    {"206 Partial Content", "bytes 10-19/100", "xxxxx"},
		"no range":            {"206 Partial Content", "", ten},
		"nonsense":            {"206 Partial Content", "ten bytes", ten},
		"end before the end":  {"206 Partial Content", "bytes 10-14/16", "xxxxx"},
		"more than the whole": {"206 Partial Content", "bytes 10-19/15", ten},
	} {
		s := open(t, raw(t, func(conn net.Conn, _ *http.Request) {
			fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: %d\r\n", c.status, len(c.body))
			if c.contentRange != "" {
				fmt.Fprintf(conn, "Content-Range: %s\r\n", c.contentRange)
			}
			fmt.Fprintf(conn, "\r\n%s", c.body)
		}), nil)
		got, err := s.Get(t.Context(), []byte("dst"), "a", 10, 10)
		if !errors.Is(err, remote.ErrDamaged) || string(got) != "dst" {
			t.Errorf("%s: %q, %v, want ErrDamaged", what, got, err)
		}
	}
}

func TestGetTruncated(t *testing.T) {
	for what, header := range map[string]string{
		"whole": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
		"range": "HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\nContent-Range: bytes 0-999/5000\r\n\r\n",
	} {
		s := open(t, raw(t, func(conn net.Conn, _ *http.Request) {
			fmt.Fprint(conn, header, strings.Repeat("x", 999))
		}), nil)
		n := int64(-1)
		if what == "range" {
			n = 1000
		}
		got, err := s.Get(t.Context(), []byte("dst"), "a", 0, n)
		if !errors.Is(err, remote.ErrUnreachable) || remote.Final(err) || string(got) != "dst" {
			t.Errorf("%s: %q, %v, want an error worth a retry", what, got, err)
		}
	}
	for total, want := range map[int]error{10: nil, 11: remote.ErrDamaged} {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", total))
			refuse(w, 416, "InvalidRange", "The requested range is not satisfiable")
		})
		if got, err := s.Get(t.Context(), nil, "a", 10, 10); !errors.Is(err, want) || len(got) != 0 {
			t.Errorf("range beyond %d bytes: %v, want %v", total, err, want)
		}
	}
	// Without a length, an end tells nothing.
	s := open(t, raw(t, func(conn net.Conn, _ *http.Request) {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n0\r\n\r\n")
	}), nil)
	if _, err := s.Get(t.Context(), nil, "a", 0, -1); !errors.Is(err, remote.ErrDamaged) {
		t.Errorf("no length: %v, want ErrDamaged", err)
	}
}

// A server that ignores the range of a request from the start gives more than
// asked for; an object larger than any of ours is not read whole.
func TestGetBounds(t *testing.T) {
	s := open(t, raw(t, func(conn net.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s", strings.Repeat("x", 100))
	}), nil)
	if got, err := s.Get(t.Context(), nil, "a", 0, 10); err != nil || len(got) != 10 {
		t.Errorf("get 10 of 100: %d bytes, %v", len(got), err)
	}
	s = open(t, raw(t, func(conn net.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", int64(1)<<50)
		piece := make([]byte, 1<<20)
		for {
			if _, err := conn.Write(piece); err != nil {
				return
			}
		}
	}), nil)
	got, err := s.Get(t.Context(), nil, "a", 0, -1)
	if err != nil || len(got) != remote.MaxObject {
		t.Errorf("get of 2^50 bytes: %d bytes, %v, want MaxObject", len(got), err)
	}
}

// A connection is used again after a Get, or each would cost a handshake.
func TestGetKeepsTheConnection(t *testing.T) {
	seen := make(map[string]bool)
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.RemoteAddr] = true
		w.Header().Set("Content-Length", "100000")
		fmt.Fprint(w, strings.Repeat("x", 100000))
	})
	for range 5 {
		if _, err := s.Get(t.Context(), nil, "a", 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d connections for five gets", len(seen))
	}
}

// Absence is said by its code: a 404 of whatever else stands at the address
// must not look like an object that is not there.
func TestAbsenceIsSaidByItsCode(t *testing.T) {
	for what, answer := range map[string]http.HandlerFunc{
		"web server": http.NotFound,
		"no body":    func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) },
		"account":    func(w http.ResponseWriter, r *http.Request) { refuse(w, 404, "NoSuchAccount", "") },
	} {
		s := fake(t, answer)
		for _, n := range []int64{-1, 0, 10} {
			if _, err := s.Get(t.Context(), nil, "a", 0, n); err == nil || errors.Is(err, fs.ErrNotExist) || !remote.Final(err) {
				t.Errorf("%s: get %d: %v, want a final error that is not fs.ErrNotExist", what, n, err)
			}
		}
		if err := s.Delete(t.Context(), "a"); err == nil {
			t.Errorf("%s: delete succeeded", what)
		}
		if _, err := s.Now(t.Context()); err == nil {
			t.Errorf("%s: now succeeded", what)
		}
	}
}
