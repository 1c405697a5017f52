package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coffer/chunk"
)

// sampleBody has all fields.
func sampleBody() *Body {
	return &Body{
		Vault: strings.Repeat("0f", 16), Device: "00112233445566aa", Project: "ffeeddccbbaa0099",
		Label: "the \"shop\"", Host: "h\xf6st", User: "jo", Coffer: "1.0.0",
		Start: time.Unix(1_789_000_000, 0).UTC(), End: time.Unix(1_789_000_060, 0).UTC(),
		Roots: []BodyRoot{
			{"/home/jo/shop", Root{2, 1_000_000, dataRef(1, 99)}},
			{"/srv/\xff", Root{0, 1, dataRef(6, 98)}},
			{"/etc", Root{0, 1, dataRef(2, 97)}},
		},
		Policy:  []string{"exclude *.o", "one-file-system"},
		Tags:    []string{"ünï", "weekly"},
		Counts:  Counts{Files: 5, Dirs: 4, Other: 3, Bytes: 1 << 50, Unread: 2},
		Unread:  []Unread{{"/home/jo/shop/\xfe", "open: permission denied"}, {"/etc/shadow", "open: permission denied"}},
		Partial: true,
		Newest:  []Newest{{"0000000000000001", "0000000007-s006aa1b2c3-aa"}, {"0000000000000002", "0000000009-s006aa1b2c4-bb"}},
	}
}

func TestBodyIsGolden(t *testing.T) {
	empty := &Body{Vault: strings.Repeat("0", 32), Device: strings.Repeat("1", 16), Project: strings.Repeat("2", 16), Start: time.Unix(-5, 0).UTC(), End: time.Unix(0, 0).UTC()}
	var out []byte
	for _, b := range []*Body{sampleBody(), empty} {
		data, err := EncodeBody(b)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data) {
			t.Errorf("not JSON: %s", data)
		}
		got, err := ParseBody(data)
		if err != nil {
			t.Fatal(err)
		}
		keep := bytes.Clone(data)
		clear(data)
		if d := cmp.Diff(b, got); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		out = append(out, keep...)
	}
	golden(t, "bodies.jsonl", out)
}

func TestBodyCheckRefuses(t *testing.T) {
	for i, change := range []func(b *Body){
		func(b *Body) { b.Vault = "x" }, func(b *Body) { b.Device += "0" }, func(b *Body) { b.Project = strings.ToUpper(b.Project) },
		func(b *Body) { b.Roots[0].Path = "" }, func(b *Body) { b.Roots[1].Path = b.Roots[0].Path }, func(b *Body) { b.Roots[0].Root.Count = 0 },
		func(b *Body) { b.Roots[0].Root.Level = MaxLevel + 1 }, func(b *Body) { b.Roots[0].Root.Ref.Len = 0 }, func(b *Body) { b.Roots = make([]BodyRoot, maxRoots+1) },
		func(b *Body) { b.Policy[0] = "" }, func(b *Body) { b.Tags[0] = "\xff" }, func(b *Body) { b.Tags = make([]string, maxTexts+1) },
		func(b *Body) { b.Counts.Bytes = -1 }, func(b *Body) { b.Unread[0].Path = "" }, func(b *Body) { b.Unread[0].Error = "" },
		func(b *Body) { b.Newest[0].Project = b.Newest[1].Project }, func(b *Body) { b.Newest[0].Project = "" }, func(b *Body) { b.Newest[0].Commit = "" },
	} {
		b := sampleBody()
		change(b)
		if _, err := EncodeBody(b); err == nil {
			t.Errorf("change %d is encoded", i)
		}
	}
	b := sampleBody()
	b.Tags[0] = strings.Repeat("x", MaxBody)
	if _, err := EncodeBody(b); err == nil {
		t.Error("a body of more than 16 MiB is encoded")
	}
}

func TestParseBodyRefuses(t *testing.T) {
	data, err := EncodeBody(sampleBody())
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for i := range good {
		if _, err := ParseBody(data[:i]); err == nil {
			t.Errorf("accepted the first %d bytes", i)
		}
	}
	for _, c := range []struct{ old, new string }{
		{`"v":1`, `"v":2`}, {"}\n", "}"}, {"}\n", "}\n\n"}, {"}\n", "} \n"}, {`"snapshot"`, `"move"`}, {`"label"`, `"more":1,"label"`},
		{`"user":"jo"`, `"user":""`}, {`"start":1`, `"start":01`}, {`"start":1789000000`, `"start":1789000000.5`}, {`"level":2`, `"level":13`}, {`"count":1,`, `"count":0,`},
		{`,"partial":true`, `,"partial":false`}, {`"unread":[`, `"unread":[],"unread":[`}, {`,"tags":["ünï","weekly"]`, `,"tags":[]`},
		{`"policy":["exclude *.o",`, `"policy":["",`}, {`"0000000000000001"`, `"0000000000000003"`}, {`"counts":{"files":5,"dirs":4`, `"counts":{"dirs":4,"files":5`},
		{`"path":"/etc"`, `"path":"/home/jo/shop"`}, {`",0,1,`, `",1,1,`}, {`",1,2,`, `",0,2,`},
		{`"da02000000000000"]`, `"da02000000000000","da03000000000000"]`}, {`"path":"/etc/shadow","error":"open: permission denied"`, `"path":"/etc/shadow"`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s has no %s", good, c.old)
		}
		if _, err := ParseBody([]byte(bad)); err == nil {
			t.Errorf("accepted %s in place of %s", c.new, c.old)
		}
	}
	if _, err := ParseBody(append(bytes.Repeat([]byte(" "), MaxBody), good...)); err == nil {
		t.Error("accepted more than 16 MiB")
	}
}

// However much could not be read, the body stays small enough to be stored.
func TestBodyNamesTheFirstUnread(t *testing.T) {
	b := sampleBody()
	b.Unread = nil
	for i := range 3 * MaxUnread {
		b.Unread = append(b.Unread, Unread{fmt.Sprint(i), "gone"})
	}
	for _, name := range []string{"", strings.Repeat("\x01", MaxPath)} {
		for i := range b.Unread {
			b.Unread[i].Path = fmt.Sprint(i, name)
		}
		data, err := EncodeBody(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseBody(data)
		if err != nil {
			t.Fatal(err)
		}
		n := len(got.Unread)
		if d := cmp.Diff(b.Unread[:n], got.Unread); d != "" || n == 0 || n > MaxUnread || name == "" && n != MaxUnread {
			t.Errorf("%d paths, %s", n, d)
		}
	}
}

func TestManyRoots(t *testing.T) {
	b := sampleBody()
	b.Roots = nil
	for i := range 500 {
		r := dataRef(uint64(i), 9)
		r.Series = chunk.Series{byte(i), byte(i >> 4)}
		b.Roots = append(b.Roots, BodyRoot{fmt.Sprint("/", i), Root{1, 2, r}})
	}
	data, err := EncodeBody(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseBody(data)
	if d := cmp.Diff(b, got, cmpopts.EquateEmpty()); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}
