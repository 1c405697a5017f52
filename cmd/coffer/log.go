package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"coffer/config"
	"coffer/daemon/host"
)

// A noteHandler says records as notes, the message and why alone: for people
// who look on, not for a log.
type noteHandler struct {
	note  func(format string, args ...any)
	level slog.Level
}

func (h *noteHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }
func (h *noteHandler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *noteHandler) WithGroup(string) slog.Handler                { return h }

func (h *noteHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "hook":
			text = a.Value.String() + ": " + text
		case "why":
			text += ": " + a.Value.String()
		}
		return true
	})
	h.note("%s", text)
	return nil
}

// daemonLog makes the daemon's log: JSON lines in a file of its own, which
// coffer logs shows, and on the error stream text for a terminal and for the
// journal, which has its own times, else JSON.
func (d *door) daemonLog() (*slog.Logger, *slog.LevelVar, io.Closer, error) {
	dir, err := daemonDir()
	if err != nil {
		return nil, nil, nil, err
	}
	file, err := host.OpenLogFile(filepath.Join(dir, "daemon.log"))
	if err != nil {
		return nil, nil, nil, err
	}
	at := new(slog.LevelVar)
	o := &slog.HandlerOptions{Level: at}
	handlers := []slog.Handler{slog.NewJSONHandler(file, o)}
	f, isFile := d.err.(*os.File)
	switch {
	case isFile && host.JournalReads(f):
		handlers = append(handlers, slog.NewTextHandler(f, &slog.HandlerOptions{Level: at, ReplaceAttr: withoutTime}))
	case isTerminal(d.err):
		handlers = append(handlers, slog.NewTextHandler(d.err, o))
	case host.UnderLaunchd(): // the file that takes the error stream there is never cut
	default:
		handlers = append(handlers, slog.NewJSONHandler(d.err, o))
	}
	return slog.New(slog.NewMultiHandler(handlers...)), at, file, nil
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func setLevel(at *slog.LevelVar, l config.LogLevel) {
	var level slog.Level
	if level.UnmarshalText([]byte(l)) == nil {
		at.Set(level)
	}
}

// A lineLog is a stream whose lines become records of a log.
type lineLog struct {
	log  *slog.Logger
	to   slog.Level
	args []any // attributes of each record

	mu   sync.Mutex
	part []byte // guarded by mu: a line that has no end yet
}

// maxPart bounds what is kept of a line without an end, in bytes.
const maxPart = 16 << 10

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		line, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok && len(l.part) < maxPart {
			return len(p), nil
		}
		if text := strings.TrimSpace(string(line)); text != "" {
			l.log.Log(context.Background(), l.to, text, l.args...)
		}
		l.part = append(l.part[:0], rest...)
	}
}
