package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"coffer/chunk"
)

// Whatever a decoder accepts is valid JSON and encodes to the same bytes
// again; whatever it refuses, it refuses with an error.

func FuzzEntry(f *testing.F) {
	series := make([]chunk.Series, 12)
	for i := range series {
		series[i][0] = byte(i)
	}
	for _, e := range samples() {
		b, _ := line(&e)
		f.Add(b)
	}
	f.Add([]byte(`{"path":"a\u0000"}`))
	f.Add([]byte(`{"path64":"/w==","type":"l","target":"\"\\"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Entry
		if ParseEntry(data, series, &e) != nil {
			return
		}
		if err := e.Check(); err != nil || !json.Valid(data) {
			t.Fatalf("accepted %q: %v", data, err)
		}
		for _, e := range []*Entry{&e, e.Clone()} {
			again := AppendEntry(nil, e, func(s chunk.Series) int { return int(s[0]) })
			if !bytes.Equal(again, data) {
				t.Fatalf("accepted %q, which is %q", data, again)
			}
		}
	})
}

// FuzzSegment reads data as a segment of the level that a node describes
// rightly, as far as this can be seen from outside.
func FuzzSegment(f *testing.F) {
	s := newStore()
	root := build(f, s, tree(1, 1500))
	for _, data := range s.data {
		f.Add(data[:min(len(data), 1<<16)], byte(0))
		f.Add(data, byte(root.Level))
	}
	small := build(f, s, samples()[:4])
	f.Add(s.data[small.Ref.ID], byte(0))
	f.Fuzz(func(t *testing.T, data []byte, level byte) {
		lines := bytes.Split(data, newline)
		n := node{level: int(level % 2), last: true}
		if len(lines) > 1 {
			n.path = firstPath(lines[1])
		}
		if n.level == 0 {
			n.count = int64(len(lines) - 2)
			fuzzLeaf(t, n, data)
		} else {
			n.count = sumOf(lines)
			fuzzInner(t, n, data)
		}
	})
}

func firstPath(line []byte) string {
	var v struct {
		Path   string
		Path64 []byte
	}
	if json.Unmarshal(line, &v) != nil {
		return ""
	}
	return v.Path + string(v.Path64)
}

func sumOf(lines [][]byte) (sum int64) {
	for _, line := range lines[1:] {
		var v struct{ Count int64 }
		if json.Unmarshal(line, &v) == nil {
			sum += v.Count
		}
	}
	return sum
}

func fuzzLeaf(t *testing.T, n node, data []byte) {
	var e Entry
	var o order
	var tab table
	var out []byte
	for err := range (&segment{node: n, data: data}).entries(&e, &o) {
		if err != nil {
			if _, ok := errors.AsType[*SegmentError](err); !ok {
				t.Fatalf("%v names no segment", err)
			}
			return
		}
		if err := e.Check(); err != nil {
			t.Fatalf("accepted %q: %v", e.Path, err)
		}
		out = append(AppendEntry(out, &e, tab.at), '\n')
	}
	if again := append(appendTable(nil, tab.series), out...); !bytes.Equal(again, data) {
		t.Fatalf("accepted %q, which is %q", data, again)
	}
}

func fuzzInner(t *testing.T, n node, data []byte) {
	below, err := n.children(data)
	if err != nil {
		return
	}
	var tab table
	var out []byte
	for i := range below {
		out = append(appendNode(out, &below[i], tab.at(below[i].ref.Series)), '\n')
	}
	if again := append(appendTable(nil, tab.series), out...); !bytes.Equal(again, data) {
		t.Fatalf("accepted %q, which is %q", data, again)
	}
}

func FuzzList(f *testing.F) {
	s := newStore()
	if _, _, _, err := BuildList(dataRefs(1, 200), s.put); err != nil {
		f.Fatal(err)
	}
	for _, data := range s.data {
		f.Add(data)
	}
	f.Add([]byte(`{"series":[]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		refs, err := parseList(data)
		if err != nil {
			return
		}
		var tab table
		var out []byte
		for i := range refs {
			out = append(appendRef(out, &refs[i], tab.at(refs[i].Series)), '\n')
		}
		if again := append(appendTable(nil, tab.series), out...); !bytes.Equal(again, data) {
			t.Fatalf("accepted %q, which is %q", data, again)
		}
	})
}

func FuzzBody(f *testing.F) {
	data, err := EncodeBody(sampleBody())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(strings.Replace(string(data), `"partial":true,`, "", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBody(data)
		if err != nil {
			return
		}
		again, err := EncodeBody(b)
		if err != nil || !bytes.Equal(again, data) || !json.Valid(data) {
			t.Fatalf("accepted %q, which is %q (%v)", data, again, err)
		}
	})
}

// FuzzAddLine gives any bytes as a line of the last run: what is taken must be
// in the form that a segment has, as far as AddLine promises to look.
func FuzzAddLine(f *testing.F) {
	series := []chunk.Series{{1}, {2}, {3}}
	for _, e := range samples()[1:] {
		b, _ := line(&e)
		f.Add(e.Path, b)
	}
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		s := newStore()
		b := NewBuilder(testKey, s.put)
		root := folder("")
		if err := b.Add(&root); err != nil {
			t.Fatal(err)
		}
		var e Entry
		good := ParseEntry(data, series, &e) == nil && e.Path == path && below(path, "") && !strings.Contains(path, "/")
		err := b.AddLine([]byte(path), data, series)
		if good && err != nil {
			t.Fatalf("refused %q: %v", data, err)
		}
		r, ferr := b.Finish()
		if ferr != nil || r.Count == 1 != (err != nil) {
			t.Fatalf("%+v, %v, %v", r, err, ferr)
		}
		if !good {
			return
		}
		got := collect(t, s, r, WalkOptions{})
		if d := differ([]Entry{root, e}, got); d != "" {
			t.Fatal(d)
		}
	})
}
