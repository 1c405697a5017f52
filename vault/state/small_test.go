package state

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func head(device string, seq uint64, name string) Head {
	return Head{Device: device, Seq: seq, Name: name, Chain: strings.Repeat("0f", 32)}
}

func TestHeads(t *testing.T) {
	d := newDir(t)
	a, b := strings.Repeat("aa", 8), strings.Repeat("bb", 8)
	set := func(device string, heads ...Head) {
		t.Helper()
		if err := d.SetHeads(device, heads); err != nil {
			t.Fatal(err)
		}
	}
	want := func(want ...Head) {
		t.Helper()
		got, err := copyDir(t, d).Heads()
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("heads %v %v, want %v", got, err, want)
		}
	}
	want()
	set(b, head(b, 4, "4-s"))
	set(a, head(a, 2, "2-s"), head(a, 1, "1-s"))
	want(head(a, 1, "1-s"), head(a, 2, "2-s"), head(b, 4, "4-s"))
	set(a, head(a, 3, "3-s"))
	want(head(a, 3, "3-s"), head(b, 4, "4-s"))
	if err := d.SetHeads(a, []Head{head(b, 9, "9-s")}); err == nil {
		t.Error("head of another device was accepted")
	}
	set(b)
	want(head(a, 3, "3-s"))

	// What was seen of others must not be lost in silence.
	good := read(t, d.file(headsFile))
	for i, bad := range damages(good, 200) {
		write(t, d.file(headsFile), bad)
		if got, err := d.Heads(); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v %v", i, got, err)
		}
	}
	if err := d.SetHeads(b, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged heads were written over: %v", err)
	}
	if err := d.ForgetHeads(); err != nil {
		t.Fatal(err)
	}
	set(b, head(b, 5, "5-s"))
	want(head(b, 5, "5-s"))
}

func TestProjects(t *testing.T) {
	d := newDir(t)
	ids := make(map[string]string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, key := range []string{"docs", "/srv/\xff", "docs", "/srv/\xff", "docs"} {
		wg.Go(func() {
			id, err := d.Project(key)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || !isHex(id, 8) || ids[key] != "" && ids[key] != id {
				t.Errorf("project %q: %s %v, was %s", key, id, err, ids[key])
			}
			ids[key] = id
		})
	}
	wg.Wait()
	list, err := d.Projects()
	if err != nil || len(list) != 2 || list[0].ID == list[1].ID {
		t.Fatalf("projects %v %v", list, err)
	}
	if err := d.BindProject("papers", ids["docs"]); err != nil {
		t.Fatal(err)
	}
	if id, err := d.Project("papers"); err != nil || id != ids["docs"] {
		t.Errorf("renamed project: %s %v", id, err)
	}
	if id, err := d.Project("docs"); err != nil || id == ids["docs"] {
		t.Errorf("former key: %s %v", id, err)
	}
	if err := d.BindProject("x", "y"); err == nil {
		t.Error("ID that is none was bound")
	}
	if err := d.SaveLedger(ids["docs"], Ledger{Name: "l", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveProject(ids["docs"]); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Ledger(ids["docs"]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ledger of a removed project: %v", err)
	}
	if id, err := d.Project("papers"); err != nil || id == ids["docs"] {
		t.Errorf("removed project: %s %v", id, err)
	}
	if err := d.RemoveProject("../.."); err == nil {
		t.Error("path was taken for an ID")
	}
}

// A damaged list of projects must not give a project a new ID: its history
// would end.
func TestProjectsFromCatalog(t *testing.T) {
	d := newDir(t)
	want := make(map[string]string)
	for _, key := range []string{"docs", "/srv/\xff", "mail"} {
		id, err := d.Project(key)
		if err != nil {
			t.Fatal(err)
		}
		want[key] = id
		for _, commit := range []string{"1", "2"} {
			if err := d.AddSnapshot(Snapshot{Commit: commit, Project: id, Key: Text(key)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	good := read(t, d.file(projectsFile))
	for i, bad := range damages(good, 200) {
		write(t, d.file(projectsFile), bad)
		list, err := d.Projects()
		if err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
		got := make(map[string]string)
		for _, p := range list {
			got[string(p.Key)] = p.ID
		}
		if !maps.Equal(got, want) {
			t.Fatalf("byte %d: %v, want %v", i, got, want)
		}
	}
	if id, err := d.Project("docs"); err != nil || id != want["docs"] {
		t.Errorf("project %s %v", id, err)
	}
	if _, err := d.Project("new"); err != nil {
		t.Fatal(err)
	}
	if list, err := readSealed[projectList](d.file(projectsFile)); err != nil || len(list.Projects) != 4 {
		t.Errorf("list made anew: %v %v", list, err)
	}
}

func TestPending(t *testing.T) {
	d := newDir(t)
	if _, err := d.Pending(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("none yet: %v", err)
	}
	first := Pending{"commits/1", []byte("statement\nsignature\n")}
	for range 2 {
		if err := d.SavePending(first); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SavePending(Pending{"commits/2", nil}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a pending commit was written over: %v", err)
	}
	got, err := copyDir(t, d).Pending()
	if err != nil || cmp.Diff(first, got) != "" {
		t.Fatalf("after a kill: %v %v", got, err)
	}
	good := read(t, d.file(pendingFile))
	for i, bad := range damages(good, 200) {
		write(t, d.file(pendingFile), bad)
		if got, err := d.Pending(); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v %v", i, got, err)
		}
	}
	if err := d.SavePending(Pending{"commits/2", nil}); err != nil {
		t.Errorf("instead of a damaged one: %v", err)
	}
	for range 2 {
		if err := d.ClearPending(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Pending(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after clearing: %v", err)
	}
}

func TestLedger(t *testing.T) {
	d := newDir(t)
	if _, err := d.Ledger(project); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("none yet: %v", err)
	}
	want := Ledger{"ledgers/a/1", "1-s", bytes.Repeat([]byte("line\n"), 10000)}
	if err := d.SaveLedger(project, want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Ledger(project); err != nil || cmp.Diff(want, got) != "" {
		t.Fatalf("%v %v", got.Name, err)
	}
	path := d.file("projects", project, "ledger")
	for i, bad := range damages(read(t, path), 200) {
		write(t, path, bad)
		if got, err := d.Ledger(project); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v %v", i, got.Name, err)
		}
	}
	if err := d.SaveLedger("nonsense", want); err == nil {
		t.Error("project ID that is none was accepted")
	}
	if err := d.SaveLedger(project, Ledger{Data: make([]byte, maxBlob+1)}); err == nil {
		t.Error("ledger larger than can be read was accepted")
	}
	want.Data = make([]byte, maxBlob)
	if err := d.SaveLedger(project, want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Ledger(project); err != nil || len(got.Data) != maxBlob {
		t.Errorf("largest ledger: %d %v", len(got.Data), err)
	}
}

func snapshots(t testing.TB, d *Dir) (commits []string) {
	t.Helper()
	for s, err := range d.Snapshots() {
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, s.Commit)
	}
	return commits
}

func TestCatalog(t *testing.T) {
	d := newDir(t)
	if list := snapshots(t, d); len(list) != 0 {
		t.Errorf("none yet: %v", list)
	}
	want := Snapshot{
		Commit: "1-s", Project: project, Key: "docs", Label: "a\u2028b", Time: -1, Seconds: 7, Roots: []Text{"/home/\xff", "{}", "<&>"},
		Tags: []string{"x"}, Files: 1, Bytes: 2, NewBytes: 3, Unread: 4, Partial: true,
	}
	if err := d.AddSnapshot(want); err != nil {
		t.Fatal(err)
	}
	for got, err := range d.Snapshots() {
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%v: %s", err, cmp.Diff(want, got))
		}
	}
	for _, bad := range []Snapshot{
		{Commit: "\xff", Project: project}, {Commit: "1", Project: "x"},
		{Commit: "1", Project: project, Tags: []string{"\xff"}}, {Commit: "1", Project: project, Label: Text(make([]byte, maxLine))},
	} {
		if err := d.AddSnapshot(bad); err == nil {
			t.Errorf("%.60q was accepted", bad.Commit+bad.Project)
		}
	}
	for _, c := range []string{"2-s", "3-s", "4-s"} {
		if err := d.AddSnapshot(Snapshot{Commit: c, Project: project}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.KeepSnapshots(func(s Snapshot) bool { return s.Commit != "2-s" }); err != nil {
		t.Fatal(err)
	}
	for range snapshots(t, d) {
		break // the sequence can be left
	}
	if list := snapshots(t, d); !slices.Equal(list, []string{"1-s", "3-s", "4-s"}) {
		t.Errorf("kept %v", list)
	}
}

// Damage costs the line it is in, and a line cut short not the next one.
func TestCatalogDamage(t *testing.T) {
	d := newDir(t)
	want := []string{"1-s", "2-s", "3-s", "4-s"}
	for _, c := range want {
		if err := d.AddSnapshot(Snapshot{Commit: c, Project: project}); err != nil {
			t.Fatal(err)
		}
	}
	path := d.file(catalogFile)
	good := read(t, path)
	for i, bad := range damages(good, 200) {
		write(t, path, bad)
		list := snapshots(t, d)
		if len(bad) == len(good) && len(list) < 2 {
			t.Fatalf("byte %d cost %d lines", i, 4-len(list))
		}
		for _, c := range list {
			if !slices.Contains(want, c) {
				t.Fatalf("byte %d: snapshot %q", i, c)
			}
		}
		if i%20 == 0 {
			if err := d.AddSnapshot(Snapshot{Commit: "next", Project: project}); err != nil {
				t.Fatal(err)
			}
			if after := snapshots(t, d); !slices.Equal(after, append(list, "next")) {
				t.Fatalf("byte %d: %v, then %v", i, list, after)
			}
		}
	}
}

func TestSealRefuses(t *testing.T) {
	type form struct {
		A int    `json:"a"`
		B Text   `json:"b"`
		C string `json:"c,omitempty"`
	}
	line := func(s string) []byte { return appendSum([]byte(s)) }
	if v, err := unsealLine[form](line(`{"a":1,"b":"x"}`)); err != nil || *v != (form{1, "x", ""}) {
		t.Fatal(v, err)
	}
	if v, err := unsealLine[form](line(`{"a":1,"b":{"64":"/w=="}}`)); err != nil || v.B != "\xff" {
		t.Fatal(v, err)
	}
	for _, s := range []string{
		`{"a":1,"b":"x","d":1}`, `{"a":1, "b":"x"}`, `{"b":"x","a":1}`, `{"a":1,"b":"x","a":1}`, `{"A":1,"b":"x"}`, `{"a":1.0,"b":"x"}`,
		`{"a":1,"b":"x","c":""}`, `{"a":1}`, `{"a":1,"b":"\u0078"}`, `{"a":1,"b":{"64":"eA=="}}`, `{"a":1,"b":{"64":"/x=="}}`,
		`{"a":1,"b":null}`, `{"a":1,"b":"x"}{}`, `[1]`, `null`, `{}`, `{"a":1,"b":"<"}` + " ", `{"a":1,"b":"\u003c"}`,
	} {
		if v, err := unsealLine[form](line(s)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v %v", s, v, err)
		}
	}
}

// Writers of several processes and goroutines at once: every change counts.
func TestChangesConcurrent(t *testing.T) {
	d := newDevice(t)
	other, err := Open(d.path)
	if err != nil {
		t.Fatal(err)
	}
	seqs := make(map[uint64]bool)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, d := range []*Dir{d, other} {
		for range 3 {
			wg.Go(func() {
				for range 5 {
					seq, err := d.ReserveSeq(0)
					mu.Lock()
					if err != nil || seqs[seq] {
						t.Errorf("seq %d again, or %v", seq, err)
					}
					seqs[seq] = true
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
}

// A write that fails leaves the old file, and nothing else.
func TestReplaceFails(t *testing.T) {
	d := newDevice(t)
	if err := os.Mkdir(d.file(headsFile), 0o700); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(d.file(headsFile), []byte("x")); err == nil {
		t.Error("a folder was replaced")
	}
	if after, _ := os.ReadDir(d.path); len(after) != len(before) {
		t.Errorf("left behind: %v", after)
	}
}

func FuzzCatalog(f *testing.F) {
	line, err := sealLine(Snapshot{Commit: "1-s", Project: project, Key: "\xff", Roots: []Text{"/a"}, Tags: []string{"x"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(append(append([]byte("junk"), line...), line...))
	f.Add(bytes.TrimSuffix(line, []byte("\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		sealed := data
		if len(data) > 1 {
			sealed = appendSum(data)
		}
		for _, in := range [][]byte{data, sealed} {
			err := readCatalog(bytes.NewReader(in), func(s *Snapshot) bool {
				if out, err := sealLine(s); err != nil || !bytes.Contains(in, out) {
					t.Errorf("%q holds %q (%v)", in, out, err)
				}
				return true
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzBlob(f *testing.F) {
	b, err := encodeBlob("name", "commit", []byte("data\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, data, err := decodeBlob(in)
		if err != nil {
			return
		}
		if out, err := encodeBlob(h.Name, h.Commit, data); err != nil || !bytes.Equal(in, out) {
			t.Errorf("%q is also %q (%v)", in, out, err)
		}
	})
}
