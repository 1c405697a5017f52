package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A meter shows how far long work is: a line that is redrawn on a terminal, a
// status object a second with --json, nothing in a pipe. It has no colours, so
// NO_COLOR has nothing to take away.
type meter struct {
	p    *mpb.Progress
	bar  *mpb.Bar
	stop chan struct{}
	done sync.WaitGroup
}

// sample is what a meter shows.
type sample struct {
	text    string         // "1,204 files, 3.1 GiB, 210 MiB/s, 12s left"
	current string         // what is being worked on
	json    map[string]any // the same for --json
}

// redraw is how often a terminal is redrawn: at most ten times a second.
const redraw = 150 * time.Millisecond

// showProgress starts a meter that asks look for what to show. Call finish
// before anything else is printed.
func (d *door) showProgress(look func() sample) *meter {
	m := &meter{stop: make(chan struct{})}
	if d.onBehalf != nil && d.onBehalf.progress != nil {
		d.onBehalf.progress(func() string { return look().text })
	}
	switch {
	case d.quiet:
	case d.json:
		m.done.Go(func() { m.everySecond(d, look) })
	case d.onBehalf != nil && d.onBehalf.terminal:
		m.done.Go(func() { m.tellFar(d.onBehalf.stream, look) })
	case d.onBehalf != nil:
	case drawsOn(d.err):
		m.draw(d.err, look)
	}
	d.mu.Lock()
	d.meter = m
	d.mu.Unlock()
	return m
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// drawsOn tells whether w is a terminal on which a line can be redrawn.
func drawsOn(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

func (m *meter) everySecond(d *door, look func() sample) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			d.emit("status", look().json)
		case <-m.stop:
			return
		}
	}
}

// draw shows one line, which carries no bar: how much there is to do is known
// only now and then, and a line that says what it knows is worth more.
func (m *meter) draw(w io.Writer, look func() sample) {
	m.p = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(redraw), mpb.WithWidth(1))
	m.bar = m.p.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Any(func(s decor.Statistics) string {
		now := look()
		return now.text + shorten(safeName(now.current), s.AvailableWidth-len(now.text)-3)
	})))
}

// finish takes the line away. It may be called twice.
func (m *meter) finish() {
	select {
	case <-m.stop:
		return
	default:
		close(m.stop)
	}
	m.done.Wait()
	if m.bar != nil {
		m.bar.Abort(true)
		m.p.Wait()
	}
}

// note prints a line on the error stream, above the meter if there is one.
// With --json it prints nothing: the caller has emitted an object.
func (d *door) note(format string, args ...any) {
	if d.json {
		return
	}
	d.writeAbove([]byte(safeText(fmt.Sprintf(format, args...)) + "\n"))
}

// writeAbove writes whole lines to the error stream, above the meter if there
// is one.
func (d *door) writeAbove(lines []byte) {
	d.mu.Lock()
	m := d.meter
	d.mu.Unlock()
	if m != nil && m.p != nil {
		if _, err := m.p.Write(lines); err == nil {
			return
		}
	}
	_, _ = d.err.Write(lines)
}
