package storetest

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"coffer/remote"
)

func cancelled(t *testing.T, s remote.Store) {
	o := put(t, s, "there", []byte("x"))
	late, err := s.Stage(t.Context(), remote.NewObject("late", []byte("x")), life)
	if err != nil {
		t.Fatal(err)
	}
	ctx := done()
	check := func(act string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", act, err)
		}
	}
	check("put", s.Put(ctx, remote.NewObject("new", []byte("x"))))
	_, err = s.Get(ctx, nil, o.Name, 0, -1)
	check("get", err)
	check("delete", s.Delete(ctx, o.Name))
	check("publish", late.Publish(ctx))
	ended := false
	for _, err := range s.List(ctx, "", "") {
		if err != nil {
			check("list", err)
			ended = true
		}
	}
	if !ended {
		t.Error("list: ended without an error")
	}
	holds(t, s, o.Name, o.Data)
	missing(t, s, "new")
	missing(t, s, "late")
}

// clock: the remote's, close to ours in a test, and the one objects carry.
func clock(t *testing.T, s remote.Store) {
	before, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(before).Abs(); d > time.Minute {
		t.Errorf("now: %s off", d)
	}
	put(t, s, "timed", []byte("x"))
	after, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Remote clocks are told in whole seconds.
	const slack = 2 * time.Second
	for _, info := range listed(t, s, "timed", "") {
		if info.Time.Before(before.Add(-slack)) || info.Time.After(after.Add(slack)) {
			t.Errorf("object of %s, stored between %s and %s", info.Time, before, after)
		}
	}
}

func stage(t *testing.T, s remote.Store) {
	o := remote.NewObject("commits/d/0/1-s", noise(8, 3000))
	st, err := s.Stage(t.Context(), o, life)
	if err != nil {
		t.Fatal(err)
	}
	missing(t, s, o.Name)
	if got := names(t, s, "", ""); len(got) != 0 {
		t.Errorf("list while staged: %q", got)
	}
	for range 2 { // the second time as after a lost answer
		if err := st.Publish(t.Context()); err != nil {
			t.Fatalf("publish: %v", err)
		}
		holds(t, s, o.Name, o.Data)
	}
	if err := st.Discard(t.Context()); err != nil {
		t.Errorf("discard after publish: %v", err)
	}
	holds(t, s, o.Name, o.Data)
}

// stageTwice: what is there already may be staged and published again.
func stageTwice(t *testing.T, s remote.Store) {
	o := put(t, s, "commits/twice", noise(9, 300))
	st, err := s.Stage(t.Context(), o, life)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Publish(t.Context()); err != nil {
		t.Errorf("publish what is there: %v", err)
	}
	holds(t, s, o.Name, o.Data)
	if got := names(t, s, "", ""); len(got) != 1 {
		t.Errorf("list: %q, want one name", got)
	}
}

func stageDiscard(t *testing.T, s remote.Store) {
	o := remote.NewObject("commits/given-up", []byte("x"))
	st, err := s.Stage(t.Context(), o, life)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := st.Discard(t.Context()); err != nil {
			t.Errorf("discard: %v", err)
		}
	}
	if err := st.Publish(t.Context()); !errors.Is(err, remote.ErrExpired) {
		t.Errorf("publish after discard: %v, want ErrExpired", err)
	}
	missing(t, s, o.Name)
}

func stageExpiry(t *testing.T, s remote.Store) {
	o := remote.NewObject("commits/late", []byte("x"))
	st, err := s.Stage(t.Context(), o, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Stage(t.Context(), remote.NewObject("commits/in-time", []byte("y")), 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Publish(t.Context()); err != nil {
		t.Errorf("publish in time: %v", err)
	}
	time.Sleep(4200 * time.Millisecond)
	for range 2 {
		if err := st.Publish(t.Context()); !errors.Is(err, remote.ErrExpired) {
			t.Errorf("publish late: %v, want ErrExpired", err)
		}
	}
	missing(t, s, o.Name)
	if err := in.Publish(t.Context()); err != nil {
		t.Errorf("publish again what was published in time: %v", err)
	}
	if err := st.Discard(t.Context()); err != nil {
		t.Errorf("discard what is too late: %v", err)
	}
	holds(t, s, "commits/in-time", []byte("y"))
}

func stageTooShort(t *testing.T, s remote.Store) {
	if _, err := s.Stage(t.Context(), remote.NewObject("short", nil), time.Second); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("stage for a second: %v, want fs.ErrInvalid", err)
	}
}

func location(t *testing.T, s remote.Store) {
	if l := s.Location(); l == "" || strings.ContainsAny(l, "\n@") {
		t.Errorf("location: %q", l)
	}
}
