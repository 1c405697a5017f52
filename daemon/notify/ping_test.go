package notify

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A web is a receiver of requests that answers as it is told.
type web struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string // method, path and query, body
	header   http.Header
	answers  []int // one after another; the last stays
	hang     chan struct{}
}

func newWeb(t *testing.T, answers ...int) *web {
	t.Helper()
	w := &web{answers: answers, hang: make(chan struct{})}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	t.Cleanup(func() { close(w.hang) })
	return w
}

const hangs = 0 // an answer that does not come

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.requests = append(w.requests, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	w.header = r.Header.Clone()
	answer := http.StatusOK
	if len(w.answers) > 0 {
		answer = w.answers[0]
	}
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	w.mu.Unlock()
	if answer == hangs {
		<-w.hang
		return
	}
	if answer >= 300 && answer < 400 {
		rw.Header().Set("Location", "http://elsewhere.example/login")
	}
	rw.WriteHeader(answer)
	_, _ = io.WriteString(rw, `{"id":"1"}`)
}

func (w *web) got() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

func newPinger(t *testing.T, address string, timeout time.Duration) *Pinger {
	t.Helper()
	p, err := NewPinger(address, PingOptions{Timeout: timeout, Waits: []time.Duration{1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const run = "0d6bfa6a-1c1e-4b6d-9d4e-4d3f0a2b1c00"

func TestPing(t *testing.T) {
	for _, c := range []struct {
		path string
		kind PingKind
		run  string
		want string
	}{
		{"/key", PingStart, run, "POST /key/start?rid=" + run + " text"},
		{"/key", PingSuccess, run, "POST /key?rid=" + run + " text"},
		{"/key/", PingFail, run, "POST /key/fail?rid=" + run + " text"},
		{"/key", PingLog, "", "POST /key/log text"},
		{"/push/key?tag=a%2Fb", PingFail, run, "POST /push/key/fail?tag=a%2Fb&rid=" + run + " text"},
		{"/a%2Fb/", PingStart, "", "POST /a%2Fb/start text"},
	} {
		w := newWeb(t)
		if err := newPinger(t, w.URL+c.path, 0).Ping(t.Context(), c.kind, c.run, "text"); err != nil {
			t.Error(err)
		}
		if got := w.got(); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s, %s: got %q, want %q", c.path, c.kind, got, c.want)
		}
	}
}

func TestPingTriesAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []int
		tries   int
		want    string // "" is no error
	}{
		{"a busy service", []int{503, 429, 200}, 3, ""},
		{"a broken service", []int{500}, 4, "ping 127.0.0.1: it answered 500 Internal Server Error"},
		{"one that always hangs", []int{hangs}, 4, "ping 127.0.0.1: no answer in time"},
		{"no such key", []int{404}, 1, "ping 127.0.0.1: it answered 404 Not Found: refused: nothing is known there by this address"},
		{"no right", []int{403}, 1, "ping 127.0.0.1: it answered 403 Forbidden: refused"},
		{"a login page elsewhere", []int{302}, 1, "ping 127.0.0.1: it answered 302 Found: refused: it sends us elsewhere, so put the final address into the config"},
	} {
		w := newWeb(t, c.answers...)
		text, timeout := "", time.Duration(0)
		if c.answers[0] == hangs {
			timeout = 200 * time.Millisecond
		}
		if err := newPinger(t, w.URL+"/secretkey", timeout).Ping(t.Context(), PingSuccess, run, ""); err != nil {
			text = err.Error()
		}
		if text != c.want || len(w.got()) != c.tries {
			t.Errorf("%s: %d tries, %q; want %d, %q", c.name, len(w.got()), text, c.tries, c.want)
		}
	}
}

// Nobody listens, no such host, no TLS: the address is in none of the errors.
func TestPingErrorsKeepTheSecret(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	w := newWeb(t)
	for _, address := range []string{
		"http://" + closed, "http://" + closed + "/secretkey", "http://nowhere.invalid/secretkey", "http://user:secretkey@" + closed + "/?k=secretkey",
		strings.Replace(w.URL, "http:", "https:", 1) + "/secretkey",
	} {
		err := newPinger(t, address, 0).Ping(t.Context(), PingStart, run, "")
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), run) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "secretkey", "ftp://h/secretkey", "http:///secretkey", "https://h/%zzsecretkey", "https://h/#secretkey"} {
		if _, err := NewPinger(address, PingOptions{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestPingEndsWithItsContext(t *testing.T) {
	w := newWeb(t, 500)
	p, err := NewPinger(w.URL, PingOptions{Waits: []time.Duration{time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Ping(ctx, PingStart, run, "") }()
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
}

// A start that is still being tried when the run ends is given up: it would
// look like a run that hangs. One that was not begun yet is not sent at all.
func TestPingStartNeverComesLast(t *testing.T) {
	w := newWeb(t, 503, 200)
	p, err := NewPinger(w.URL+"/key", PingOptions{Waits: []time.Duration{time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- p.Ping(t.Context(), PingStart, run, "") }()
	for len(w.got()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := p.Ping(t.Context(), PingSuccess, run, ""); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := p.Ping(t.Context(), PingStart, run, ""); err != nil {
		t.Error(err)
	}
	if err := p.Ping(t.Context(), PingStart, "another", ""); err != nil {
		t.Error(err)
	}
	want := []string{"POST /key/start?rid=" + run + " ", "POST /key?rid=" + run + " ", "POST /key/start?rid=another "}
	if got := w.got(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPingTextIsTheEndOfTheLog(t *testing.T) {
	w := newWeb(t)
	text := strings.Repeat("line of a log ä\n", 5000) + "the end\n"
	if err := newPinger(t, w.URL, 0).Ping(t.Context(), PingLog, "", text); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(strings.TrimPrefix(w.got()[0], "POST "), " ")
	if len(body) > maxPing || len(body) < maxPing-100 || !strings.HasPrefix(body, "...\nline of") || !strings.HasSuffix(body, "\nthe end\n") {
		t.Errorf("%d bytes: %q ... %q", len(body), body[:20], body[len(body)-20:])
	}
	if got := tail(strings.Repeat("ä", maxPing), maxPing); len(got) > maxPing || strings.ToValidUTF8(got, "?") != got {
		t.Errorf("one long line: %d bytes", len(got))
	}
}

func TestNewRunID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if a, b := NewRunID(), NewRunID(); !form.MatchString(a) || a == b {
		t.Errorf("%s and %s", a, b)
	}
}
