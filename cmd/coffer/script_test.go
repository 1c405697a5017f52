package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"coffer/chunk/seal"
	"coffer/chunk/seal/sealtest"
	"coffer/files/treecmp"
	"coffer/remote/storetest/servers"
)

// Each behaviour of the command has a script under testdata/script, which says
// at its head why it is there. The first word of its name is the verb. What
// the scripts can do beside testscript's own commands is below, and in
// scriptprograms_test.go.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"coffer":    notingPeak,
		"nobody":    nobody,
		"interrupt": interrupt,
		"terminal":  terminal,
		"disk":      disk,
		"failing":   failing,
	})
}

func TestScripts(t *testing.T) {
	root := t.TempDir()
	// A script that runs as another user must get to its own folder.
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &stores{t: t, running: map[servers.Scheme]*servers.Server{}}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", WorkdirRoot: root, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("TZ", "UTC")
			e.Setenv("TERM", "xterm")
			return os.MkdirAll(filepath.Join(e.WorkDir, "home"), 0o755)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "same": same, "ndjson": ndjson, "pick": pick, "flip": flip,
			"notemp": notemp, "settle": settle, "size": size, "until": until, "twins": twins, "forge": forge, "waited": waited, "s3": s.use, "assume": s.assume, "owner": s.owner, "vandal": s.vandal, "names": s.names, "rewind": s.rewind,
			"late":   late,
			"agekey": agekey, "age": func(ts *testscript.TestScript, neg bool, args []string) { ts.Setenv("AGE", sealtest.Age(t)) },
		},
	})
}

// exits CODE PROGRAM ARGS... runs a program that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// same A B compares two trees in content and every kind of metadata; ! same
// wants a difference. Times of the two folders themselves do not count.
func same(ts *testscript.TestScript, neg bool, args []string) {
	diffs := treecmp.Compare(ts.MkAbs(args[0]), ts.MkAbs(args[1]), treecmp.Options{
		Ignore: func(d treecmp.Difference) bool { return d.Path == "" && d.Kind == "mtime" },
	})
	if neg == (len(diffs) == 0) {
		ts.Fatalf("%s and %s: %d differences %v", args[0], args[1], len(diffs), diffs)
	}
}

// pick NAME first|last|largest GLOB sets a variable to a file that the pattern
// finds.
func pick(ts *testscript.TestScript, neg bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[2]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("nothing matches %s", args[2])
	}
	slices.Sort(found)
	at := map[string]string{"first": found[0], "last": found[len(found)-1]}[args[1]]
	if args[1] == "largest" {
		at = slices.MaxFunc(found, func(a, b string) int { return int(bytesOf(ts, a) - bytesOf(ts, b)) })
	}
	ts.Setenv(args[0], at)
}

func bytesOf(ts *testscript.TestScript, path string) int64 {
	info, err := os.Stat(path)
	ts.Check(err)
	return info.Size()
}

// flip FILE changes one byte in the middle of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b := []byte(ts.ReadFile(path))
	b[len(b)/2] ^= 1
	ts.Check(os.Chmod(path, 0o600))
	ts.Check(os.WriteFile(path, b, 0o600))
}

// notemp FOLDER... wants no file in the folders whose name says that it is
// temporary: all of those begin with a dot.
func notemp(ts *testscript.TestScript, neg bool, args []string) {
	for _, dir := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
				err = fmt.Errorf("left behind: %s", path)
			}
			return err
		}))
	}
}

// settle FOLDER waits until nothing in a folder has changed for a moment: what
// changed as it was read is read again by the next run.
func settle(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(patiently(func() error {
		return filepath.WalkDir(ts.MkAbs(args[0]), func(path string, e os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err == nil && time.Since(changeTime(info)) < 100*time.Millisecond {
				err = fmt.Errorf("%s goes on changing", path)
			}
			return err
		})
	}))
}

// size FOLDER NAME sets a variable to the number of bytes of all files in a
// folder; size FOLDER -lt N wants fewer than N.
func size(ts *testscript.TestScript, neg bool, args []string) {
	var sum int64
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			sum += bytesOf(ts, path)
		}
		return err
	}))
	if args[1] != "-lt" {
		ts.Setenv(args[1], fmt.Sprint(sum))
		return
	}
	limit, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	if sum >= limit {
		ts.Fatalf("%s has %d bytes, want fewer than %d", args[0], sum, limit)
	}
}

// agekey FILE [classic] makes an age identity file, and FILE.pub beside it.
func agekey(ts *testscript.TestScript, neg bool, args []string) {
	id, err := seal.Generate(len(args) == 2)
	ts.Check(err)
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(id.String()+"\n"), 0o600))
	ts.Check(os.WriteFile(path+".pub", []byte(id.Recipient()), 0o600))
}
