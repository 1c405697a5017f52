package manifest

import (
	"bytes"
	"errors"
	"strconv"

	"coffer/chunk"
	"coffer/files"
)

var errNotLine = errors.New("not a line of the manifest")

// typeOf checks that line is one for path and returns the type in it.
func (b *Builder) typeOf(path, line []byte) (files.Type, error) {
	n := plainHead(path, line)
	if n < 0 {
		b.head = appendHead(b.head[:0], view(path))
		if n = len(b.head); !bytes.HasPrefix(line, b.head) {
			return 0, errNotLine
		}
	}
	if len(line) < n+3 || line[n+1] != '"' || line[len(line)-1] != '}' || bytes.IndexByte(line, '\n') >= 0 {
		return 0, errNotLine
	}
	return files.Type(line[n]), nil
}

// plainHead returns where the type stands in a line whose path is written as
// it is, or -1. Without a backslash in the path, the quote behind it ends it.
func plainHead(path, line []byte) int {
	const open, shut = `{"path":"`, `","type":"`
	n := len(open) + len(path)
	if len(line) < n+len(shut) || string(line[:len(open)]) != open || string(line[n:n+len(shut)]) != shut {
		return -1
	}
	if !bytes.Equal(line[len(open):n], path) || bytes.IndexByte(path, '\\') >= 0 {
		return -1
	}
	return n + len(shut)
}

// refOpen begins every ref and nothing else: in a canonical line no quote
// inside a string stands without its backslash, and no other array begins
// with a string.
var refOpen = []byte(`["`)

// idLen is the length of a chunk ID in text.
const idLen = 43

// renumber appends line with the positions of its series, which are those in
// from, replaced by those in the table of l.
func (l *level) renumber(line []byte, from []chunk.Series) error {
	done, at := 0, 0 // bytes of line appended; looked at
	for {
		i := bytes.Index(line[at:], refOpen)
		if i < 0 {
			l.lines = append(l.lines, line[done:]...)
			return nil
		}
		at += i + len(refOpen) + idLen + len(`",`)
		old, end := position(line, at)
		if end < 0 || old >= len(from) {
			return errNotLine
		}
		if p := l.table.from(from, old); p != old {
			l.lines = append(l.lines, line[done:at]...)
			l.lines = strconv.AppendInt(l.lines, int64(p), 10)
			done = end
		}
		at = end
	}
}

// position reads the number at line[at:] that a comma follows, and returns
// where it ends, or -1.
func position(line []byte, at int) (n, end int) {
	for i := at; i < len(line); i++ {
		switch c := line[i]; {
		case c == ',' && i > at:
			return n, i
		case c < '0' || c > '9' || n > maxSeries:
			return 0, -1
		default:
			n = 10*n + int(c-'0')
		}
	}
	return 0, -1
}
