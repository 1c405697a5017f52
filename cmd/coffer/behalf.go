package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"coffer/config"
	"coffer/daemon/control"
)

// behalf is set in a door through which a daemon does work: for its schedule,
// or for a command that handed it over.
type behalf struct {
	// stream goes to the command that looks on; nil for the schedule.
	stream   *control.Stream
	terminal bool // it draws on a terminal
	// around runs a project's backup with what belongs around it; nil where
	// that is done already.
	around func(ctx context.Context, p config.Project, do body) error
	// progress is given a way to tell how far the work is; may be nil.
	progress func(look func() string)
}

// sub makes a door for work on somebody's behalf: with the same config, and
// other streams.
func (d *door) sub(out, errOut io.Writer, b *behalf) *door {
	return &door{in: eofReader{}, out: out, err: errOut, config: d.config, onBehalf: b}
}

// eofReader is the input of what nobody can answer.
type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }

// looksOn tells whether a person sees the error stream.
func (d *door) looksOn() bool {
	if d.onBehalf != nil {
		return d.onBehalf.terminal
	}
	return isTerminal(d.err)
}

// draws tells whether a line can be redrawn there.
func (d *door) draws() bool {
	if d.onBehalf != nil {
		return d.onBehalf.terminal
	}
	return drawsOn(d.err)
}

// farState is how far the work is, as a daemon tells the command that looks on.
type farState struct {
	Text    string `json:"text"`
	Current string `json:"current,omitempty"`
}

// farRedraw is how often it does.
const farRedraw = 250 * time.Millisecond

// tellFar sends samples until the meter is finished.
func (m *meter) tellFar(s *control.Stream, look func() sample) {
	t := time.NewTicker(farRedraw)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			now := look()
			state, err := json.Marshal(farState{now.text, safeName(now.current)})
			if err != nil || s.Send(control.Frame{State: state}) != nil {
				return
			}
		case <-m.stop:
			// No sample tells the other side to take its line away.
			_ = s.Send(control.Frame{State: json.RawMessage("null")})
			return
		}
	}
}
