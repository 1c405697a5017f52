package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A test is one of a package's, run alone.
type test struct {
	pkg, name string
	binary    string
	args      []string
	meets     map[int]bool // mutants that it comes by
	took      took         // without a mutant
}

// took is the time of the processor and of the clock.
type took struct{ cpu, wall time.Duration }

// tests are those that the fields ask.
type tests struct {
	build *build
	slots chan struct{} // a place for each that runs
	least time.Duration // that a test may take of the processor in any case
	known map[string][]*test
	runs  atomic.Int64
}

// make builds the tests that the fields with mutants ask, and runs each of them
// once without one.
func (t *tests) make(fields []field, made [][]mutant) error {
	var asked []string
	for i, f := range fields {
		for word := range strings.FieldsSeq(f.tests) {
			if pkg, _, _ := strings.Cut(word, ":"); len(made[i]) > 0 && !slices.Contains(asked, pkg) {
				asked = append(asked, pkg)
			}
		}
	}
	paths, err := t.build.tests(asked)
	if err != nil {
		return err
	}
	t.known = map[string][]*test{}
	for i, f := range fields {
		for word := range strings.FieldsSeq(f.tests) {
			if t.known[word] != nil || len(made[i]) == 0 {
				continue
			}
			pkg, pattern, _ := strings.Cut(word, ":")
			if t.known[word], err = t.list(pkg, paths[pkg], pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

// notAsked are tests that look whether other tests notice what is wrong, which
// is slow and says little of the code, and those that draw anew what they do,
// or race with others: they would notice a mutant at one time and not at another.
var notAsked = regexp.MustCompile("^(TestStoriesWithFlaws|TestInterruptedAndContinued|TestSwapper|TestRacingProcess)$")

// list lists the tests of a package whose names match, and meets them.
func (t *tests) list(pkg, binary, pattern string) ([]*test, error) {
	// What rapid draws is the same each time, and it neither shrinks what it
	// finds nor writes that into the repository.
	args := []string{"-rapid.seed=1", "-rapid.shrinktime=1ns", "-rapid.nofailfile"}
	if exec.Command(binary, append(args, "-test.list", "^$")...).Run() != nil {
		args = nil // the package does not use it
	}
	out, err := exec.Command(binary, "-test.list", cmp.Or(pattern, ".")).Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests of %s: %w", pkg, err)
	}
	var listed []*test
	var wg sync.WaitGroup
	for name := range strings.FieldsSeq(string(out)) {
		if !strings.HasPrefix(name, "Benchmark") && !notAsked.MatchString(name) {
			x := &test{pkg: pkg, name: name, binary: binary, args: args}
			listed = append(listed, x)
			wg.Go(func() { t.meet(x) })
		}
	}
	wg.Wait()
	return slices.DeleteFunc(listed, func(x *test) bool { return len(x.meets) == 0 }), nil
}

// meet runs a test without a mutant. One that fails then is not asked.
func (t *tests) meet(x *test) {
	notes := filepath.Join(t.build.dir, filepath.Base(x.pkg)+"-"+x.name+".met")
	err := os.WriteFile(notes, nil, 0o600)
	if err == nil {
		x.took = took{5 * time.Minute, time.Hour}
		x.took, err = t.run(x, "COFFER_MUTANTS_MET="+notes)
	}
	if err != nil {
		fmt.Printf("not asked, since it fails without a mutant: %s %s: %v\n", x.pkg, x.name, err)
		return
	}
	text, _ := os.ReadFile(notes)
	x.meets = map[int]bool{}
	for line := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(line); err == nil {
			x.meets[n] = true
		}
	}
}

// of returns the tests of a field, those of each package with the cheapest
// first.
func (t *tests) of(f field) []*test {
	var all []*test
	for word := range strings.FieldsSeq(f.tests) {
		sorted := slices.Clone(t.known[word])
		slices.SortFunc(sorted, func(x, y *test) int { return cmp.Compare(x.took.cpu, y.took.cpu) })
		all = append(all, sorted...)
	}
	return all
}

// A verdict is what became of a mutant.
type verdict int

const (
	unmet    verdict = iota // no test comes by it
	survived                // no test notices it
	noticed                 // a test fails
	endless                 // a test does not end
)

// notices asks the tests that come by a mutant, until one notices.
func (t *tests) notices(asked []*test, m mutant) verdict {
	got := unmet
	for _, x := range asked {
		if !x.meets[m.number] {
			continue
		}
		_, err := t.run(x, "COFFER_MUTANT="+strconv.Itoa(m.number))
		switch err.(type) {
		case nil:
			got = survived
		case errEndless:
			return endless
		default:
			return noticed
		}
	}
	return got
}

type errEndless struct{ error }

// run runs a test within three times what it takes without a mutant. That is
// time of the processor, since another's load must kill no mutant; only a test
// that waits for ever meets the limit of the clock. Go heeds no soft limit,
// hence the hard one, which kills.
func (t *tests) run(x *test, env string) (took, error) {
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	temp := filepath.Join(t.build.dir, "tmp"+strconv.FormatInt(t.runs.Add(1), 10))
	if err := os.Mkdir(temp, 0o700); err != nil {
		return took{}, err
	}
	defer os.RemoveAll(temp)
	ctx, cancel := context.WithTimeout(context.Background(), 20*x.took.wall+time.Minute)
	defer cancel()
	limit := int((t.least + 3*x.took.cpu + time.Second - 1) / time.Second)
	args := []string{"-c", `ulimit -t "$0" && exec "$@"`, strconv.Itoa(limit), x.binary, "-test.run", "^" + regexp.QuoteMeta(x.name) + "$", "-test.short", "-test.failfast", "-test.timeout", "0"}
	cmd := exec.CommandContext(ctx, "sh", append(args, x.args...)...)
	cmd.Dir = x.pkg
	cmd.Env = append(os.Environ(), env, "TMPDIR="+temp, "COFFER_STORIES=200")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	began := time.Now()
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return took{}, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return took{}, errEndless{err}
	}
	return took{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), time.Since(began)}, err
}
