package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// ErrNotLoopback: others could reach the address, and nobody allowed that.
var ErrNotLoopback = errors.New("it is no loopback address")

// Listen opens an address, host:port, which is to be a loopback one unless
// allowRemote is set. Port 0 is any free one.
func Listen(ctx context.Context, address string, allowRemote bool) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open web address %s: %w", address, err)
	}
	bound, err := netip.ParseAddrPort(l.Addr().String())
	if !allowRemote && (err != nil || !bound.Addr().Unmap().IsLoopback()) {
		l.Close()
		return nil, fmt.Errorf("open web address %s: %w; take 127.0.0.1, or allow others with web-allow-remote", address, ErrNotLoopback)
	}
	return l, nil
}

// Serve answers on l, which it closes, until ctx ends. Whoever is slow to ask
// or to read is cut off, so that an idle daemon stays idle.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve web page: %w", err)
}
