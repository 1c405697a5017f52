package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A proxy stands between the programs and an S3 server, counts requests and
// uploaded bytes, and can be as slow as a link. The host that a program signs
// is handed on, so the signatures stay valid.
type proxy struct {
	addr, bucket string
	all, puts    atomic.Int64
	up           atomic.Int64 // bytes
	server       *http.Server
	link         *link
}

// newProxy listens on a free port and hands on to raw, http://host/bucket.
func newProxy(raw string, mbit float64) (*proxy, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	p := &proxy{bucket: strings.Trim(u.Path, "/"), link: &link{rate: mbit * 1e6 / 8}}
	if u.Host == "" || p.bucket == "" {
		return nil, fmt.Errorf("-s3 %s: want http://HOST:PORT/BUCKET", raw)
	}
	to := &url.URL{Scheme: u.Scheme, Host: u.Host}
	onward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.addr = l.Addr().String()
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.all.Add(1)
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			p.puts.Add(1)
			r.Body = &upload{r.Body, p, r.Context()}
		}
		onward.ServeHTTP(w, r)
	})}
	go p.server.Serve(l)
	return p, nil
}

func (p *proxy) close() { p.server.Close() }

// An upload is the body of a request on its way.
type upload struct {
	io.ReadCloser
	p   *proxy
	ctx context.Context
}

func (u *upload) Read(b []byte) (int, error) {
	n, err := u.ReadCloser.Read(b)
	u.p.up.Add(int64(n))
	u.p.link.wait(u.ctx, n)
	return n, err
}

// A link lets so many bytes a second through, of all uploads together.
type link struct {
	rate float64 // bytes a second; 0 is no limit
	mu   sync.Mutex
	free time.Time // guarded by mu: when what was let through has passed
}

func (l *link) wait(ctx context.Context, n int) {
	if l.rate <= 0 {
		return
	}
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	pause := l.free.Sub(now)
	l.mu.Unlock()
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}
