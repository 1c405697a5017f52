package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A build puts mutants into copies of files, and builds tests with these.
type build struct {
	dir     string // scratch
	overlay map[string]string
	count   int // of the mutants so far
}

func newBuild() (*build, error) {
	dir, err := os.MkdirTemp("", "mutatetest-")
	return &build{dir: dir, overlay: map[string]string{}}, err
}

func (b *build) close() { _ = os.RemoveAll(b.dir) }

// breakFiles puts all mutants there are into files.
func (b *build) breakFiles(names []string) ([]mutant, error) {
	var made []mutant
	for _, name := range names {
		mutants, err := b.breakFile(name)
		if err != nil {
			return nil, err
		}
		made = append(made, mutants...)
	}
	return made, nil
}

func (b *build) breakFile(name string) ([]mutant, error) {
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	broken, pkg, mutants, err := breakSource(name, source, b.count)
	if err != nil {
		return nil, err
	}
	b.count += len(mutants)
	if err := b.replace(name, broken); err != nil {
		return nil, err
	}
	return mutants, b.replace(filepath.Join(filepath.Dir(name), "mutant.go"), fmt.Appendf(nil, asking, pkg))
}

// breakSource puts all mutants of a file into it, and numbers them on.
func breakSource(name string, source []byte, first int) (broken []byte, pkg string, mutants []mutant, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution) // no comments: they would go astray
	if err != nil {
		return nil, "", nil, err
	}
	b := &breaker{set: set, file: name, source: source, first: first, names: map[string]int{}}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			b.function(f)
		}
	}
	var out bytes.Buffer
	err = format.Node(&out, token.NewFileSet(), file)
	return out.Bytes(), file.Name.Name, b.mutants, err
}

// asking is what the mutants of a package call. Which of them were come by is
// noted at once, since a test may kill its own process, and in a file that is
// open from the start, since a test may use up the descriptors.
const asking = `package %s

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantAtWork, _ = strconv.Atoi(os.Getenv("COFFER_MUTANT"))
	mutantNotes, _  = os.OpenFile(os.Getenv("COFFER_MUTANTS_MET"), os.O_APPEND|os.O_WRONLY, 0)
	mutantsMet      sync.Map
)

func mutant(n int) bool {
	if mutantNotes != nil {
		if _, known := mutantsMet.LoadOrStore(n, true); !known {
			_, _ = mutantNotes.WriteString(strconv.Itoa(n) + "\n")
		}
	}
	return mutantAtWork == n
}
`

// replace makes the build see other bytes in a file's place.
func (b *build) replace(name string, data []byte) error {
	real, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	path := filepath.Join(b.dir, strings.ReplaceAll(name, "/", "_"))
	b.overlay[real] = path
	return os.WriteFile(path, data, 0o600)
}

// tests builds the tests of packages, and returns where that of each is.
func (b *build) tests(packages []string) (map[string]string, error) {
	text, err := json.Marshal(map[string]any{"Replace": b.overlay})
	if err != nil {
		return nil, err
	}
	overlay := filepath.Join(b.dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return nil, err
	}
	paths := map[string]string{}
	args := []string{"test", "-c", "-vet=off", "-overlay", overlay, "-o", b.dir + string(filepath.Separator)}
	for _, pkg := range packages {
		paths[pkg] = filepath.Join(b.dir, filepath.Base(pkg)+".test")
		args = append(args, "./"+pkg)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	return paths, nil
}
