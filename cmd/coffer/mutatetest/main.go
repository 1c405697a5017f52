// Mutatetest breaks Coffer on purpose, in one small way at a time, and looks
// whether the tests notice: conditions are negated, statements left out,
// neighbours swapped, limits moved by one. What no test notices is a test that
// is missing, or code that is not needed.
//
//	go run ./cmd/coffer/mutatetest [-sample N] [-seed S] [-only PART]
//
// It runs from the root of the repository and changes nothing there. All
// mutants of a package are built into one binary, by an overlay, and an
// environment variable says which of them is at work; so a mutant costs what
// its tests take, and no build.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A field is code to be broken, and the packages whose tests must notice. The
// first one that does ends the search.
type field struct{ files, tests string }

// fields are the code that orders writes, checks IDs, verifies signatures and
// decides deletion.
var fields = []field{
	{"vault/trust/check.go vault/trust/follow.go vault/trust/seal.go vault/trust/sshsig.go vault/trust/public.go", "vault/trust"},
	{"vault/commit/chain.go vault/commit/check.go vault/commit/commit.go vault/commit/condemned.go vault/commit/name.go", "vault/commit"},
	{"vault/ledger/ledger.go vault/ledger/pack.go vault/ledger/roll.go", "vault/ledger"},
	{"vault/retention/judge.go vault/retention/retention.go", "vault/retention"},
	{"chunk/pack/check.go chunk/pack/reader.go chunk/pack/directory.go", "chunk/pack"},
	{"chunk/seal/open.go", "chunk/seal"},
	{"files/place.go files/writer.go", "files"},
	{"vault/forget.go vault/forgetrun.go vault/condemn.go", "vault/vaulttest vault/prune"},
	{"vault/publish.go vault/run.go vault/known.go vault/audit.go", "vault vault/backup vault/prune"},
	{"vault/prune/live.go vault/prune/look.go vault/prune/plan.go vault/prune/run.go vault/prune/object.go", "vault/prune"},
}

// A mutant is one way to break one place.
type mutant struct {
	number int
	at     token.Position
	what   string
}

func main() {
	sample := flag.Int("sample", 0, "try only so many mutants of each `number` there are; 0: all")
	seed := flag.Uint64("seed", 1, "draw the sample by this `seed`")
	only := flag.String("only", "", "break only files whose name contains `part`")
	flag.Parse()
	var killed, survived int
	for _, f := range fields {
		s, err := open(f, *only)
		if err == nil && len(s.mutants) > 0 {
			err = s.build()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "mutatetest: %s: %v\n", f.files, err)
			os.Exit(1)
		}
		s.draw(*sample, *seed)
		for _, m := range s.mutants {
			if s.notices(m) {
				killed++
				continue
			}
			survived++
			fmt.Printf("survived: %s:%d: %s\n", m.at.Filename, m.at.Line, m.what)
		}
		if len(s.mutants) > 0 {
			fmt.Printf("so far %d killed, %d survived: %s\n", killed, survived, f.files)
		}
		s.close()
	}
	if killed+survived == 0 {
		fmt.Fprintln(os.Stderr, "mutatetest: no mutant was made")
		os.Exit(1)
	}
	fmt.Printf("%d mutants: %d killed (%.1f %%), %d survived\n", killed+survived, killed, 100*float64(killed)/float64(killed+survived), survived)
}

// A session is one field at work.
type session struct {
	field
	dir      string // scratch
	overlay  map[string]string
	mutants  []mutant
	binaries []binary
}

type binary struct {
	path, dir string
	limit     time.Duration
}

func open(f field, only string) (*session, error) {
	dir, err := os.MkdirTemp("", "mutatetest-")
	if err != nil {
		return nil, err
	}
	s := &session{field: f, dir: dir, overlay: map[string]string{}}
	for _, name := range strings.Fields(f.files) {
		if !strings.Contains(name, only) {
			continue
		}
		if err := s.breakFile(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *session) close() { _ = os.RemoveAll(s.dir) }

// breakFile puts all mutants of a file into a copy of it.
func (s *session) breakFile(name string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution) // no comments: they would go astray
	if err != nil {
		return err
	}
	b := &breaker{set: set, first: len(s.mutants)}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			b.block(fn.Body)
		}
	}
	s.mutants = append(s.mutants, b.mutants...)
	var out bytes.Buffer
	if err := format.Node(&out, token.NewFileSet(), file); err != nil {
		return err
	}
	if err := s.replace(name, out.Bytes()); err != nil {
		return err
	}
	return s.replace(filepath.Join(filepath.Dir(name), "mutant.go"), fmt.Appendf(nil, `package %s

import "os"

var theMutant = os.Getenv("COFFER_MUTANT")

func mutant(n string) bool { return theMutant == n }
`, file.Name.Name))
}

// replace makes the build see other bytes in a file's place.
func (s *session) replace(name string, data []byte) error {
	real, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, strings.ReplaceAll(name, "/", "_"))
	s.overlay[real] = path
	return os.WriteFile(path, data, 0o600)
}

// build builds the tests, and runs them once without a mutant.
func (s *session) build() error {
	text, err := json.Marshal(map[string]any{"Replace": s.overlay})
	if err != nil {
		return err
	}
	overlay := filepath.Join(s.dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return err
	}
	for _, pkg := range strings.Fields(s.tests) {
		b := binary{path: filepath.Join(s.dir, strings.ReplaceAll(pkg, "/", "_")+".test"), dir: pkg, limit: 10 * time.Minute}
		out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", b.path, "./"+pkg).CombinedOutput()
		if err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		began := time.Now()
		if out, failed := b.run("none"); failed {
			return fmt.Errorf("%s fails without a mutant:\n%s", pkg, out)
		}
		b.limit = 3*time.Since(began) + 10*time.Second
		s.binaries = append(s.binaries, b)
	}
	return nil
}

// run runs the tests of a package with a mutant.
func (b *binary) run(mutant string) (out []byte, failed bool) {
	cmd := exec.Command(b.path, "-test.failfast", "-test.short", "-test.timeout", b.limit.String())
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "COFFER_MUTANT="+mutant)
	out, err := cmd.CombinedOutput()
	return out, err != nil
}

func (s *session) notices(m mutant) bool {
	for i := range s.binaries {
		if _, failed := s.binaries[i].run(fmt.Sprint(m.number)); failed {
			return true
		}
	}
	return false
}

// draw leaves a sample of the mutants.
func (s *session) draw(n int, seed uint64) {
	if n == 0 || n >= len(s.mutants) {
		return
	}
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(s.mutants), func(i, j int) { s.mutants[i], s.mutants[j] = s.mutants[j], s.mutants[i] })
	s.mutants = s.mutants[:n]
	slices.SortFunc(s.mutants, func(a, b mutant) int { return a.number - b.number })
}
