package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testSmall is a file of a caller's own.
type testSmall struct {
	Names []string         `json:"names"`
	Seen  map[string]int64 `json:"seen,omitempty"`
	Path  Text             `json:"path"`
	At    time.Time        `json:"at"`
}

func TestSmall(t *testing.T) {
	d := newDir(t)
	const name = "Seen-1.json"
	if _, err := ReadSmall[testSmall](d, name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("none yet: %v", err)
	}
	want := testSmall{
		Names: []string{"<&>", "b"}, Seen: map[string]int64{"z": -1, "a": 1 << 60}, Path: "/home/\xff",
		At: time.Date(2026, 3, 1, 14, 0, 0, 999, time.FixedZone("", 7200)),
	}
	for _, v := range []testSmall{{}, want} {
		if err := d.WriteSmall(name, v); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadSmall[testSmall](copyDir(t, d), name); err != nil || cmp.Diff(&v, got) != "" {
			t.Errorf("%v: %s", err, cmp.Diff(&v, got))
		}
	}
	if _, err := ReadSmall[projectList](d, name); !errors.Is(err, ErrDamaged) {
		t.Errorf("read as another thing: %v", err)
	}
	for i, bad := range damages(read(t, d.file(name)), 200) {
		write(t, d.file(name), bad)
		if got, err := ReadSmall[testSmall](d, name); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v %v", i, got, err)
		}
	}
	if err := d.WriteSmall(name, want); err != nil {
		t.Errorf("instead of a damaged one: %v", err)
	}
}

// What is refused leaves the folder, and the file of that name, as they are.
func TestSmallRefuses(t *testing.T) {
	d := newDir(t)
	fill(t, d)
	before := filesOf(t, d)
	names := append(slices.Clone(ownNames), "", ".", "..", ".seen.json", "a/b", "../seen.json", "/seen", "a\\b", "a b", "a\n", "a_b", "\xff", "é",
		"a\x00", "Device.json", "INDEX", strings.Repeat("a", maxSmallName+1))
	for _, name := range names {
		if err := d.WriteSmall(name, testSmall{}); err == nil {
			t.Errorf("%q was written", name)
		}
		if _, err := ReadSmall[testSmall](d, name); err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
			t.Errorf("%q was read: %v", name, err)
		}
	}
	large := testSmall{Names: []string{strings.Repeat("a", maxSmall)}}
	for _, v := range []any{struct{}{}, nil, 1, "{}", []int{1}, large, math.NaN()} {
		if err := d.WriteSmall("seen.json", v); err == nil {
			t.Errorf("%.40v was written", v)
		}
	}
	if diff := cmp.Diff(before, filesOf(t, d)); diff != "" {
		t.Error(diff)
	}
}

// The largest file that is written is read again.
func TestSmallLargest(t *testing.T) {
	d := newDir(t)
	none, err := sealLine(testSmall{Names: []string{""}})
	if err != nil {
		t.Fatal(err)
	}
	for over, want := range map[int]bool{0: true, 1: false} {
		v := testSmall{Names: []string{strings.Repeat("a", maxSmall-len(none)+over)}}
		if err := d.WriteSmall("seen.json", v); (err == nil) != want {
			t.Errorf("%d bytes: %v", maxSmall+over, err)
		}
	}
	if _, err := ReadSmall[testSmall](d, "seen.json"); err != nil {
		t.Error(err)
	}
}

// filesOf returns the bytes of every file but the locks.
func filesOf(t testing.TB, d *Dir) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(os.DirFS(d.path), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasSuffix(path, ".lock") {
			all[path] = string(read(t, d.file(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
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
	base, w, err := d.BeginManifest(ids["docs"], "/docs")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(base.Close(), w.Commit()); err != nil {
		t.Fatal(err)
	}
	if roots, err := d.Roots(ids["docs"]); err != nil || !slices.Equal(roots, []string{"/docs"}) {
		t.Errorf("roots %v %v", roots, err)
	}
	if err := d.RemoveProject(ids["docs"]); err != nil {
		t.Fatal(err)
	}
	if roots, err := d.Roots(ids["docs"]); err != nil || len(roots) != 0 {
		t.Errorf("local manifests of a removed project: %v %v", roots, err)
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

// However long the catalog is, its end is read at the cost of its end.
func TestRecentSnapshots(t *testing.T) {
	d := newDir(t)
	const many = 700
	for i := range many {
		if err := d.AddSnapshot(Snapshot{Commit: fmt.Sprint(i), Project: project, Label: Text(make([]byte, 100))}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for s, err := range d.RecentSnapshots() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Commit)
	}
	all := snapshots(t, d)
	if n := len(got); len(all) != many || n < 100 || n >= many || !slices.Equal(got, all[many-n:]) {
		t.Errorf("%d of %d, from %v on", n, len(all), got[:1])
	}
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
	var wg sync.WaitGroup
	for _, d := range []*Dir{d, other} {
		for range 3 {
			wg.Go(func() {
				for range 5 {
					if _, err := d.UpdateDevice(func(v *Device) error { v.TrustN++; return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if v, err := d.Device(); err != nil || v.TrustN != testDevice().TrustN+30 {
		t.Errorf("%d %v after 30 changes to %d", v.TrustN, err, testDevice().TrustN)
	}
}

// A write that fails leaves the old file, and nothing else.
func TestReplaceFails(t *testing.T) {
	d := newDevice(t)
	if err := os.Mkdir(d.file(projectsFile), 0o700); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(d.file(projectsFile), []byte("x")); err == nil {
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
