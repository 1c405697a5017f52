package files

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Rules decide which files exist in a backup, so they must mean what people
// know them to mean: this compares with git itself, on patterns put together
// from everything the syntax has.

var patternPieces = []string{
	"a", "b", "ab", "foo", "bar", "o", ".", "x", "A", "*", "*", "*", "**", "**", "**", "***", "?", "/", "/", "/", "/",
	"[ab]", "[!a]", "[^a]", "[a-c]", "[]]", "[!]a]", "[a", "[]", "[a-]", "[-a]", "[[:alpha:]]", "[[:digit:]o]",
	"[![:space:]]", "[[:nope:]]", "[[:alpha]", "[[:]", `[\]a]`, `[a\-c]`, "[b-a]", "[a/b]", "[!/]",
	`\`, `\*`, `\?`, `\[`, `\a`, `\/`, `\\`, `\!`, `\#`, " ", `\ `, "!", "#", "-", "\xff", "é",
}

var wholePatterns = []string{
	"*", "**", "/", "//", "!", "#", "/a/*/b", "/a/**/b", "/a/**b", "/a/x**", "foo**", "/foo**/bar", "[[:alpha:]]", "[[:space:]]", "x/[]]", "x/[!]a]", "x/[^a-z]", "*/", "/*", "/**", "**/", "/**/", "**/*", "*/**", "a/**", "a/**/", "**/a", "a/**/b", "/a/*/b",
	"foo/*", "!foo/", "!foo/bar", "foo", "!foo", "/foo/bar/", "*.o", "!*.o", "a**", "/a**", "a/b**", "foo**/bar", "a\\", "\\", " ", "  a", "a  ",
	`a\ `, `a\  `, `a/**\/b`, `**\/a`, `foo/**\/`, `/**\/**`, "\ta", "a\t", "[", "[]", "[!]", "[^]", "\\!a", "\\#a", "!!a", "! a", "a/", "a//", "a//b", "./a", "a/./b", "../a", "/.",
}

var entryNames = []string{
	"a", "b", "c", "ab", "foo", "bar", "foobar", "a.o", "b.o", "A", "x", "a b", " a", "a ", "!a", "#a", "[ab]", "[", "]",
	"*", "a*", `a\`, `\`, "-", "a-c", "1", "é", "\xff", "a\tb", "\x01", "foo.bar", ".a", "..a", "{", "]a", "^",
}

func randomPattern(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return wholePatterns[r.IntN(len(wholePatterns))]
	}
	var b strings.Builder
	if r.IntN(4) == 0 {
		b.WriteByte('!')
	}
	for range 1 + r.IntN(6) {
		b.WriteString(patternPieces[r.IntN(len(patternPieces))])
	}
	if r.IntN(4) == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

func randomRules(r *rand.Rand) []string {
	var out []string
	for range r.IntN(7) {
		out = append(out, strings.TrimRight(randomPattern(r), "\r")) // whether it is kept depends on the line's end
	}
	return out
}

// buildNames makes a tree of folders (four levels) and files with odd names.
func buildNames(t *testing.T, r *rand.Rand, dir string, depth int) {
	t.Helper()
	for range 3 + r.IntN(5) {
		at := filepath.Join(dir, entryNames[r.IntN(len(entryNames))])
		if depth < 4 && r.IntN(3) > 0 {
			if err := os.Mkdir(at, 0o755); err == nil {
				buildNames(t, r, at, depth+1)
			}
			continue
		}
		if f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			f.Close()
		}
	}
	if r.IntN(4) == 0 {
		must(t, os.Symlink("a", filepath.Join(dir, "link")))
	}
}

func TestExcludeAsGitDoes(t *testing.T) {
	queries := 0
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		git(t, dir, nil, "init", "-q")
		buildNames(t, r, dir, 0)
		paths := allPaths(t, dir)
		for range 15 {
			exclude := randomRules(r)
			must(t, os.WriteFile(filepath.Join(dir, ".git/info/exclude"), []byte(strings.Join(exclude, "\n")), 0o644))
			made := writeIgnoreFiles(t, r, dir, paths)
			want := gitIgnored(t, dir, paths)
			got := notWalked(t, dir, paths, exclude)
			queries += len(paths)
			if !maps.Equal(got, want) {
				explain(t, dir, seed, exclude, made, paths, got, want)
			}
			for _, name := range made {
				must(t, os.Remove(name))
			}
		}
	}
	if queries < 10000 {
		t.Errorf("only %d queries", queries)
	}
}

// Each form of a pattern alone, on a tree that has what it is about.
func TestEachPatternAsGitDoes(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, nil, "init", "-q")
	for _, p := range []string{"a/x/y/b/c", "a/b/c", "b/a/x", "x/a/b", "foo/bar/baz", "foobar/x", "fooX/Y/bar/z", "a b/f", "x/y/z/a", "abc/f"} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(p)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, p), nil, 0o644))
	}
	for _, name := range entryNames {
		if _, err := os.Lstat(filepath.Join(dir, "x", name)); err != nil {
			must(t, os.WriteFile(filepath.Join(dir, "x", name), nil, 0o644))
		}
	}
	paths := allPaths(t, dir)
	for _, pattern := range wholePatterns {
		// Nothing below an excluded folder is asked about, so what a pattern
		// does to paths shows best after another took the folders back.
		for _, lines := range [][]string{{pattern}, {pattern, "!a", "!x", "!foo*", "!y"}} {
			must(t, os.WriteFile(filepath.Join(dir, ".git/info/exclude"), []byte(strings.Join(lines, "\n")), 0o644))
			want, got := gitIgnored(t, dir, paths), notWalked(t, dir, paths, lines)
			if !maps.Equal(got, want) {
				explain(t, dir, 0, lines, nil, paths, got, want)
			}
		}
	}
}

// writeIgnoreFiles puts rules into some folders.
func writeIgnoreFiles(t *testing.T, r *rand.Rand, dir string, paths []string) []string {
	t.Helper()
	var made []string
	ends := []string{"\n", "\n", "\r\n"}
	for _, p := range append([]string{"."}, paths...) {
		at := filepath.Join(dir, p)
		if fi, err := os.Lstat(at); err != nil || !fi.IsDir() || r.IntN(4) > 0 {
			continue
		}
		text := strings.Join(randomRules(r), ends[r.IntN(len(ends))])
		if r.IntN(8) == 0 {
			text = "\xef\xbb\xbf" + text
		}
		if r.IntN(2) == 0 {
			text += "\n"
		}
		name := filepath.Join(at, ".gitignore")
		must(t, os.WriteFile(name, []byte(text), 0o644))
		made = append(made, name)
	}
	return made
}

// allPaths lists what is in dir, without .git.
func allPaths(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if rel == ".git" {
			return filepath.SkipDir
		}
		if rel != "." {
			out = append(out, rel)
		}
		return nil
	}))
	return out
}

// git runs git without the configuration of this machine.
func git(t *testing.T, dir string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "XDG_CONFIG_HOME="+dir, "LC_ALL=C")
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if e, ok := err.(*exec.ExitError); ok && e.ExitCode() == 1 && args[0] == "check-ignore" {
		return out // nothing is ignored
	}
	if err != nil {
		t.Fatalf("git %s: %v (this test needs git)", args[0], err)
	}
	return out
}

func gitIgnored(t *testing.T, dir string, paths []string) map[string]bool {
	t.Helper()
	in := []byte(strings.Join(paths, "\x00") + "\x00")
	out := map[string]bool{}
	for p := range strings.SplitSeq(string(git(t, dir, in, "check-ignore", "--no-index", "-z", "--stdin")), "\x00") {
		if p != "" {
			out[p] = true
		}
	}
	return out
}

// notWalked returns those of paths that a walk leaves out.
func notWalked(t *testing.T, dir string, paths, exclude []string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, p := range paths {
		out[p] = true
	}
	for _, e := range walkAll(t, dir, Options{Exclude: exclude, IgnoreFiles: []string{".gitignore"}}) {
		delete(out, e.path)
	}
	return out
}

func explain(t *testing.T, dir string, seed uint64, exclude, made, paths []string, got, want map[string]bool) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nexclude: %q\n", seed, exclude)
	for _, name := range made {
		text, _ := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		fmt.Fprintf(&b, "%s: %q\n", rel, text)
	}
	for _, p := range paths {
		if got[p] != want[p] {
			fmt.Fprintf(&b, "%q: excluded here %v, by git %v\n", p, got[p], want[p])
		}
	}
	t.Fatal(b.String())
}

// The rules that people rely on most, readable, and with the reason given.
func TestExcludeReasons(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"keep", "x.tmp", "sub/x.tmp", "sub/keep.tmp", "node_modules/a/b", "sub/node_modules/c", "build", "sub/build/d"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, p), nil, 0o644))
	}
	must(t, os.WriteFile(filepath.Join(dir, "sub/.cofferignore"), []byte("# a comment\n!keep.tmp\n/build/\n"), 0o644))
	var kept []string
	skipped := map[string]string{}
	tree := openTree(t, dir)
	for e, err := range tree.Walk(t.Context(), Options{Exclude: []string{"*.tmp", "node_modules/"}}, func(p, why string) { skipped[p] = why }) {
		must(t, err)
		kept = append(kept, string(e.Path))
	}
	if want := []string{"", "build", "keep", "sub", "sub/.cofferignore", "sub/keep.tmp"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	want := map[string]string{
		"x.tmp":            "exclude: *.tmp",
		"sub/x.tmp":        "exclude: *.tmp",
		"node_modules":     "exclude: node_modules/",
		"sub/node_modules": "exclude: node_modules/",
		"sub/build":        "sub/.cofferignore:3: /build/",
	}
	if !maps.Equal(skipped, want) {
		t.Errorf("skipped %q, want %q", skipped, want)
	}
}

// A rule is hostile input too (a project's ignore file comes from anybody).
func TestHostilePatternIsFast(t *testing.T) {
	p := compilePattern("/" + strings.Repeat("*a", 2000) + "b")
	deep := compilePattern("/" + strings.Repeat("**/a", 1000) + "/b")
	var m matcher
	text := []byte(strings.Repeat("a", 255))
	if p.match(text, text, false, &m) {
		t.Error("matched")
	}
	path := []byte(strings.Repeat("a/", 1000) + "c")
	if deep.match(path, []byte("c"), false, &m) {
		t.Error("matched")
	}
}

func FuzzPattern(f *testing.F) {
	for _, p := range wholePatterns {
		f.Add(p, "a/b/foo.o")
	}
	for _, p := range patternPieces {
		f.Add(p+"/"+p, "foo/bar")
	}
	f.Fuzz(func(t *testing.T, line, path string) {
		if line == "" || CheckPath(path) != nil || path == "" {
			return
		}
		p := compilePattern(line)
		var m, again matcher
		name := path[strings.LastIndexByte(path, '/')+1:]
		got := p.match([]byte(path), []byte(name), true, &m)
		if got != p.match([]byte(path), []byte(name), true, &again) || got != p.match([]byte(path), []byte(name), true, &m) {
			t.Errorf("%q on %q: not the same twice", line, path)
		}
		if p.dirOnly && p.match([]byte(path), []byte(name), false, &m) {
			t.Errorf("%q matched a file", line)
		}
	})
}
