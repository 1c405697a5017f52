package manifest

import (
	"coffer/chunk"
	"coffer/files"
)

// A Glimpse is what a segment says by itself, to who has lost all that leads
// to it.
type Glimpse struct {
	First    string      // path of its first entry; "": it may be a root
	Count    int64       // of entries below it
	Children []chunk.Ref // the segments of the level below; nil at level 0
	Newest   files.Time  // the newest time of its entries; level 0 only
}

// Look reads a chunk of kind chunk.Segment as a segment of whatever level. It
// is not ok if the chunk is none: a list chunk, or an extended attribute.
func Look(data []byte) (g Glimpse, ok bool) {
	l, err := openLines(data, MaxItems)
	if err != nil {
		return g, false
	}
	var e Entry
	for first := true; ; first = false {
		line, err := l.next()
		if err != nil {
			return g, false
		}
		if line == nil {
			return g, !first
		}
		path, ok := g.take(line, &l.table, &e, first)
		if !ok {
			return g, false
		}
		if first {
			g.First = path
		}
	}
}

// take reads one line, of a node or of an entry as the first one was.
func (g *Glimpse) take(line []byte, table *positions, e *Entry, first bool) (path string, ok bool) {
	if first || g.Children != nil {
		if n, err := parseNode(line, table, 0); err == nil {
			g.Count += n.count
			g.Children = append(g.Children, n.ref)
			return n.path, true
		} else if !first {
			return "", false
		}
	}
	if err := ParseEntry(line, table.series, e); err != nil {
		return "", false
	}
	table.used = len(table.series) // who looks does not care whether each is needed
	g.Count++
	if e.Mtime.Time().After(g.Newest.Time()) {
		g.Newest = e.Mtime
	}
	return e.Path, true
}
