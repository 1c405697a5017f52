package prune

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
)

// saidOf returns commits of these numbers, as a Past has them.
func saidOf(t *testing.T, seqs ...uint64) (all []*vault.Said) {
	t.Helper()
	for _, seq := range seqs {
		all = append(all, &vault.Said{Commit: &commit.Commit{Seq: seq}, Stored: time.Unix(int64(seq), 0)})
	}
	return all
}

// A second look that lacks a commit of the first deletes nothing, whatever the
// chains and the heads say: this does not rely on them.
func TestSecondLookContainsTheFirst(t *testing.T) {
	first := &look{past: &vault.Past{Commits: saidOf(t, 1, 2)}}
	same := &look{past: &vault.Past{Commits: saidOf(t, 1, 2, 3)}}
	if same.contains(first); len(same.past.Stops) > 0 {
		t.Errorf("nothing is lacking: %v", same.past.Stops)
	}
	none := &look{past: &vault.Past{}}
	none.contains(first)
	if len(none.past.Stops) != 2 || !errors.Is(none.past.Stops[0].Err, vault.ErrRollback) {
		t.Errorf("two commits are gone: %v", none.past.Stops)
	}
}

func TestStoppedErrorCounts(t *testing.T) {
	one := vault.Problem{Object: "packs/x", Err: vault.ErrDamaged, Harms: "much"}
	for want, problems := range map[string][]vault.Problem{"": {one}, "(and 2 more)": {one, one, one}} {
		text := (&StoppedError{problems}).Error()
		if !strings.Contains(text, "packs/x") || strings.Contains(text, "more)") != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%d problems: %q", len(problems), text)
		}
	}
}

// An older state is told as such, whatever else is wrong; damage alone as damage.
func TestStoppedErrorIs(t *testing.T) {
	damage := vault.Problem{Object: "packs/x", Err: fmt.Errorf("x: %w", vault.ErrDamaged)}
	older := vault.Problem{Object: "commits/x", Err: fmt.Errorf("x: %w", vault.ErrRollback)}
	for _, c := range []struct {
		problems []vault.Problem
		want     error
	}{{[]vault.Problem{damage, damage}, vault.ErrDamaged}, {[]vault.Problem{damage, older}, vault.ErrRollback}} {
		if got := errors.Unwrap(&StoppedError{c.problems}); got != c.want {
			t.Errorf("%v is a %v", c.problems, got)
		}
	}
}

// As many packs may go as the part says, and not one more.
func TestTooManyAtItsBound(t *testing.T) {
	p := &Plan{o: Options{MaxDelete: 0.5}, Delete: []Object{{Name: "a", Kind: Packs}}, Young: Tallies{}}
	p.Live[Packs].Count = 1
	if err := p.TooMany(); err != nil {
		t.Errorf("one of two: %v", err)
	}
	p.Delete = append(p.Delete, Object{Name: "b", Kind: Packs})
	if err := p.TooMany(); err == nil {
		t.Error("two of three went")
	}
	p.Waiting = []Object{{Name: "c", Kind: Packs}}
	if err := p.TooMany(); err != nil {
		t.Errorf("two of four: %v", err)
	}
}
