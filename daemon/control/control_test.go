package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/daemon/report"
)

// fake is a daemon that remembers what it was told.
type fake struct {
	paused  atomic.Int64
	resumed atomic.Bool
	bad     atomic.Bool
}

func (f *fake) Status() report.Status {
	return report.Status{PID: 42, Jobs: []report.JobStatus{{Job: "backup work"}}}
}
func (f *fake) Pause(d time.Duration) { f.paused.Store(int64(d)) }
func (f *fake) Resume()               { f.resumed.Store(true) }
func (f *fake) Reload() error {
	if f.bad.Load() {
		return errors.New("line 7: what is this?")
	}
	return nil
}

// serve starts a server, and returns its client and how to end it.
func serve(t *testing.T, path string, d Daemon, work Work) (*Client, func() error) {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, path, d, work, 5*time.Second) }()
	stop := func() error { cancel(); err := <-ended; ended <- err; return err }
	t.Cleanup(func() { stop() })
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, stop
}

func TestOrders(t *testing.T) {
	d := new(fake)
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("without a daemon: %v", err)
	}
	c, stop := serve(t, path, d, nil)
	if s, err := c.Status(t.Context()); err != nil || s.PID != 42 || len(s.Jobs) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.Pause(t.Context(), 2*time.Hour); err != nil || d.paused.Load() != int64(2*time.Hour) {
		t.Errorf("pause: %v, %d", err, d.paused.Load())
	}
	if _, err := c.Resume(t.Context()); err != nil || !d.resumed.Load() {
		t.Errorf("resume: %v", err)
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	d.bad.Store(true)
	if _, err := c.Reload(t.Context()); err == nil || err.Error() != "line 7: what is this?" {
		t.Errorf("reload of a bad config: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	if _, err := Listen(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second daemon: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// A socket that a killed daemon left is in nobody's way, and a home with a long
// name is no obstacle.
func TestSocketOfTheDead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	path := filepath.Join(dir, "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // the name stays, as after a kill
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("nobody answers: %v", err)
	}
	c, _ := serve(t, path, new(fake), nil)
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWork(t *testing.T) {
	c, _ := serve(t, filepath.Join(t.TempDir(), "s"), new(fake), func(_ context.Context, request json.RawMessage, s *Stream) int {
		fmt.Fprintf(s.Out(), "asked for %s\n", request)
		fmt.Fprint(s.Err(), "\xff raw bytes")
		_ = s.Send(Frame{State: json.RawMessage(`{"done":1}`)})
		return 3
	})
	var out, errs, states string
	exit, err := c.Do(t.Context(), map[string]int{"n": 1}, func(f Frame) {
		out, errs, states = out+string(f.Out), errs+string(f.Err), states+string(f.State)
	})
	if err != nil || exit != 3 || out != "asked for {\"n\":1}\n" || errs != "\xff raw bytes" || states != `{"done":1}` {
		t.Errorf("%d, %v: %q %q %q", exit, err, out, errs, states)
	}
}

// Work that is called off may still say so; work whose caller vanished ends.
func TestCalledOff(t *testing.T) {
	ended := make(chan error, 2)
	began := make(chan bool, 2)
	c, stop := serve(t, filepath.Join(t.TempDir(), "s"), new(fake), func(ctx context.Context, _ json.RawMessage, s *Stream) int {
		began <- true
		<-ctx.Done()
		ended <- ctx.Err()
		fmt.Fprint(s.Err(), "interrupted")
		return 130
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	var said string
	if exit, err := c.Do(ctx, nil, func(f Frame) { said += string(f.Err) }); err != nil || exit != 130 || said != "interrupted" {
		t.Errorf("called off: %d, %v, %q", exit, err, said)
	}
	<-ended

	gone := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), nil, func(Frame) {})
		gone <- err
	}()
	<-began
	c.http.Transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	if err := stop(); err != nil { // the daemon ends, and its work with it
		t.Error(err)
	}
	<-ended
	if err := <-gone; err != nil {
		t.Errorf("the end of the work was not told: %v", err)
	}
}
