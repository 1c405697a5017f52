package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// The plan of the house, held by TestHouse. Files are cut into chunks, kept in
// a vault, resting on a remote; the daemon keeps the time, the config says
// what, and cmd is the door. Arrows run downward only.

// What several rooms know.
const (
	houseGround = "chunk chunk/seal chunk/pack files"
	houseNouns  = "vault/trust vault/commit vault/ledger vault/manifest vault/retention vault/kit vault/state"
	houseVerbs  = "vault/backup vault/restore vault/verify vault/prune vault/mount vault/repair"
	houseShelf  = "remote/s3 remote/dir remote/mem remote/fault"
	houseFakes  = "remote/mem remote/fault"
	houseVoices = "daemon/notify daemon/metrics daemon/control daemon/web"
)

// houseFloors are the rooms from the ground up, each with the rooms that it may
// know. Within the nouns the compiler's ban on circles is order enough. Tests
// may know whatever stands on their floor or below, and the fakes. A room
// inside of a room (vault/trust/canon) is a part of it.
var houseFloors = [][]houseRooms{
	{{"chunk", ""}, {"files", ""}, {"remote", ""}, {"config", ""}, {"deploy", ""}},
	{{"chunk/seal", "chunk"}, {houseShelf, "remote"}},
	{{"chunk/pack", "chunk chunk/seal"}},
	{{houseNouns, houseGround + " " + houseNouns}},
	{{"vault", houseGround + " remote " + houseNouns}},
	{{houseVerbs, houseGround + " remote vault " + houseNouns}},
	{{"vault/drill", houseGround + " remote vault vault/restore " + houseNouns}},
	{{"daemon/report daemon/schedule daemon/host", ""}},
	{{houseVoices, "daemon/report"}, {"daemon/job", "daemon/report"}},
	{{"daemon", "daemon/report daemon/schedule daemon/host daemon/job"}},
	{{"cmd/coffer", "config deploy remote vault daemon daemon/report daemon/schedule daemon/host daemon/job " +
		houseGround + " " + houseNouns + " " + houseVerbs + " vault/drill " + houseShelf + " " + houseVoices},
		{"cmd/coffer-bench", "chunk chunk/seal chunk/pack"}},
}

// houseRooms are rooms that know the same; both are lists parted by blanks.
type houseRooms struct{ names, know string }

// houseModules says which rooms may import a module, "" being all. One module,
// one room: so each can be replaced by looking in one place.
var houseModules = map[string]string{
	"github.com/restic/chunker":           "chunk",
	"filippo.io/age":                      "chunk/seal",
	"github.com/klauspost/compress":       "chunk/pack",
	"github.com/aws/aws-sdk-go-v2":        "remote/s3",
	"github.com/aws/smithy-go":            "remote/s3",
	"golang.org/x/time":                   "remote",
	"github.com/pelletier/go-toml/v2":     "config",
	"github.com/gofrs/flock":              "vault/state",
	"github.com/coreos/go-systemd/v22":    "daemon/host",
	"github.com/godbus/dbus/v5":           "daemon/host",
	"github.com/google/renameio/v2":       "vault/state",
	"github.com/nicholas-fedor/shoutrrr":  "daemon/notify",
	"github.com/prometheus/client_golang": "daemon/metrics",
	"github.com/robfig/cron/v3":           "daemon/schedule",
	"github.com/spf13/cobra":              "cmd/coffer",
	"github.com/spf13/pflag":              "cmd/coffer",
	"github.com/vbauerster/mpb/v8":        "cmd/coffer",
	"github.com/dustin/go-humanize":       "cmd/coffer",
	"golang.org/x/term":                   "cmd/coffer",
	"golang.org/x/sys":                    "files vault/state remote/dir remote/s3 daemon/host",
	"golang.org/x/sync/errgroup":          "",
}

// A house is what inspect has seen so far.
type house struct {
	complaints []string
	docs       map[string][]string // package comments by folder: the files that have one
	names      map[string]string   // package names by folder
}

// TestHouse walks the whole repository. It reads the files itself: what a child
// process reads is hidden from the test cache, which would then keep on saying
// that all is well.
func TestHouse(t *testing.T) {
	h := inspect(t, os.DirFS("../.."))
	for _, c := range h.complaints {
		t.Error(c)
	}
	for _, room := range []string{"chunk", "files", "remote", "config", "vault"} {
		if h.names[room] == "" {
			t.Errorf("the walk missed %s", room)
		}
	}
}

// inspect reads every Go file of the main module.
func inspect(t *testing.T, repo fs.FS) *house {
	t.Helper()
	h := &house{docs: map[string][]string{}, names: map[string]string{}}
	err := fs.WalkDir(repo, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && outside(repo, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		src, err := fs.ReadFile(repo, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		h.file(name, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.checkDocs()
	slices.Sort(h.complaints)
	return h
}

// outside reports whether a folder is none of the module's.
func outside(repo fs.FS, dir string) bool {
	base := path.Base(dir)
	if dir == "." {
		return false
	}
	_, err := fs.Stat(repo, path.Join(dir, "go.mod"))
	return err == nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
}

func (h *house) complain(format string, args ...any) {
	h.complaints = append(h.complaints, fmt.Sprintf(format, args...))
}

// file checks one file.
func (h *house) file(name string, f *ast.File) {
	dir, test := path.Dir(name), strings.HasSuffix(name, "_test.go")
	room := roomOf(dir)
	if room == "" {
		h.complain("%s: the plan has no room for it", name)
		return
	}
	for _, imp := range f.Imports {
		target, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			h.complain("%s: import %s", name, imp.Path.Value)
			continue
		}
		h.arrow(name, dir, target, test)
		if !test && imp.Name != nil && imp.Name.Name == "_" && target != "embed" {
			h.complain("%s: blank import of %s", name, target)
		}
	}
	if test {
		return
	}
	h.names[dir] = f.Name.Name
	if f.Doc != nil {
		h.docs[dir] = append(h.docs[dir], f.Doc.Text())
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			h.complain("%s: has an init function", name)
		}
	}
}

// arrow checks one import of the file name in dir.
func (h *house) arrow(name, dir, target string, test bool) {
	first, _, _ := strings.Cut(target, "/")
	local, isLocal := strings.CutPrefix(target, "coffer/")
	switch {
	case target == "C":
		h.complain("%s: needs a C compiler", name)
	case isLocal && helpsTests(dir) && (test || strings.HasPrefix(local, "remote/")):
		// End-to-end tests beside a test helper may know every room, since
		// nothing imports them; and what starts real servers knows the stores.
	case isLocal:
		h.localArrow(name, dir, local, test || helpsTests(dir))
	case strings.Contains(first, ".") && !test && !helpsTests(dir):
		h.moduleArrow(name, dir, target)
	}
}

func (h *house) localArrow(name, dir, target string, test bool) {
	from, to := roomOf(dir), roomOf(target)
	switch {
	case to == "":
		h.complain("%s: imports %s, and the plan has no room for it", name, target)
	case !test && helpsTests(target):
		h.complain("%s: imports %s, which is for tests", name, target)
	case from == to:
	case test && (floorOf(to) <= floorOf(from) || slices.Contains(strings.Fields(houseFakes), to)):
	case slices.Contains(strings.Fields(knownBy(from)), to):
	default:
		h.complain("%s: %s must not know %s", name, from, to)
	}
}

func (h *house) moduleArrow(name, dir, target string) {
	for module, homes := range houseModules {
		if target != module && !strings.HasPrefix(target, module+"/") {
			continue
		}
		if homes != "" && !slices.Contains(strings.Fields(homes), roomOf(dir)) {
			h.complain("%s: imports %s, whose only home is %s", name, target, homes)
		}
		return
	}
	h.complain("%s: imports %s, which has no home in the plan", name, target)
}

// checkDocs wants one package comment per package, in its proper form.
func (h *house) checkDocs() {
	for dir, name := range h.names {
		docs := h.docs[dir]
		if len(docs) != 1 {
			h.complain("%s: has %d package comments", dir, len(docs))
			continue
		}
		if name != "main" && !strings.HasPrefix(docs[0], "Package "+name+" ") {
			h.complain("%s: its comment does not begin with Package %s", dir, name)
		}
	}
}

// helpsTests reports whether a package is there for tests only.
func helpsTests(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasSuffix(part, "test") {
			return true
		}
	}
	return dir == "files/treecmp"
}

// roomOf returns the room of the plan that dir is, or is a part of, or "". Two
// levels deep everything must be in the plan, but what helps tests.
func roomOf(dir string) string {
	for d := dir; d != "."; d = path.Dir(d) {
		if floorOf(d) >= 0 {
			return d
		}
		if strings.Count(d, "/") < 2 && !helpsTests(d) {
			return ""
		}
	}
	return ""
}

// floorOf returns the floor of a room, or -1.
func floorOf(room string) int {
	return slices.IndexFunc(houseFloors, func(rooms []houseRooms) bool {
		return slices.ContainsFunc(rooms, func(r houseRooms) bool { return slices.Contains(strings.Fields(r.names), room) })
	})
}

// knownBy returns the rooms that a room may know.
func knownBy(room string) string {
	for _, rooms := range houseFloors {
		for _, r := range rooms {
			if slices.Contains(strings.Fields(r.names), room) {
				return r.know
			}
		}
	}
	return ""
}

// TestHouseIsDrawnDownward holds the plan itself to its rule.
func TestHouseIsDrawnDownward(t *testing.T) {
	for floor, rooms := range houseFloors {
		for _, r := range rooms {
			for known := range strings.FieldsSeq(r.know) {
				if f := floorOf(known); f < 0 || f > floor || f == floor && r.names != houseNouns {
					t.Errorf("%s knows %s, which stands on floor %d of %d", r.names, known, f, floor)
				}
			}
		}
	}
	for module, homes := range houseModules {
		for home := range strings.FieldsSeq(homes) {
			if floorOf(home) < 0 {
				t.Errorf("%s is at home in %s, which is no room", module, home)
			}
		}
	}
}

// TestHouseNotices shows TestHouse every kind of thing it must refuse, and
// what it must leave alone.
func TestHouseNotices(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"chunk/a.go", `import "coffer/files"`, "chunk/a.go: chunk must not know files"},
		{"config/a.go", `import "coffer/remote"`, "config/a.go: config must not know remote"},
		{"files/a.go", `import "coffer/vault"`, "files/a.go: files must not know vault"},
		{"remote/s3/a.go", `import "coffer/remote/dir"`, "remote/s3/a.go: remote/s3 must not know remote/dir"},
		{"remote/a.go", `import "coffer/remote/s3"`, "remote/a.go: remote must not know remote/s3"},
		{"vault/trust/a.go", `import "coffer/vault"`, "vault/trust/a.go: vault/trust must not know vault"},
		{"vault/trust/canon/a.go", `import "coffer/remote"`, "vault/trust/canon/a.go: vault/trust must not know remote"},
		{"vault/a.go", `import "coffer/vault/backup"`, "vault/a.go: vault must not know vault/backup"},
		{"vault/a.go", `import "coffer/remote/s3"`, "vault/a.go: vault must not know remote/s3"},
		{"vault/backup/a.go", `import "coffer/vault/restore"`, "vault/backup/a.go: vault/backup must not know vault/restore"},
		{"vault/restore/a.go", `import "coffer/config"`, "vault/restore/a.go: vault/restore must not know config"},
		{"vault/a_test.go", `import "coffer/vault/verify"`, "vault/a_test.go: vault must not know vault/verify"},
		{"daemon/a.go", `import "coffer/cmd/coffer"`, "daemon/a.go: daemon must not know cmd/coffer"},
		{"vault/a.go", `import "coffer/remote/storetest"`, "vault/a.go: imports remote/storetest, which is for tests"},
		{"vault/restore/a.go", `import "coffer/files/treecmp"`, "vault/restore/a.go: imports files/treecmp, which is for tests"},
		{"util/a.go", ``, "util/a.go: the plan has no room for it"},
		{"vault/extra/a.go", ``, "vault/extra/a.go: the plan has no room for it"},
		{"a.go", ``, "a.go: the plan has no room for it"},
		{"vault/a.go", `import "coffer/internal/x"`, "vault/a.go: imports internal/x, and the plan has no room for it"},
		{"files/a.go", `import "filippo.io/age/armor"`, "files/a.go: imports filippo.io/age/armor, whose only home is chunk/seal"},
		{"config/a.go", `import "gopkg.in/yaml.v3"`, "config/a.go: imports gopkg.in/yaml.v3, which has no home in the plan"},
		{"config/a.go", `import "golang.org/x/sync/semaphore"`, "config/a.go: imports golang.org/x/sync/semaphore, which has no home in the plan"},
		{"files/a.go", `import "github.com/google/go-cmp/cmp"`, "files/a.go: imports github.com/google/go-cmp/cmp, which has no home in the plan"},
		{"config/a.go", `import _ "net/http/pprof"`, "config/a.go: blank import of net/http/pprof"},
		{"config/a.go", `import "C"`, "config/a.go: needs a C compiler"},
		{"config/a.go", `func init() {}`, "config/a.go: has an init function"},

		{"config/a.go", `import _ "embed"`, ""},
		{"config/a.go", `type t int; func (t) init() {}`, ""},
		{"config/a_test.go", `import "github.com/google/go-cmp/cmp"; func init() {}`, ""},
		{"chunk/seal/a_test.go", `import "coffer/remote/mem"`, ""},
		{"remote/storetest/a.go", `import ("testing"; "pgregory.net/rapid"; "coffer/remote"; "coffer/remote/mem")`, ""},
		{"remote/a_test.go", `import ("coffer/remote/fault"; "coffer/remote/storetest")`, ""},
		{"remote/a_test.go", `import "coffer/remote/s3"`, "remote/a_test.go: remote must not know remote/s3"},
		{"vault/vaulttest/a.go", `import ("coffer/vault"; "coffer/remote/mem")`, ""},
		{"vault/vaulttest/a_test.go", `import ("coffer/vault/backup"; "coffer/vault/restore"; "coffer/remote/dir")`, ""},
		{"vault/trust/canon/a.go", `import "coffer/chunk"`, ""},
		{"vault/commit/a.go", `import ("coffer/vault/trust/canon"; "golang.org/x/sync/errgroup")`, ""},
		{"deploy/minio/a.go", `import "github.com/minio/minio/cmd"`, ""},
		{"chunk/testdata/a.go", `import "coffer/vault"`, ""},
	} {
		pkg := path.Base(path.Dir(c.file))
		text := fmt.Sprintf("// Package %s is here.\npackage %s\n%s\n", pkg, strings.ReplaceAll(pkg, ".", "x"), c.text)
		got := inspect(t, fstest.MapFS{"go.mod": {}, "deploy/minio/go.mod": {}, c.file: {Data: []byte(text)}}).complaints
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s with %s:\n got %q\nwant %q", c.file, c.text, got, c.want)
		}
	}
}

func TestHouseNoticesComments(t *testing.T) {
	for _, c := range []struct{ one, two, want string }{
		{"package files", "package files", "files: has 0 package comments"},
		{"// Package files is.\npackage files", "// Package files is.\npackage files", "files: has 2 package comments"},
		{"// Something.\npackage files", "package files", "files: its comment does not begin with Package files"},
		{"// Package files is.\n\npackage files", "package files", "files: has 0 package comments"},
		{"// Package files is.\npackage files", "// Copyright\n\npackage files", ""},
	} {
		got := inspect(t, fstest.MapFS{"files/a.go": {Data: []byte(c.one)}, "files/b.go": {Data: []byte(c.two)}}).complaints
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%q and %q:\n got %q\nwant %q", c.one, c.two, got, c.want)
		}
	}
}
