// Mutatetest breaks Coffer on purpose, in one small way at a time, and looks
// whether the tests notice: conditions are negated, statements left out,
// neighbours swapped, limits moved by one. What no test notices is a test that
// is missing, or code that is not needed, or it stands in survivors.txt with
// the reason why nobody could notice it.
//
//	go run ./cmd/coffer/mutatetest [-sample N] [-seed S] [-only PART] [-jobs J]
//
// It runs from the root of the repository, changes nothing there, and fails if
// a mutant survives that is not on the list. All mutants are built into the
// tests once, by an overlay, and an environment variable says which of them is
// at work. Each test runs alone first and notes which mutants it comes by, so
// that a mutant costs the tests that can notice it, the cheapest first, and no
// build; one that no test comes by costs nothing.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A field is code to be broken, and the packages whose tests must notice; after
// a colon stands which of the tests. Those of the first that come by a mutant
// are asked first.
type field struct{ name, files, tests string }

// fields are the code that orders writes, checks IDs, verifies signatures and
// decides deletion.
var fields = []field{
	{"trust", "vault/trust/check.go vault/trust/follow.go vault/trust/seal.go vault/trust/sshsig.go vault/trust/public.go", "vault/trust"},
	{"commit", "vault/commit/chain.go vault/commit/check.go vault/commit/commit.go vault/commit/condemned.go vault/commit/name.go", "vault/commit"},
	{"ledger", "vault/ledger/ledger.go vault/ledger/pack.go vault/ledger/roll.go", "vault/ledger"},
	{"retention", "vault/retention/judge.go vault/retention/retention.go", "vault/retention"},
	{"pack", "chunk/pack/check.go chunk/pack/reader.go chunk/pack/directory.go", "chunk/pack"},
	{"seal", "chunk/seal/open.go", "chunk/seal"},
	{"files", "files/place.go files/writer.go", "files"},
	{"prune", "vault/prune/live.go vault/prune/moves.go vault/prune/look.go vault/prune/plan.go vault/prune/run.go vault/prune/object.go", "vault/prune"},
	{"publish", "vault/publish.go vault/settle.go vault/run.go vault/known.go vault/audit.go", "vault vault/backup vault/prune:Writer|Late|Meanwhile|Two|Revoked|Progress"},
	{"forget", "vault/forget.go vault/forgetrun.go vault/condemn.go", "vault vault/vaulttest:Forget|Gone|Pin|Undelete|Roles|Revoke|LostLists vault/prune:Forget|Floor|Role|Dismiss|MayNot|Revoked|Writer"},
	{"restore", "vault/restore/verify.go vault/restore/fetch.go vault/restore/window.go vault/restore/file.go vault/restore/source.go vault/restore/spare.go", "vault/restore"},
	{"source", "vault/source.go vault/sources.go vault/segments.go", "vault:Source|OfTheirCommit|PackName|FetchPack|TheirIDs|Segment|WithoutMap vault/restore:Real|Repeated|RestoreFails|BodyNeeds vault/verify:StandIn|Moved|LostMap|Roll"},
	{"snapshot", "vault/snapshot.go", "vault"},
}

func main() {
	sample := flag.Int("sample", 0, "try only so many mutants of each `number` there are; 0: all")
	seed := flag.Uint64("seed", 1, "draw the sample by this `seed`")
	only := flag.String("only", "", "break only files whose name contains `part`, or the field of that name")
	jobs := flag.Int("jobs", runtime.NumCPU(), "run so many tests at a time")
	flag.Parse()
	unlisted, err := mutate(*only, *sample, *seed, *jobs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutatetest:", err)
	}
	if err != nil || unlisted > 0 {
		os.Exit(1)
	}
}

// mutate tries the mutants of all fields and returns how many survived that are
// not listed.
func mutate(only string, sample int, seed uint64, jobs int) (unlisted int, err error) {
	list, err := readList("cmd/coffer/mutatetest/survivors.txt")
	if err != nil {
		return 0, err
	}
	b, err := newBuild()
	if err != nil {
		return 0, err
	}
	defer b.close()
	made := make([][]mutant, len(fields))
	for i, f := range fields {
		if made[i], err = b.breakFiles(chosen(f, only)); err != nil {
			return 0, err
		}
	}
	if b.count == 0 {
		return 0, fmt.Errorf("no field is named %q, and no file has it in its name", only)
	}
	if only == "" {
		list.missing(slices.Concat(made...))
	}
	t := &tests{build: b, slots: make(chan struct{}, jobs), least: 3 * time.Second}
	if err := t.make(fields, made); err != nil {
		return 0, err
	}
	all := score{}
	for i, f := range fields {
		if len(made[i]) == 0 {
			continue
		}
		s := t.try(f, draw(made[i], sample, seed), list)
		fmt.Printf("%s: %s\n", f.name, s)
		all.add(s)
	}
	fmt.Printf("all: %s\n", all)
	return all.unlisted, nil
}

// chosen returns the files of a field that -only asks for: all of the field of
// that name, or those with it in their names if there is no such field.
func chosen(f field, only string) []string {
	files := strings.Fields(f.files)
	named := slices.ContainsFunc(fields, func(f field) bool { return f.name == only })
	return slices.DeleteFunc(files, func(file string) bool {
		return named && f.name != only || !named && !strings.Contains(file, only)
	})
}

// try tries the mutants of a field, several at a time.
func (t *tests) try(f field, mutants []mutant, list *list) score {
	asked := t.of(f)
	s := score{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range mutants {
		wg.Go(func() {
			got := t.notices(asked, m)
			mu.Lock()
			defer mu.Unlock()
			s.count(m, got, list)
		})
	}
	wg.Wait()
	return s
}

// draw leaves a sample of the mutants.
func draw(mutants []mutant, n int, seed uint64) []mutant {
	if n == 0 || n >= len(mutants) {
		return mutants
	}
	drawn := slices.Clone(mutants)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn[:n]
}
