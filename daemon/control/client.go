package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"coffer/daemon/report"
)

// ErrNoDaemon: nobody answers on the socket.
var ErrNoDaemon = errors.New("no daemon is running")

// A Client talks to the daemon behind a socket. It is safe for concurrent use.
type Client struct {
	http *http.Client
	path string
}

// Dial looks whether a daemon answers on the socket at path: ErrNoDaemon if
// none does.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	conn.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) }}
	return &Client{&http.Client{Transport: transport}, path}, nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	address, release, err := short(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoDaemon
	}
	if err != nil {
		return nil, err
	}
	defer release()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", address)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoDaemon
	case err != nil:
		return nil, fmt.Errorf("reach the daemon at %s: %w", path, err)
	}
	return conn, nil
}

// Close gives the connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how everything stands.
func (c *Client) Status(ctx context.Context) (report.Status, error) {
	return c.ask(ctx, http.MethodGet, "/v1/status", nil)
}

// Pause keeps scheduled runs from beginning for a while; 0 is until Resume.
func (c *Client) Pause(ctx context.Context, length time.Duration) (report.Status, error) {
	return c.ask(ctx, http.MethodPost, "/v1/pause", pause{length})
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context) (report.Status, error) {
	return c.ask(ctx, http.MethodPost, "/v1/resume", nil)
}

// Reload makes the daemon read its config anew. The error is what is wrong
// with it.
func (c *Client) Reload(ctx context.Context) (report.Status, error) {
	return c.ask(ctx, http.MethodPost, "/v1/reload", nil)
}

// askTimeout bounds a question: a daemon that was stopped answers none.
const askTimeout = 20 * time.Second

// maxAnswer bounds an answer and a frame, in bytes.
const maxAnswer = 16 << 20

func (c *Client) ask(ctx context.Context, method, path string, body any) (s report.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return s, fmt.Errorf("ask the daemon: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return s, errors.New(strings.TrimSpace(string(data)))
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return s, nil
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	// The host is not looked at: there is one daemon behind a socket.
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon at %s: %w", c.path, err)
	}
	return res, nil
}

// order is a piece of work as it is handed over. ID is the caller's own, by
// which it can be called off.
type order struct {
	ID      string          `json:"id"`
	Request json.RawMessage `json:"request,omitempty"`
}

// Do hands a piece of work to the daemon, calls on for each frame but the
// last, and returns the exit code. When ctx ends the work is called off, and
// what it says to that still comes.
func (c *Client) Do(ctx context.Context, request any, on func(Frame)) (exit int, err error) {
	data, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	o := order{ID: report.NewID(), Request: data}
	res, err := c.send(context.WithoutCancel(ctx), http.MethodPost, "/v1/do", o)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return 0, errors.New(strings.TrimSpace(string(data)))
	}
	defer context.AfterFunc(ctx, func() { c.callOff(o.ID) })()
	return frames(res.Body, on)
}

// callOff ends a piece of work. If that does not get through, going away does
// the same.
func (c *Client) callOff(id string) {
	if res, err := c.send(context.Background(), http.MethodPost, "/v1/calloff", order{ID: id}); err == nil {
		res.Body.Close()
	}
}

// frames reads frames to the last.
func frames(r io.Reader, on func(Frame)) (exit int, err error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return 0, errCutOff
		}
		var f Frame
		if err := json.Unmarshal(line, &f); err != nil {
			return 0, fmt.Errorf("read the daemon's answer: %w", err)
		}
		if f.Exit != nil {
			return *f.Exit, nil
		}
		on(f)
	}
}
