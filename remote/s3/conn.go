package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// newTransport returns the HTTP transport for everything sent to the server.
func newTransport(o Options) (*http.Transport, error) {
	roots, err := loadRoots(o.CAFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: o.Dial, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: c, limit: o.Stall}, nil
		},
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: o.Dial,
		MaxIdleConnsPerHost: 32,
		// An idle connection must be gone before its watchdog barks.
		IdleConnTimeout: o.Stall / 2,
		// A server may refuse a large body by its headers alone; one that
		// does not know the question is waited for no longer than this.
		ExpectContinueTimeout: min(time.Second, o.Stall/4),
		DisableCompression:    true, // lengths are checked; objects do not compress
	}, nil
}

// loadRoots returns the system's certificate authorities and those in file;
// nil, which means the system's, without one.
func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		file = os.Getenv("AWS_CA_BUNDLE")
	}
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificate authorities in %s: no certificate in PEM form", file)
	}
	return roots, nil
}

// A stallConn is a connection on which nothing may stand still for longer than
// limit. Reading and writing count together: while a body goes out, someone is
// already waiting for the answer, and must not lose patience meanwhile.
type stallConn struct {
	net.Conn
	limit time.Duration
	until atomic.Int64 // deadline set from outside for writing, Unix nanoseconds; 0 is none
	dead  atomic.Bool  // a read stood still, upon which the connection gets closed
}

// stallPiece bounds one write, so that progress within a large one counts.
const stallPiece = 64 << 10

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.dead.Store(true)
	}
	return n, err
}

func (c *stallConn) Write(p []byte) (n int, err error) {
	for {
		m, err := c.writePiece(p[:min(len(p), stallPiece)])
		n, p = n+m, p[m:]
		if err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (c *stallConn) writePiece(p []byte) (n int, err error) {
	if err = c.Conn.SetWriteDeadline(c.writeDeadline()); err == nil {
		n, err = c.Conn.Write(p)
	}
	// Whoever is reading now starts to wait anew. If it cannot be set, the
	// reader has closed the connection, and says why.
	_ = c.Conn.SetReadDeadline(time.Now().Add(c.limit))
	if err != nil && c.dead.Load() {
		return n, os.ErrDeadlineExceeded // rather than that it was closed
	}
	return n, err
}

// SetWriteDeadline is used by TLS to close in good time.
func (c *stallConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.until.Store(0)
	} else {
		c.until.Store(t.UnixNano())
	}
	return c.Conn.SetWriteDeadline(t)
}

func (c *stallConn) writeDeadline() time.Time {
	d := time.Now().Add(c.limit)
	if set := c.until.Load(); set != 0 {
		if t := time.Unix(0, set); t.Before(d) {
			return t
		}
	}
	return d
}
