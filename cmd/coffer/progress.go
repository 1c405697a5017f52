package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A meter shows how far long work is: a line that is redrawn on a terminal, a
// status object a second with --json, nothing in a pipe.
type meter struct {
	p    *mpb.Progress
	bar  *mpb.Bar
	stop chan struct{}
	done sync.WaitGroup
}

// sample is what a meter shows.
type sample struct {
	text    string         // "1,204 files, 3.1 GiB, 210 MiB/s, 12 s left"
	current string         // what is being worked on
	json    map[string]any // the same for --json
}

// redraw is how often a terminal is redrawn: ten times a second at the most.
const redraw = 150 * time.Millisecond

// showProgress starts a meter that asks look for what to show. Call finish
// before anything else is printed.
func (d *door) showProgress(look func() sample) *meter {
	m := &meter{stop: make(chan struct{})}
	switch {
	case d.json && !d.quiet:
		m.done.Go(func() { m.everySecond(d, look) })
	case !d.quiet && isTerminal(d.err):
		m.draw(d.err, look)
	}
	d.setMeter(m)
	return m
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
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
		room := s.AvailableWidth - len(now.text) - 3
		return now.text + shorten(safeName(now.current), room)
	})))
}

// shorten fits a path into what is left of the line, keeping its end.
func shorten(s string, room int) string {
	if s == "" || room < 12 {
		return ""
	}
	r := []rune(s)
	if len(r) > room {
		r = append([]rune("…"), r[len(r)-room+1:]...)
	}
	return "  " + string(r)
}

// finish takes the line away.
func (m *meter) finish() {
	if m == nil {
		return
	}
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

// line prints a line on the error stream, above the meter if there is one.
func (d *door) line(s string) {
	s = safeText(s)
	d.mu.Lock()
	m := d.meter
	d.mu.Unlock()
	if m != nil && m.p != nil {
		select {
		case <-m.stop:
		default:
			fmt.Fprintln(m.p, s)
			return
		}
	}
	fmt.Fprintln(d.err, s)
}

func (d *door) setMeter(m *meter) {
	d.mu.Lock()
	d.meter = m
	d.mu.Unlock()
}

// rate says how fast n bytes came in a time.
func rate(n int64, t time.Duration) string {
	if t < 100*time.Millisecond {
		return ""
	}
	return bytesText(int64(float64(n)/t.Seconds())) + "/s"
}

// left guesses how long the rest takes; "" while there is nothing to guess by.
func left(done, total int64, t time.Duration) string {
	if total <= 0 || done <= 0 || done >= total || t < 3*time.Second {
		return ""
	}
	rest := time.Duration(float64(t) * float64(total-done) / float64(done))
	return durationText(rest.Round(time.Second)) + " left"
}

// joined joins what is not empty.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}
