package manifest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// EncodeBody returns the body as one line of canonical JSON, with a newline.
// Of what is unread it keeps the first MaxUnread, and fewer if their names are
// very long; times are cut to seconds.
//
//	{"v":1,"type":"snapshot","vault":"..","device":"..","project":"..","label":"..","host":"..","user":"..","coffer":"..",
//	 "start":<Unix seconds>,"end":<Unix seconds>,"series":["..",..],
//	 "roots":[{"path":"..","level":0,"count":1,"ref":REF},..],"policy":["..",..],"tags":["..",..],
//	 "counts":{"files":0,"dirs":1,"other":0,"bytes":0,"unread":0},"unread":[{"path":"..","error":".."},..],
//	 "partial":true,"newest":[{"project":"..","commit":".."},..]}
func EncodeBody(b *Body) ([]byte, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("encode body: %w", err)
	}
	out := append([]byte(nil), `{"v":1,"type":"snapshot"`...)
	for _, f := range []struct{ key, v string }{
		{`,"vault`, b.Vault}, {`,"device`, b.Device}, {`,"project`, b.Project},
		{`,"label`, b.Label}, {`,"host`, b.Host}, {`,"user`, b.User}, {`,"coffer`, b.Coffer},
	} {
		out = appendText(out, f.key, f.v)
	}
	out = strconv.AppendInt(append(out, `,"start":`...), b.Start.Unix(), 10)
	out = strconv.AppendInt(append(out, `,"end":`...), b.End.Unix(), 10)
	out = appendRoots(out, b.Roots)
	out = appendTexts(out, `,"policy":[`, b.Policy)
	out = appendTexts(out, `,"tags":[`, b.Tags)
	out = appendCounts(out, &b.Counts)
	out = appendUnread(out, b.Unread)
	if b.Partial {
		out = append(out, `,"partial":true`...)
	}
	out = appendNewest(out, b.Newest)
	out = append(out, "}\n"...)
	if len(out) > MaxBody {
		return nil, fmt.Errorf("encode body: %w: %d bytes", ErrTooLarge, len(out))
	}
	return out, nil
}

func appendRoots(b []byte, roots []BodyRoot) []byte {
	if len(roots) == 0 {
		return b
	}
	var t table
	var lines []byte
	open := `,"roots":[{"path`
	for i := range roots {
		r := &roots[i]
		lines = appendText(lines, open, r.Path)
		lines = strconv.AppendInt(append(lines, `,"level":`...), int64(r.Root.Level), 10)
		lines = strconv.AppendInt(append(lines, `,"count":`...), r.Root.Count, 10)
		lines = appendRef(append(lines, `,"ref":`...), &r.Root.Ref, t.at(r.Root.Ref.Series))
		lines = append(lines, '}')
		open = `,{"path`
	}
	b = appendSeries(append(b, `,"series":`...), t.series)
	return append(append(b, lines...), ']')
}

func appendTexts(b []byte, open string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	for _, t := range list {
		b = appendString(append(b, open...), t)
		open = ","
	}
	return append(b, ']')
}

func appendCounts(b []byte, c *Counts) []byte {
	b = strconv.AppendInt(append(b, `,"counts":{"files":`...), c.Files, 10)
	b = strconv.AppendInt(append(b, `,"dirs":`...), c.Dirs, 10)
	b = strconv.AppendInt(append(b, `,"other":`...), c.Other, 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), c.Bytes, 10)
	b = strconv.AppendInt(append(b, `,"unread":`...), c.Unread, 10)
	return append(b, '}')
}

func appendUnread(b []byte, list []Unread) []byte {
	open, start := `,"unread":[{"path`, len(b)
	for _, u := range list[:min(len(list), MaxUnread)] {
		before := len(b)
		b = appendText(b, open, u.Path)
		b = appendText(b, `,"error`, u.Error)
		b = append(b, '}')
		if len(b)-start > maxUnreadBytes {
			b = b[:before]
			break
		}
		open = `,{"path`
	}
	if len(b) == start {
		return b
	}
	return append(b, ']')
}

func appendNewest(b []byte, list []Newest) []byte {
	open := `,"newest":[{"project`
	for _, n := range list {
		b = appendText(b, open, n.Project)
		b = appendText(b, `,"commit`, n.Commit)
		b = append(b, '}')
		open = `,{"project`
	}
	if len(list) == 0 {
		return b
	}
	return append(b, ']')
}

// ParseBody reads what EncodeBody wrote, and nothing else. The body shares no
// memory with data.
func ParseBody(data []byte) (*Body, error) {
	if len(data) > MaxBody {
		return nil, fmt.Errorf("parse body: more than %d bytes", MaxBody)
	}
	b := &Body{}
	s := scanner{b: slices.Clone(data)} // the strings of b point into it
	s.body(b)
	err := s.end()
	if err == nil {
		err = b.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("parse body: %w", err)
	}
	return b, nil
}

func (s *scanner) body(b *Body) {
	var buf []byte
	s.lit(`{"v":1,"type":"snapshot"`)
	b.Vault = s.text(`,"vault`, &buf)
	b.Device = s.text(`,"device`, &buf)
	b.Project = s.text(`,"project`, &buf)
	b.Label = s.text(`,"label`, &buf)
	b.Host = s.text(`,"host`, &buf)
	b.User = s.text(`,"user`, &buf)
	b.Coffer = s.text(`,"coffer`, &buf)
	s.lit(`,"start":`)
	b.Start = time.Unix(s.int(), 0).UTC()
	s.lit(`,"end":`)
	b.End = time.Unix(s.int(), 0).UTC()
	s.roots(b, &buf)
	s.each(`,"policy":[`, maxTexts, func() { b.Policy = append(b.Policy, s.quotedText(&buf)) })
	s.each(`,"tags":[`, maxTexts, func() { b.Tags = append(b.Tags, s.quotedText(&buf)) })
	s.counts(&b.Counts)
	start := s.i
	s.each(`,"unread":[`, MaxUnread, func() {
		b.Unread = append(b.Unread, Unread{s.text(`{"path`, &buf), s.text(`,"error`, &buf)})
		s.lit("}")
	})
	if s.i-start > maxUnreadBytes+1 {
		s.fail("too much that is unread")
	}
	b.Partial = s.has(`,"partial":true`)
	s.each(`,"newest":[`, maxNewest, func() {
		b.Newest = append(b.Newest, Newest{s.text(`{"project`, &buf), s.text(`,"commit`, &buf)})
		s.lit("}")
	})
	s.lit("}\n")
}

// each reads a list that is absent when empty.
func (s *scanner) each(open string, limit int, item func()) {
	if !s.has(open) {
		return
	}
	for range limit {
		item()
		if s.err != nil || !s.has(",") {
			s.lit("]")
			return
		}
	}
	s.fail("list too long")
}

func (s *scanner) quotedText(buf *[]byte) string {
	s.lit(`"`)
	return s.string(buf)
}

func (s *scanner) roots(b *Body, buf *[]byte) {
	if !s.has(`,"series":`) {
		return
	}
	table := positions{series: s.series()}
	if len(table.series) == 0 {
		s.fail("series without roots")
	}
	s.each(`,"roots":[`, maxRoots, func() {
		r := BodyRoot{Path: s.text(`{"path`, buf)}
		s.lit(`,"level":`)
		r.Root.Level = int(s.uint(MaxLevel))
		s.lit(`,"count":`)
		r.Root.Count = int64(s.uint(math.MaxInt64))
		s.lit(`,"ref":`)
		r.Root.Ref = s.ref(&table)
		s.lit("}")
		b.Roots = append(b.Roots, r)
	})
	if s.err == nil && table.used < len(table.series) {
		s.fail("series that no root uses")
	}
}

func (s *scanner) counts(c *Counts) {
	for _, f := range []struct {
		key string
		n   *int64
	}{
		{`,"counts":{"files":`, &c.Files}, {`,"dirs":`, &c.Dirs}, {`,"other":`, &c.Other},
		{`,"bytes":`, &c.Bytes}, {`,"unread":`, &c.Unread},
	} {
		s.lit(f.key)
		*f.n = int64(s.uint(math.MaxInt64))
	}
	s.lit("}")
}
