package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"coffer/daemon/report"
)

// A Daemon is what can be asked and told.
type Daemon interface {
	Status() report.Status
	Pause(length time.Duration)
	Resume()
	Reload() error
}

// Work does what a request asks for, and returns the exit code. ctx ends when
// the caller goes away.
type Work func(ctx context.Context, request json.RawMessage, s *Stream) (exit int)

// maxRequest bounds a request, in bytes.
const maxRequest = 1 << 20

// Listen opens the socket at path, for its owner only, in a folder of its
// owner's. A socket that a killed daemon left is replaced; one that answers
// means that another daemon is at work.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := clear(path); err != nil {
		return nil, fmt.Errorf("open control socket %s: %w", path, err)
	}
	address, release, err := short(path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	defer release()
	l, err := net.Listen("unix", address)
	if err != nil {
		return nil, fmt.Errorf("open control socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by its short name it could not; Serve removes it
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), l.Close())
	}
	return l, nil
}

// clear removes a socket that a killed daemon left, and nothing else.
func clear(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("something that is no socket is there")
	}
	c, err := dial(context.Background(), path)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("another daemon answers there: %w", fs.ErrExist)
	case !errors.Is(err, ErrNoDaemon):
		return err
	}
	return os.Remove(path)
}

// short gives a name by which a socket can be opened: names longer than the
// system takes are reached through their folder, where the system can.
func short(path string) (address string, release func(), err error) {
	if len(path) < len(syscall.RawSockaddrUnix{}.Path) {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	address = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if _, err := os.Stat(filepath.Dir(address)); err != nil {
		dir.Close()
		return "", nil, fmt.Errorf("%s: the name is too long for a socket; set COFFER_SOCKET to a shorter one", path)
	}
	return address, func() { dir.Close() }, nil
}

// Serve answers on l until ctx ends; then it cancels the work at hand and
// waits for it, for as long as grace. It closes l and removes the socket.
func Serve(ctx context.Context, l net.Listener, path string, d Daemon, work Work, grace time.Duration) error {
	working, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &http.Server{
		Handler:           handler(d, work),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return working },
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	cancel()
	limited, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	err := s.Shutdown(limited)
	if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

func handler(d Daemon, work Work) http.Handler {
	o := &orders{work: work, byID: map[string]context.CancelFunc{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.Status()) })
	mux.HandleFunc("POST /v1/pause", func(w http.ResponseWriter, r *http.Request) {
		var p pause
		if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&p); err != nil || p.For < 0 {
			http.Error(w, "not a pause", http.StatusBadRequest)
			return
		}
		d.Pause(p.For)
		answer(w, d.Status())
	})
	mux.HandleFunc("POST /v1/resume", func(w http.ResponseWriter, _ *http.Request) {
		d.Resume()
		answer(w, d.Status())
	})
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := d.Reload(); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer(w, d.Status())
	})
	mux.HandleFunc("POST /v1/do", o.do)
	mux.HandleFunc("POST /v1/calloff", o.callOff)
	return mux
}

// pause is the request to pause; 0 is until resumed.
type pause struct {
	For time.Duration `json:"for"`
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who went away needs no answer
}

// orders are the pieces of work at hand.
type orders struct {
	work Work
	mu   sync.Mutex
	byID map[string]context.CancelFunc // guarded by mu
}

func readOrder(r *http.Request) (o order, err error) {
	err = json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&o)
	_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the caller goes away
	if err == nil && o.ID == "" {
		err = errors.New("an order has an id")
	}
	return o, err
}

// do runs a piece of work and streams it.
func (s *orders) do(w http.ResponseWriter, r *http.Request) {
	o, err := readOrder(r)
	if err != nil {
		http.Error(w, "not an order", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s.enter(o.ID, cancel)
	defer s.enter(o.ID, nil)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	stream := &Stream{enc: json.NewEncoder(w), out: http.NewResponseController(w)}
	_ = stream.out.Flush() // the caller may call it off from now on
	exit := s.work(ctx, o.Request, stream)
	_ = stream.Send(Frame{Exit: &exit}) // who went away needs none
}

// enter notes how to end a piece of work; nil: that it is over.
func (s *orders) enter(id string, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel == nil {
		delete(s.byID, id)
		return
	}
	s.byID[id] = cancel
}

func (s *orders) callOff(w http.ResponseWriter, r *http.Request) {
	o, err := readOrder(r)
	s.mu.Lock()
	cancel := s.byID[o.ID]
	s.mu.Unlock()
	if err != nil || cancel == nil {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	cancel()
	w.WriteHeader(http.StatusNoContent)
}
