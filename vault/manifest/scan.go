package manifest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"unicode/utf8"

	"coffer/chunk"
)

// A scanner reads one line of canonical JSON and accepts no other spelling of
// it, so that what was read need not be encoded again to be compared. It keeps
// the first error and reads nothing more after it: every method may be called
// regardless, and returns zero.
type scanner struct {
	b   []byte
	i   int // next byte
	err error
}

func (s *scanner) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", s.i, what)
	}
	s.b, s.i = nil, 0
}

// has skips t if it comes next.
func (s *scanner) has(t string) bool {
	if len(s.b)-s.i < len(t) || string(s.b[s.i:s.i+len(t)]) != t {
		return false
	}
	s.i += len(t)
	return true
}

// lit skips t, which must come next.
func (s *scanner) lit(t string) {
	if !s.has(t) {
		s.fail("want " + t)
	}
}

// end refuses what is left of the line.
func (s *scanner) end() error {
	if s.err == nil && s.i < len(s.b) {
		s.fail("data after the end")
	}
	return s.err
}

// key skips the comma and name of a field if it comes next. It is has, and
// quicker to say no: most fields are not there.
func (s *scanner) key(t string) bool {
	return len(s.b)-s.i > len(t) && s.b[s.i+2] == t[2] && s.has(t)
}

// uint reads a number of at most limit, which is below 10^19.
func (s *scanner) uint(limit uint64) uint64 {
	start, n := s.i, uint64(0)
	for s.i < len(s.b) {
		c := s.b[s.i] - '0'
		if c > 9 {
			break
		}
		n = 10*n + uint64(c) // wraps only beyond 19 digits
		s.i++
	}
	switch digits := s.i - start; {
	case digits == 0 || digits > 1 && s.b[start] == '0':
		s.fail("want a number")
		return 0
	case digits > 19 || n > limit:
		s.fail("number too large")
		return 0
	}
	return n
}

// int reads a number of any sign.
func (s *scanner) int() int64 {
	if !s.has("-") {
		return int64(s.uint(math.MaxInt64))
	}
	n := s.uint(1 << 63)
	if n == 0 {
		s.fail("number zero with a sign")
	}
	return -int64(n) // 1<<63 is its own negative
}

// quoted reads a string of exactly n bytes without escapes. Its bytes are the
// caller's to check.
func (s *scanner) quoted(n int) []byte {
	if len(s.b)-s.i < n+2 || s.b[s.i] != '"' || s.b[s.i+n+1] != '"' {
		s.fail(fmt.Sprintf("want a string of %d characters", n))
		return nil
	}
	v := s.b[s.i+1 : s.i+n+1]
	s.i += n + 2
	return v
}

// id reads a chunk ID.
func (s *scanner) id() (id chunk.ID) {
	v := s.quoted(43)
	if n, err := rawURL.Decode(id[:], v); s.err == nil && (err != nil || n != len(id)) {
		s.fail("want a chunk ID")
		return chunk.ID{}
	}
	return id
}

// hex8 reads 8 bytes as lower-case hex.
func (s *scanner) hex8() (v [8]byte) {
	t := s.quoted(16)
	for _, c := range t {
		if 'A' <= c && c <= 'F' {
			s.fail("want lower-case hex")
			return v
		}
	}
	if _, err := hex.Decode(v[:], t); err != nil {
		s.fail("want hex")
		return [8]byte{}
	}
	return v
}

// Strict: the unused bits of the last character must be zero. These decoders
// skip newlines, but no such byte gets past the scanner or the count of bytes.
var (
	rawURL = base64.RawURLEncoding.Strict()
	std64  = base64.StdEncoding.Strict()
)

// text reads the field whose comma, quote and name are t, or its form with
// suffix 64; "" if it does not come next. Only what cannot stand in the line
// as it is, is put into buf.
func (s *scanner) text(t string, buf *[]byte) string {
	if !s.key(t) {
		return ""
	}
	v := s.value(buf)
	if v == "" {
		s.fail("empty string")
	}
	return v
}

// value reads what follows the name of a text field: `":"..."` or `64":"..."`.
func (s *scanner) value(buf *[]byte) string {
	if s.has(`":"`) {
		return s.string(buf)
	}
	s.lit(`64":"`)
	v := view(s.bytes64(buf))
	if s.err == nil && utf8.ValidString(v) {
		s.fail("base64 of a string that is valid UTF-8")
		return ""
	}
	return v
}

// string reads the rest of a string after its opening quote.
func (s *scanner) string(buf *[]byte) string {
	var or byte
	for i, c := range s.b[s.i:] {
		or |= c
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		v := s.b[s.i : s.i+i]
		switch {
		case c == '"' && (or < 0x80 || utf8.Valid(v)):
			s.i += i + 1
			return view(v)
		case c == '\\':
			return s.escaped(buf)
		}
		s.fail("string that is not UTF-8 or has a control character")
		return ""
	}
	s.fail("string without end")
	return ""
}

// escaped is string for one with escapes.
func (s *scanner) escaped(buf *[]byte) string {
	start := len(*buf)
	for s.i < len(s.b) && s.b[s.i] >= 0x20 {
		c := s.b[s.i]
		s.i++
		switch c {
		case '"':
			v := (*buf)[start:]
			if !utf8.Valid(v) {
				s.fail("string that is not UTF-8")
				return ""
			}
			return view(v)
		case '\\':
			c = s.escape()
		}
		*buf = append(*buf, c)
	}
	s.fail("string without end")
	return ""
}

// escape reads what follows a backslash.
func (s *scanner) escape() byte {
	switch {
	case s.has(`"`):
		return '"'
	case s.has(`\`):
		return '\\'
	}
	s.lit("u00")
	if len(s.b)-s.i >= 2 {
		for c := range byte(0x20) {
			if s.b[s.i] == hexDigits[c>>4] && s.b[s.i+1] == hexDigits[c&15] {
				s.i += 2
				return c
			}
		}
	}
	s.fail("unknown escape")
	return 0
}

// bytes64 reads the rest of a base64 string after its opening quote.
func (s *scanner) bytes64(buf *[]byte) []byte {
	end := s.i
	for end < len(s.b) && s.b[end] > ' ' && s.b[end] != '"' {
		end++
	}
	start := len(*buf)
	out, err := std64.AppendDecode(*buf, s.b[s.i:end])
	if err != nil {
		s.fail("want base64")
		return nil
	}
	s.i, *buf = end, out
	s.lit(`"`)
	return out[start:len(out):len(out)]
}

// ref reads a ref whose series is a position in p.
func (s *scanner) ref(p *positions) (r chunk.Ref) {
	s.lit("[")
	r.ID = s.id()
	s.lit(",")
	pos := s.uint(maxSeries)
	s.lit(",")
	r.Number = uint32(s.uint(math.MaxUint32))
	s.lit(",")
	r.Offset = int64(s.uint(math.MaxInt64))
	s.lit(",")
	r.Len = int64(s.uint(math.MaxInt64))
	s.lit("]")
	if s.err != nil {
		return chunk.Ref{}
	}
	var ok bool
	if r.Series, ok = p.at(int(pos)); !ok {
		s.fail("series is not in the table, or not in the order of first use")
	} else if err := checkRef(&r); err != nil {
		s.fail(err.Error())
	}
	return r
}
