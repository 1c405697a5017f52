package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coffer/chunk"
	"coffer/files"
)

// line encodes e with a table of its own.
func line(e *Entry) ([]byte, []chunk.Series) {
	var t table
	b := AppendEntry(nil, e, t.at)
	return b, t.series
}

// samples are entries of every kind; their lines are the golden file.
func samples() []Entry {
	big := file("disk.img", 5)
	big.Size, big.Refs, big.ListDepth, big.ContentHash = 1<<40, dataRefs(1, 3), 1, chunk.ID{31: 1}
	odd := file("quote\" back\\slash \x01\x1f\x7f\u2028 ünïcode", 100_007)
	odd.Xattrs = []files.Xattr{{Name: "user.empty"}, {Name: "user.\xfe", Value: []byte("v")}}
	odd.BigXattrs = []BigXattr{{Name: "user.big", Ref: dataRef(9, 5000)}}
	odd.Link, odd.Changed = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, true
	sparse := file("sparse", 99_999)
	sparse.Holes = []files.Hole{{Off: 0, Len: 4096}, {Off: 8192, Len: 1}}
	link := Entry{Path: "link", Stat: files.Stat{Type: files.Symlink, Mode: 0o777, Mtime: files.Time{Sec: -1, Nsec: 999_999_999}}}
	link.Target = "../\xff\xfe"
	device := Entry{Path: "dev/null", Stat: files.Stat{Type: files.Char, Mode: 0o666, Rdev: 1<<32 | 3}}
	disk := Entry{Path: "dev/sda", Stat: files.Stat{Type: files.Block, Rdev: 8 << 32}}
	names := folder("names")
	names.User, names.Group = "j\xf6rg", "\xe9quipe"
	bad := Entry{Path: "unreadable", Stat: files.Stat{Type: files.Regular, Size: 77}, Err: "open: permission denied"}
	return []Entry{
		folder(""), folder("a"), file("a/b", 0), file("a/c", 12345), odd, big, sparse, link, device, disk,
		{Path: "pipe", Stat: files.Stat{Type: files.FIFO}}, {Path: "\xff/sock", Stat: files.Stat{Type: files.Socket}}, names, bad,
	}
}

func TestLinesAreGolden(t *testing.T) {
	var out []byte
	var tab table
	for _, e := range samples() {
		if err := e.Check(); err != nil {
			t.Errorf("%q: %v", e.Path, err)
		}
		out = append(AppendEntry(out, &e, tab.at), '\n')
	}
	golden(t, "entries.jsonl", append(appendTable(nil, tab.series), out...))
}

func TestLinesComeBack(t *testing.T) {
	var got Entry
	for _, e := range samples() {
		b, series := line(&e)
		if err := ParseEntry(b, series, &got); err != nil {
			t.Errorf("%s: %v", b, err)
		} else if d := cmp.Diff(&e, &got, same); d != "" {
			t.Errorf("%s: (-want +got)\n%s", b, d)
		}
		clone := got.Clone()
		again, _ := line(clone)
		clear(b)
		if after, _ := line(clone); !bytes.Equal(again, after) {
			t.Errorf("the clone of %q shares memory with the line", e.Path)
		}
	}
}

// What stock tools read from a line is what we meant.
func TestLinesAreJSON(t *testing.T) {
	for _, e := range samples() {
		b, _ := line(&e)
		var v struct {
			Path   *string
			Path64 []byte
			Target string
			Size   int64
			Mtime  [2]int64
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		path := string(v.Path64)
		if v.Path != nil {
			path = *v.Path
		}
		if path != e.Path || v.Size != e.Size || v.Mtime != [2]int64{e.Mtime.Sec, int64(e.Mtime.Nsec)} {
			t.Errorf("%s reads as %+v", b, v)
		}
	}
}

func genName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z.]{1,6}`),
		rapid.StringN(1, 8, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 8), func(b []byte) string { return string(b) }),
	)
}

func genPath() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(genName(), 0, 4), func(s []string) string { return strings.Join(s, "/") }).
		Filter(func(s string) bool { return checkPath(s) == nil })
}

func genRef() *rapid.Generator[chunk.Ref] {
	return rapid.Custom(func(t *rapid.T) chunk.Ref {
		r := dataRef(rapid.Uint64().Draw(t, "seed"), rapid.Int64Range(1, 1<<24).Draw(t, "len"))
		r.Number = rapid.Uint32().Draw(t, "number")
		r.Offset = rapid.Int64Range(0, 1<<40).Draw(t, "offset")
		return r
	})
}

// genEntry draws entries that pass Check.
func genEntry() *rapid.Generator[*Entry] {
	return rapid.Custom(func(t *rapid.T) *Entry {
		e := &Entry{Path: genPath().Draw(t, "path")}
		e.Type = rapid.SampledFrom([]files.Type{files.Dir, files.Regular, files.Regular, files.Symlink, files.Char, files.FIFO}).Draw(t, "type")
		e.Mode = rapid.Uint32Range(0, 0o7777).Draw(t, "mode")
		e.Mtime = files.Time{Sec: rapid.Int64().Draw(t, "sec"), Nsec: rapid.Int32Range(0, 999_999_999).Draw(t, "nsec")}
		e.UID, e.GID = rapid.Uint32().Draw(t, "uid"), rapid.Uint32Range(0, 2).Draw(t, "gid")
		text := rapid.OneOf(rapid.Just(""), genName())
		e.User, e.Group, e.Err = text.Draw(t, "user"), text.Draw(t, "group"), text.Draw(t, "error")
		for _, n := range rapid.SliceOfNDistinct(genName(), 0, 3, rapid.ID).Draw(t, "xattrs") {
			if rapid.Bool().Draw(t, "big") {
				e.BigXattrs = append(e.BigXattrs, BigXattr{n, genRef().Draw(t, "ref")})
				e.BigXattrs[len(e.BigXattrs)-1].Ref.Len %= MaxSegment
				e.BigXattrs[len(e.BigXattrs)-1].Ref.Len++
			} else {
				e.Xattrs = append(e.Xattrs, files.Xattr{Name: n, Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value")})
			}
		}
		sortXattrs(e)
		switch e.Type {
		case files.Symlink:
			e.Target = genName().Draw(t, "target")
		case files.Char:
			e.Rdev = rapid.Uint64().Draw(t, "rdev")
		case files.Regular:
			e.Refs = rapid.SliceOfN(genRef(), 0, 5).Draw(t, "refs")
			for _, r := range e.Refs {
				e.Size += r.Len
			}
			if len(e.Refs) > 0 && rapid.Bool().Draw(t, "list") {
				e.ListDepth = rapid.IntRange(1, MaxListDepth).Draw(t, "depth")
				e.ContentHash = chunk.ID{1}
			}
			if e.Size > 10 && rapid.Bool().Draw(t, "sparse") {
				e.Holes = []files.Hole{{Off: 1, Len: 2}, {Off: 4, Len: 1}}
			}
			e.Link = rapid.SampledFrom([][8]byte{{}, {1}}).Draw(t, "link")
			e.Changed = rapid.Bool().Draw(t, "changed")
		}
		return e
	})
}

// sortXattrs puts the attributes in order; none is large.
func sortXattrs(e *Entry) {
	if err := StoreXattrs(e, nil); err != nil {
		panic(err)
	}
}

func TestEveryEntryComesBack(t *testing.T) {
	var got Entry // used again, as a walk does
	rapid.Check(t, func(t *rapid.T) {
		e := genEntry().Draw(t, "entry")
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
		b, series := line(e)
		if !json.Valid(b) || !utf8.Valid(b) || bytes.IndexByte(b, '\n') >= 0 {
			t.Fatalf("not a line of JSON: %q", b)
		}
		if err := ParseEntry(b, series, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if d := cmp.Diff(e, &got, same); d != "" {
			t.Fatalf("%s: (-want +got)\n%s", b, d)
		}
		if d := cmp.Diff(e, got.Clone(), same); d != "" {
			t.Fatalf("clone: (-want +got)\n%s", d)
		}
	})
}

// A line has one form. All these mean something, but are not that form.
func TestParseEntryRefuses(t *testing.T) {
	const ref = `["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",0,1,2,3]`
	good := `{"path":"a","type":"f","mode":420,"size":9,"mtime":[1,2],"uid":5,"user":"u","link":"0102030405060708","xattrs":[{"name":"n","value":"dg=="}],"holes":[[1,2]],"refs":[` + ref + `],"changed":true}`
	list := strings.Replace(good, `"refs":[`+ref+`]`, `"list":{"depth":1,"refs":[`+ref+`]},"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"`, 1)
	for _, c := range []struct{ from, old, new string }{
		{good, `{"path"`, ` {"path"`}, {good, `true}`, `true} `}, {good, `true}`, "true}\n"}, {good, `}`, ``}, {good, `true`, `false`},
		{good, `,"mode":420`, `,"mode":0`}, {good, `420`, `0420`}, {good, `420`, `420.0`}, {good, `420`, `4096`}, {good, `420`, `-1`},
		{good, `"mode":420,"size":9`, `"size":9,"mode":420`}, {good, `,"size":9`, ``}, {good, `"size":9`, `"size":09`},
		{good, `"size":9`, `"size":9223372036854775808`}, {good, `"size":9`, `"size":99999999999999999999999`}, {good, `"size":9`, `"size":2`},
		{good, `"size":9`, `"size":+9`}, {good, `"size":9`, `"size":9e0`}, {good, `"size":9`, `"size":`},
		{good, `[1,2],"uid"`, `[0,0],"uid"`}, {good, `[1,2],"uid"`, `[-0,2],"uid"`}, {good, `[1,2],"uid"`, `[1,1000000000],"uid"`}, {good, `[1,2],"uid"`, `[1,-2],"uid"`},
		{good, `[1,2],"uid"`, `[1],"uid"`}, {good, `[1,2],"uid"`, `[1,2,3],"uid"`}, {good, `"uid":5`, `"uid":4294967296`}, {good, `"uid":5`, `"uid":0`},
		{good, `"user":"u"`, `"user":""`}, {good, `"user":"u"`, `"user":"\u0075"`}, {good, `"user":"u"`, `"user":"\n"`}, {good, `"user":"u"`, `"user":"\/"`},
		{good, `"user":"u"`, `"user":"` + "\x01" + `"`}, {good, `"user":"u"`, `"user":"` + "\xff" + `"`}, {good, `"user":"u"`, `"user":"\u001F"`},
		{good, `"user":"u"`, `"user64":"dQ=="`}, {good, `"user":"u"`, `"user64":"/x=="`}, {good, `"user":"u"`, `"user64":"/w"`}, {good, `"user":"u"`, `"user64":""`},
		{good, `"user":"u"`, `"user":"u","user":"u"`}, {good, `"user":"u"`, `"owner":"u"`}, {good, `"user":"u"`, `"user":"u","target":"t"`},
		{good, `"user":"u"`, `"user":"u","rdev":[1,2]`}, {good, `"user":"u"`, `"user":"\\`}, {good, `"user":"u"`, `"user":"\`},
		{good, `0102030405060708`, `0000000000000000`}, {good, `0102030405060708`, `010203040506070A`}, {good, `0102030405060708`, `01020304050607`}, {good, `0102030405060708`, `010203040506070g`},
		{good, `"name":"n"`, `"name":""`}, {good, `dg==`, `dh==`}, {good, `dg==`, `dg`}, {good, `dg==`, "dg=\n="}, {good, `"value":"dg=="`, `"value":null`},
		{good, `{"name":"n","value":"dg=="}`, `{"name":"n","value":"dg=="},{"name":"n","value":""}`}, {good, `{"name":"n","value":"dg=="}`, `{"name":"n","value":"dg=="},{"name":"m","value":""}`},
		{good, `{"name":"n","value":"dg=="}`, ``}, {good, `{"name":"n","value":"dg=="}`, `{"name":"n","value":"dg=="},`},
		{good, `"holes":[[1,2]]`, `"holes":[]`}, {good, `[[1,2]]`, `[[1,0]]`}, {good, `[[1,2]]`, `[[1,9]]`}, {good, `[[1,2]]`, `[[1,2],[3,1]]`}, {good, `[[1,2]]`, `[[9223372036854775807,1]]`},
		{good, ref, ``}, {good, ref, ref + `,`}, {good, `A",0,`, `B",0,`}, {good, `A",0,`, `A",1,`}, {good, `A",0,`, `A",00,`}, {good, `0,1,2,3]`, `0,4294967296,2,3]`}, {good, `0,1,2,3]`, `0,1,2,0]`},
		{good, `0,1,2,3]`, `0,1,9223372036854775807,3]`}, {good, `A",0,`, `",0,`}, {good, `AAAA`, "AA\nA"}, {good, ref, strings.Repeat(ref+",", 64) + ref},
		{good, `"type":"f"`, `"type":"d"`}, {good, `"type":"f"`, `"type":"x"`}, {good, `"type":"f"`, `"type":"ff"`}, {good, `"type":"f"`, `"type":"`}, {good, `"type":"f"`, `"type":""`},
		{good, `"path":"a"`, `"path":"/a"`}, {good, `"path":"a"`, `"path":"a/"`}, {good, `"path":"a"`, `"path":"a//b"`}, {good, `"path":"a"`, `"path":"../a"`}, {good, `"path":"a"`, `"path":"a/.."`},
		{good, `"path":"a"`, `"path":"."`}, {good, `"path":"a"`, `"path":"a\u0000"`}, {good, `"path":"a"`, `"path64":"YQ=="`}, {good, `"path":"a"`, `"path":"` + strings.Repeat("a", MaxPath+1) + `"`},
		{good, `"path":"a"`, `"path":null`}, {good, `"path":"a",`, ``}, {good, `"user":"u"`, `"user":"` + strings.Repeat("u", MaxLine) + `"`},
		{good, `"refs"`, `"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","refs"`}, {list, `"depth":1`, `"depth":0`}, {list, `"depth":1`, `"depth":5`}, {list, `AAAAE"`, `AAAAA"`},
		{list, `,"refs":[` + ref + `]`, ``}, {list, `,"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"`, ``}, {list, `"changed"`, `"refs":[` + ref + `],"changed"`},
		{good, `"value":"dg=="`, `"value":"` + strings.Repeat("AAAA", MaxInlineXattr/3+1) + `"`},
	} {
		var e Entry
		if err := ParseEntry([]byte(c.from), []chunk.Series{{1}}, &e); err != nil {
			t.Fatalf("%s: %v", c.from, err)
		}
		bad := strings.Replace(c.from, c.old, c.new, 1)
		if bad == c.from {
			t.Fatalf("%s has no %s", c.from, c.old)
		}
		if ParseEntry([]byte(bad), []chunk.Series{{1}}, &e) == nil {
			t.Errorf("accepted %s in place of %s", c.new, c.old)
		}
	}
	for i := range good {
		if ParseEntry([]byte(good[:i]), []chunk.Series{{1}}, &Entry{}) == nil {
			t.Errorf("accepted the first %d bytes", i)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for i, change := range []func(e *Entry){
		func(e *Entry) { e.Type = 'x' },
		func(e *Entry) { e.Mode = 1 << 12 },
		func(e *Entry) { e.Size = -1 },
		func(e *Entry) { e.Size-- },
		func(e *Entry) { e.Mtime.Nsec = 1e9 },
		func(e *Entry) { e.Rdev = 1 },
		func(e *Entry) { e.Target = "x" },
		func(e *Entry) { e.Type, e.Size = files.Dir, 0 },
		func(e *Entry) { e.Type, e.Refs = files.FIFO, nil },
		func(e *Entry) { e.Refs[0].Len = 0 },
		func(e *Entry) { e.Refs[0].Offset = -1 },
		func(e *Entry) { e.Refs = dataRefs(1, 65); e.Size = 1 << 40 },
		func(e *Entry) { e.ListDepth = 1 },
		func(e *Entry) { e.ListDepth, e.ContentHash = 5, chunk.ID{1} },
		func(e *Entry) { e.ContentHash = chunk.ID{1} },
		func(e *Entry) { e.Holes = []files.Hole{{Off: 5, Len: 1}, {Off: 6, Len: 1}} },
		func(e *Entry) { e.Holes = make([]files.Hole, MaxHoles+1) },
		func(e *Entry) { e.Xattrs = []files.Xattr{{Name: "b"}, {Name: "a"}} },
		func(e *Entry) { e.Xattrs = []files.Xattr{{Name: "a", Value: make([]byte, MaxInlineXattr+1)}} },
		func(e *Entry) { e.Xattrs, e.BigXattrs = []files.Xattr{{Name: "a"}}, []BigXattr{{"a", dataRef(1, 9)}} },
		func(e *Entry) { e.BigXattrs = []BigXattr{{"a", dataRef(1, MaxSegment+1)}} },
		func(e *Entry) { e.Path = "a/../b" },
		func(e *Entry) { e.Path = strings.Repeat("a", MaxPath+1) },
	} {
		e := file("a", 12345)
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
		change(&e)
		if e.Check() == nil {
			t.Errorf("change %d: accepted", i)
		}
		var got Entry
		if b, series := line(&e); ParseEntry(b, series, &got) == nil && cmp.Equal(&e, &got, same) {
			t.Errorf("change %d: its line is accepted", i)
		}
	}
}

// The check of a sequence, which looks at neighbours only, refuses what a look
// at all that came before refuses.
func TestOrderIsThatOfAWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "a!", "b", "a/b", "a/b/c", "a/b!", "a/c", "a!/x", "b/x", "", "a//b", ".."})
		var o order
		types := map[string]bool{} // path to whether it is a folder
		last, first := "", true
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			path, dir := part.Draw(t, "path"), rapid.Bool().Draw(t, "dir")
			parent, ok := "", first && path == ""
			if path != "" {
				parent = path[:max(strings.LastIndexByte(path, '/'), 0)]
				ok = types[parent] && checkPath(path) == nil && files.Compare(last, path) < 0
			}
			if got := o.check(path) == nil; got != ok {
				t.Fatalf("%q after %q: accepted %v, want %v", path, last, got, ok)
			}
			if ok {
				o.passed(path, dir)
				types[path], last, first = dir, path, false
			}
		}
	})
}

func TestErrTooLarge(t *testing.T) {
	wide := file("wide", 1)
	wide.Err = strings.Repeat("x", MaxLine)
	for _, e := range []Entry{wide, folder(strings.Repeat("y", MaxPath+1))} {
		b := NewBuilder(testKey, newStore().put)
		root := folder("")
		if err := b.Add(&root); err != nil {
			t.Fatal(err)
		}
		if err := b.Add(&e); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%.10q: %v", e.Path, err)
		}
		if r, err := b.Finish(); err != nil || r.Count != 1 {
			t.Errorf("after a refused entry: %+v, %v", r, err)
		}
	}
}

func ExampleAppendEntry() {
	e := Entry{Path: "notes.txt", Refs: []chunk.Ref{{Series: chunk.Series{0xab}, Number: 7, Len: 12}}}
	e.Type, e.Mode, e.Size = files.Regular, 0o600, 12
	series := []chunk.Series{{0xab}}
	fmt.Printf("%s\n", AppendEntry(nil, &e, func(chunk.Series) int { return 0 }))
	var back Entry
	fmt.Println(ParseEntry(AppendEntry(nil, &e, func(chunk.Series) int { return 0 }), series, &back), back.Path, back.Refs[0].Series)
	// Output:
	// {"path":"notes.txt","type":"f","mode":384,"size":12,"refs":[["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",0,7,0,12]]}
	// <nil> notes.txt ab00000000000000
}
