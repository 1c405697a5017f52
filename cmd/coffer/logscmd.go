package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coffer/daemon/host"
)

func (d *door) logsCommand() *cobra.Command {
	var last int
	var follow bool
	c := &cobra.Command{
		Use: "logs", Short: "Show what the daemon wrote in its log", Args: exactly(0, "coffer logs"),
		Long: `Show what the daemon wrote in its log, the newest at the end. The log never holds
a secret or the content of a file.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if last < -1 {
				return usagef("-1 is all of them", "--lines=%d is no number of lines", last)
			}
			return d.logs(cmd.Context(), last, follow)
		},
	}
	c.Flags().IntVarP(&last, "lines", "n", 50, "how `many` of the last lines; -1 is all")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on as the daemon writes, until Ctrl-C")
	return c
}

// logName is the daemon's log, of which older parts have a number after it.
func logName() (string, error) {
	dir, err := daemonDir()
	return filepath.Join(dir, "daemon.log"), err
}

// followEvery is how often a log is looked at that someone follows.
const followEvery = 300 * time.Millisecond

func (d *door) logs(ctx context.Context, last int, follow bool) error {
	path, err := logName()
	if err != nil {
		return err
	}
	r := &logReader{path: path}
	defer r.close()
	kept := tail{most: last}
	if err := r.read(kept.add); err != nil {
		return err
	}
	if r.f == nil && !follow {
		return hinted(fmt.Errorf("there is no log yet: no daemon has run here"), "coffer service install  has the machine run it")
	}
	for line := range kept.lines() {
		if err := d.tellLine(line); err != nil {
			return err
		}
	}
	for follow {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		var failed error
		err := r.read(func(line []byte) {
			if failed == nil {
				failed = d.tellLine(line)
			}
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	return nil
}

// tail keeps the last of many lines.
type tail struct {
	most int // -1 is all
	kept [][]byte
	at   int // of the oldest, once there are most
}

func (t *tail) add(line []byte) {
	line = bytes.Clone(line)
	switch {
	case t.most < 0 || len(t.kept) < t.most:
		t.kept = append(t.kept, line)
	case t.most > 0:
		t.kept[t.at] = line
		t.at = (t.at + 1) % t.most
	}
}

func (t *tail) lines() func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := range t.kept {
			if !yield(t.kept[(t.at+i)%len(t.kept)]) {
				return
			}
		}
	}
}

// A logReader reads a log across its renames, each line once.
type logReader struct {
	path string
	f    *os.File // what is being read, under whatever name it has by now
	in   *bufio.Reader
	part []byte // a line that has no end yet
}

// maxLogLine bounds a line, in bytes; what is longer comes in pieces.
const maxLogLine = 1 << 20

// read hands on the lines that came since the last call. A line is valid until
// the next one.
func (r *logReader) read(each func(line []byte)) error {
	for {
		if r.f != nil {
			if err := r.rest(each); err != nil {
				return fmt.Errorf("read log: %w", err)
			}
		}
		next, err := r.next()
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if next == nil {
			return nil
		}
		if r.f != nil {
			// It was renamed before next was opened; what came until then is here.
			if err := r.rest(each); err != nil {
				return fmt.Errorf("read log: %w", err)
			}
		}
		if len(r.part) > 0 {
			each(r.part)
		}
		r.close()
		r.f, r.in, r.part = next, bufio.NewReader(next), nil
	}
}

// rest reads a file to its present end.
func (r *logReader) rest(each func(line []byte)) error {
	for {
		piece, err := r.in.ReadSlice('\n')
		r.part = append(r.part, piece...)
		whole := bytes.HasSuffix(r.part, []byte("\n"))
		if whole || len(r.part) > maxLogLine {
			each(bytes.TrimSuffix(r.part, []byte("\n")))
			r.part = r.part[:0]
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// next opens the file that came after the one being read, or the oldest at
// first. It is nil if there is none yet.
func (r *logReader) next() (*os.File, error) {
	names := host.LogFiles(r.path)
	for {
		at := r.find(names)
		f, err := openFirst(names[at+1:])
		if err != nil || f == nil || r.find(names) == at {
			return f, err
		}
		f.Close() // all got other names in between
	}
}

// find returns which name the file being read has, or -1 if it has gone.
func (r *logReader) find(names []string) int {
	if r.f == nil {
		return -1
	}
	mine, err := r.f.Stat()
	if err != nil {
		return -1
	}
	for i, name := range names {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, mine) {
			return i
		}
	}
	return -1
}

func openFirst(names []string) (*os.File, error) {
	for _, name := range names {
		f, err := os.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, nil
}

func (r *logReader) close() {
	if r.f != nil {
		r.f.Close()
	}
}

// tellLine prints a record, or as it is what is none, such as a line that a
// crash cut off.
func (d *door) tellLine(line []byte) error {
	rec, ok := parseRecord(line)
	if d.json {
		fields := map[string]any{"message": string(line)}
		if ok {
			fields = rec.fields()
		}
		d.emit("log", fields)
		return nil
	}
	text := safeName(string(line))
	if ok {
		text = rec.String()
	}
	_, err := fmt.Fprintln(d.out, text)
	return err
}

// A record is a line of the log.
type record struct {
	time    time.Time
	level   string
	message string
	attrs   []attr // in the order in which they were written
}

type attr struct {
	key   string
	value json.RawMessage
}

// parseRecord reads a line as slog's JSON handler writes it.
func parseRecord(line []byte) (record, bool) {
	var r record
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return r, false
	}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return r, false
		}
		switch name {
		case "time":
			err = json.Unmarshal(value, &r.time)
		case "level":
			err = json.Unmarshal(value, &r.level)
		case "msg":
			err = json.Unmarshal(value, &r.message)
		default:
			r.attrs = append(r.attrs, attr{name, value})
		}
		if err != nil {
			return r, false
		}
	}
	t, err := dec.Token()
	return r, err == nil && t == json.Delim('}') && !r.time.IsZero()
}

// String is a record on a line, for people.
func (r record) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s  %s", timeText(r.time), safeName(strings.ToLower(r.level)), safeName(r.message))
	for _, a := range r.attrs {
		b.WriteString("  " + safeName(a.key) + "=" + a.text())
	}
	return b.String()
}

// text is a value, in quotes where it would else not be seen where it ends.
func (a attr) text() string {
	var s string
	if json.Unmarshal(a.value, &s) != nil {
		return safeName(string(a.value))
	}
	if s == "" || strings.ContainsAny(s, " \t\n\"=") || safeName(s) != s {
		return strconv.Quote(s)
	}
	return s
}

func (r record) fields() map[string]any {
	attrs := map[string]json.RawMessage{}
	for _, a := range r.attrs {
		attrs[a.key] = a.value
	}
	return map[string]any{"time": r.time, "level": strings.ToLower(r.level), "message": r.message, "attributes": attrs}
}
