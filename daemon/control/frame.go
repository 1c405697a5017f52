package control

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// A Frame is one line of the answer to a piece of work. One field is set.
type Frame struct {
	Out   []byte          `json:"out,omitempty"`   // bytes for the standard output
	Err   []byte          `json:"err,omitempty"`   // bytes for the error stream
	State json.RawMessage `json:"state,omitempty"` // how far the work is; the two ends agree on its form
	Exit  *int            `json:"exit,omitempty"`  // the last frame: the exit code
}

// A Stream carries frames to whoever asked for the work. It is safe for
// concurrent use. Once a write fails, all later ones do.
type Stream struct {
	mu  sync.Mutex
	enc *json.Encoder
	out *http.ResponseController
	err error // guarded by mu
}

// Send sends one frame at once.
func (s *Stream) Send(f Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		_ = s.out.SetWriteDeadline(time.Now().Add(patience))
		s.err = s.enc.Encode(f)
	}
	if s.err == nil {
		s.err = s.out.Flush()
	}
	return s.err
}

// patience is how long a frame waits for who does not read: a command that was
// stopped must not hold up the work. It sees no more of it then.
const patience = 30 * time.Second

// Out and Err are writers that send what is written to them.
func (s *Stream) Out() io.Writer {
	return frameWriter(func(p []byte) Frame { return Frame{Out: p} }).to(s)
}
func (s *Stream) Err() io.Writer {
	return frameWriter(func(p []byte) Frame { return Frame{Err: p} }).to(s)
}

type frameWriter func(p []byte) Frame

func (f frameWriter) to(s *Stream) io.Writer { return &streamWriter{s, f} }

type streamWriter struct {
	s     *Stream
	frame frameWriter
}

func (w *streamWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := w.s.Send(w.frame(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// errCutOff: the daemon went away before it told how the work ended.
var errCutOff = errors.New("the daemon ended before the work did")
