package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const source = `package p

type t struct{ n int }

// set has a place for each kind of mutant.
func (x *t) set(a, b int) {
	if a < b && b > 0 {
		x.n = a
		x.n++
	}
	for i := range b {
		func() { println(i) }()
	}
}
`

// Each place is broken in every way that fits, under a name that says how and
// does not change with the lines.
func TestMutants(t *testing.T) {
	_, pkg, mutants, err := breakSource("p.go", []byte(source), 10)
	if err != nil || pkg != "p" {
		t.Fatal(pkg, err)
	}
	var names []string
	for i, m := range mutants {
		if m.number != 11+i || m.file != "p.go" || m.line < 6 {
			t.Errorf("mutant %d is %+v", i, m)
		}
		names = append(names, m.name)
	}
	slices.Sort(names)
	want := []string{
		"t.set: <= in place of <: a < b",
		"t.set: >= in place of >: b > 0",
		"t.set: left out: func() { println(i) }()",
		"t.set: left out: if a < b && b > 0",
		"t.set: left out: println(i)",
		"t.set: left out: x.n = a",
		"t.set: left out: x.n++",
		"t.set: negated: a < b && b > 0",
		"t.set: swapped with the next: x.n = a",
		"t.set: || in place of &&: a < b && b > 0",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	_, _, moved, err := breakSource("p.go", []byte(strings.Replace(source, "type", "\n\n\ntype", 1)), 10)
	if err != nil || len(moved) != len(mutants) || moved[3].name != mutants[3].name || moved[3].line != mutants[3].line+3 {
		t.Errorf("three lines further down: %+v, %v", moved, err)
	}
}

// Alike statements of a function are told apart.
func TestMutantsOfOneName(t *testing.T) {
	_, _, mutants, err := breakSource("p.go", []byte("package p\n\nfunc f() {\n\tgo f()\n\tf()\n\tgo f()\n\tf()\n}\n"), 0)
	if err != nil || len(mutants) != 2 || mutants[1].name != mutants[0].name+" (2)" {
		t.Errorf("got %+v, %v", mutants, err)
	}
}

// A room of its own, whose mutants meet every end: one is noticed, one runs for
// ever, one nobody notices, and one no test comes by.
func TestMutate(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"go.mod": "module x\n\ngo 1.26\n",
		"p/p.go": `package p

var last int

func noticed(n *int) { *n = 1 }

func endless(n int) {
	for n > 0 {
		n--
	}
}

func survives() { last = 1 }

func unmet() { last = 2 }
`,
		"p/p_test.go": `package p

import "testing"

func TestNoticed(t *testing.T) {
	n := 0
	if noticed(&n); n != 1 {
		t.Fatal(n)
	}
}

func TestEndless(t *testing.T) { endless(3) }

func TestSurvives(t *testing.T) { survives() }

func TestFails(t *testing.T) { t.Fatal("in any case") }
`,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := newBuild()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	mutants, err := b.breakFiles([]string{"p/p.go"})
	if err != nil {
		t.Fatal(err)
	}
	f := field{"p", "p/p.go", "p"}
	x := &tests{build: b, slots: make(chan struct{}, 2), least: time.Second}
	if err := x.make([]field{f}, [][]mutant{mutants}); err != nil {
		t.Fatal(err)
	}
	listed := &list{reasons: map[string]string{"p/p.go survives: left out: last = 1": "nobody reads it"}}
	got := x.try(f, mutants, listed)
	// That the limit of the loop moves by one is not noticed either.
	if want := (score{noticed: 1, endless: 1, survived: 2, unmet: 1, unlisted: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if entries, err := os.ReadDir("p"); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// The list gives each survivor one reason.
func TestReadList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	for text, want := range map[string]map[string]string{
		"# remark\nwhy\n\tp.go f: negated: a\n\n  p.go g: negated: b\nand why\n\tp.go h: negated: c\n": {
			"p.go f: negated: a": "why", "p.go g: negated: b": "why", "p.go h: negated: c": "and why"},
		"\tp.go f: negated: a\n":                            nil,
		"why\n\tp.go f: negated: a\n\tp.go f: negated: a\n": nil,
		"": {},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := readList(path)
		if (err == nil) != (want != nil) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for key, why := range want {
			if l.reasons[key] != why {
				t.Errorf("%q: %s is listed for %q", text, key, l.reasons[key])
			}
		}
	}
}

// A sample is drawn by its seed alone.
func TestDraw(t *testing.T) {
	var mutants []mutant
	for i := range 50 {
		mutants = append(mutants, mutant{number: i})
	}
	one, again, other := draw(mutants, 5, 1), draw(mutants, 5, 1), draw(mutants, 5, 2)
	if len(one) != 5 || !slices.Equal(one, again) || slices.Equal(one, other) || len(draw(mutants, 0, 1)) != 50 {
		t.Errorf("drew %v, %v, %v", one, again, other)
	}
}
