package manifest

import (
	"fmt"
	"math"

	"coffer/chunk"
	"coffer/files"
)

var errLine = fmt.Errorf("line of more than %d bytes", MaxLine)

// ParseEntry reads a line, without its newline, whose refs name their series
// by position in table. It accepts what AppendEntry makes of an entry that
// passes Check, and nothing else.
//
// All of into is replaced. Its slices are used again, and its strings point
// into line or into memory of into: they are good until line is written to or
// into is parsed into again. Use Clone to keep an entry. In the steady state
// nothing is allocated.
func ParseEntry(line []byte, table []chunk.Series, into *Entry) error {
	if err := parseEntry(line, &positions{series: table, used: len(table)}, into); err != nil {
		return fmt.Errorf("parse entry: %w", err)
	}
	if err := checkPath(into.Path); err != nil {
		return fmt.Errorf("parse entry: %w", err)
	}
	return nil
}

// parseEntry is ParseEntry but for the check of the path, which a walk can do
// for less.
func parseEntry(line []byte, table *positions, e *Entry) error {
	if len(line) > MaxLine {
		return errLine
	}
	*e = Entry{
		Refs:      e.Refs[:0],
		BigXattrs: e.BigXattrs[:0],
		Detail:    files.Detail{Xattrs: e.Xattrs[:0], Holes: e.Holes[:0]},
		scratch:   e.scratch[:0],
	}
	s := scanner{b: line}
	e.Path = s.path(&e.scratch)
	s.lit(`,"type":"`)
	if s.i < len(s.b) {
		e.Type = files.Type(s.b[s.i])
		s.i++
	}
	s.lit(`"`)
	s.stat(e)
	e.Target = s.text(`,"target`, &e.scratch)
	if s.key(`,"link":`) {
		if e.Link = s.hex8(); e.Link == [8]byte{} {
			s.fail("link group zero")
		}
	}
	if s.key(`,"xattrs":[`) {
		s.xattrs(e, table)
	}
	if s.key(`,"holes":[`) {
		s.holes(e)
	}
	s.content(e, table)
	e.Changed = s.key(`,"changed":true`)
	e.Err = s.text(`,"error`, &e.scratch)
	s.lit("}")
	if err := s.end(); err != nil {
		return err
	}
	return e.checkFields()
}

// path reads the path that opens a line.
func (s *scanner) path(buf *[]byte) string {
	if s.has(`{"path":""`) {
		return ""
	}
	s.lit(`{"path`)
	return s.value(buf)
}

func (s *scanner) stat(e *Entry) {
	e.Mode = uint32(s.field(`,"mode":`, math.MaxUint32))
	if e.Type == files.Regular {
		s.lit(`,"size":`)
		e.Size = int64(s.uint(math.MaxInt64))
	}
	if s.key(`,"mtime":`) {
		s.lit("[")
		e.Mtime.Sec = s.int()
		s.lit(",")
		e.Mtime.Nsec = int32(s.uint(math.MaxInt32))
		s.lit("]")
		if e.Mtime == (files.Time{}) {
			s.fail("mtime zero")
		}
	}
	e.UID = uint32(s.field(`,"uid":`, math.MaxUint32))
	e.GID = uint32(s.field(`,"gid":`, math.MaxUint32))
	e.User = s.text(`,"user`, &e.scratch)
	e.Group = s.text(`,"group`, &e.scratch)
	if s.key(`,"rdev":`) {
		major, minor := s.pair(math.MaxUint32)
		if e.Rdev = major<<32 | minor; e.Rdev == 0 {
			s.fail("device number zero")
		}
	}
}

// field reads a number that is absent when zero.
func (s *scanner) field(key string, limit uint64) uint64 {
	if !s.key(key) {
		return 0
	}
	n := s.uint(limit)
	if n == 0 {
		s.fail("number zero")
	}
	return n
}

func (s *scanner) pair(limit uint64) (x, y uint64) {
	s.lit("[")
	x = s.uint(limit)
	s.lit(",")
	y = s.uint(limit)
	s.lit("]")
	return x, y
}

func (s *scanner) xattrs(e *Entry, table *positions) {
	last := ""
	for more := true; more && s.err == nil; more = s.has(",") {
		s.lit(`{"name`)
		name := s.value(&e.scratch)
		if name <= last {
			s.fail("xattr out of order")
		}
		last = name
		if s.has(`,"ref":`) {
			e.BigXattrs = append(e.BigXattrs, BigXattr{Name: name, Ref: s.ref(table)})
		} else {
			s.lit(`,"value":"`)
			e.Xattrs = append(e.Xattrs, files.Xattr{Name: name, Value: s.bytes64(&e.scratch)})
		}
		s.lit("}")
	}
	s.lit("]")
}

func (s *scanner) holes(e *Entry) {
	for more := true; more && s.err == nil; more = s.has(",") {
		off, n := s.pair(math.MaxInt64)
		e.Holes = append(e.Holes, files.Hole{Off: int64(off), Len: int64(n)})
	}
	s.lit("]")
}

func (s *scanner) content(e *Entry, table *positions) {
	list := s.key(`,"list":{"depth":`)
	if list {
		if e.ListDepth = int(s.uint(MaxListDepth)); e.ListDepth == 0 {
			s.fail("list of depth 0")
		}
	}
	if s.key(`,"refs":[`) {
		for more := true; more && s.err == nil; more = s.has(",") {
			e.Refs = append(e.Refs, s.ref(table))
		}
		s.lit("]")
	}
	if list {
		s.lit(`},"hash":`)
		e.ContentHash = s.id()
	}
}
