package notify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A PingKind is what a ping says of a run.
type PingKind string

const (
	PingStart   PingKind = "start"
	PingSuccess PingKind = ""     // to the address itself
	PingFail    PingKind = "fail" // it failed, or it missed files
	PingLog     PingKind = "log"  // it was skipped; neither good nor bad
)

// maxPing bounds the text that goes with a ping, in bytes.
const maxPing = 10_000

// PingOptions are what a Pinger may be told; the zero value is right.
type PingOptions struct {
	Client  *http.Client    // nil is one that follows no redirect elsewhere
	Timeout time.Duration   // of one try; 0 is 10 s
	Waits   []time.Duration // before each further try; nil is 1 s, 5 s and 15 s
}

// A Pinger tells one address how runs go. Calls may overlap: the id of the run
// keeps them apart.
type Pinger struct {
	base *url.URL
	opts PingOptions

	mu     sync.Mutex
	starts map[string]*starting // guarded by mu: by run, the pings of starts on their way
	ended  []string             // guarded by mu: the runs whose end was told last
}

// starting is the ping of a start on its way.
type starting struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// NewPinger takes the address that a check of the service has.
func NewPinger(address string, o PingOptions) (*Pinger, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return nil, errors.New(`read the ping address: it is none; it looks like "https://hc-ping.com/" and a key`)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	if o.Client == nil {
		o.Client = newClient()
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Waits == nil {
		o.Waits = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second}
	}
	return &Pinger{base: u, opts: o, starts: map[string]*starting{}}, nil
}

// NewRunID makes a random name for a run, in the form that services want.
func NewRunID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Ping tells of one run, with a text for whoever looks at it there: the end of
// a log, at most 10 kB of it. With its retries it can take a minute, so a run
// does not wait for it. The end of a run takes the place of its start that is
// still on its way: a start that comes last would look like a run that hangs.
// The error never holds the address.
func (p *Pinger) Ping(ctx context.Context, kind PingKind, run, text string) error {
	switch {
	case run == "":
	case kind == PingStart:
		begun, done, late := p.begin(ctx, run)
		if late {
			return nil
		}
		defer done()
		if err := p.send(begun, kind, run, text); ctx.Err() != nil || begun.Err() == nil {
			return err
		}
		return nil // its end took its place
	case kind == PingSuccess || kind == PingFail:
		p.end(run)
	}
	return p.send(ctx, kind, run, text)
}

// begin notes that the start of a run is on its way, or that it comes too late.
func (p *Pinger) begin(ctx context.Context, run string) (_ context.Context, done func(), late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.ended, run) {
		return nil, nil, true
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &starting{cancel, make(chan struct{})}
	p.starts[run] = s
	return ctx, func() {
		cancel()
		p.mu.Lock()
		delete(p.starts, run)
		p.mu.Unlock()
		close(s.done)
	}, false
}

// end stops the ping of a run's start, and waits until it has stopped.
func (p *Pinger) end(run string) {
	const remembered = 64
	p.mu.Lock()
	p.ended = append(p.ended, run)
	if len(p.ended) > remembered {
		p.ended = slices.Delete(p.ended, 0, 1)
	}
	s := p.starts[run]
	p.mu.Unlock()
	if s != nil {
		s.cancel()
		<-s.done
	}
}

// send makes all the tries of one ping.
func (p *Pinger) send(ctx context.Context, kind PingKind, run, text string) error {
	target := p.address(kind, run)
	for try := 0; ; try++ {
		err := p.once(ctx, target, tail(text, maxPing))
		if err == nil {
			return nil
		}
		if try == len(p.opts.Waits) || errors.Is(err, ErrRefused) || ctx.Err() != nil {
			return fmt.Errorf("ping %s: %w", p.base.Hostname(), err)
		}
		if err := wait(ctx, p.opts.Waits[try]); err != nil {
			return fmt.Errorf("ping %s: %w", p.base.Hostname(), err)
		}
	}
}

// address puts kind and run into the address, and leaves its own query as it is.
func (p *Pinger) address(kind PingKind, run string) string {
	u := *p.base
	if kind != PingSuccess {
		u.Path += "/" + string(kind)
		if u.RawPath != "" {
			u.RawPath += "/" + string(kind)
		}
	}
	if run != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += "rid=" + url.QueryEscape(run)
	}
	return u.String()
}

// once makes one try.
func (p *Pinger) once(ctx context.Context, target, text string) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(text))
	if err != nil {
		return errors.New("its address is none")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "coffer")
	resp, err := p.opts.Client.Do(req)
	if err != nil {
		return errors.New(explain(unwrapURL(err), target))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection ends well
	return judge(resp.StatusCode)
}

// judge makes an error of a status.
func judge(status int) error {
	text := fmt.Sprintf("it answered %d %s", status, http.StatusText(status))
	switch {
	case status < 300:
		return nil
	case status < 400:
		return fmt.Errorf("%s: %w: it sends us elsewhere, so put the final address into the config", text, ErrRefused)
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return errors.New(text)
	case status == http.StatusNotFound || status == http.StatusGone:
		return fmt.Errorf("%s: %w: nothing is known there by this address", text, ErrRefused)
	}
	return fmt.Errorf("%s: %w", text, ErrRefused)
}

// tail keeps the end of a text, from the begin of a line if one is near.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const more = "...\n"
	end := text[len(text)-n+len(more):]
	if i := strings.IndexByte(end, '\n'); i >= 0 && i < n/2 {
		end = end[i+1:]
	}
	return more + strings.ToValidUTF8(end, "")
}

// newClient makes a client that keeps no connection, as an idle daemon should
// not, and follows a redirect to the same host only: the next host would learn
// the address.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != via[0].URL.Host || len(via) > 5 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// unwrapURL takes the error out of the one that names the address.
func unwrapURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
