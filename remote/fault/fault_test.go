package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
	"coffer/remote/storetest"
)

// Without rules it is the store below.
func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) remote.Store { return fault.New(mem.New(), 1) })
}

var abcd = remote.NewObject("x/a", []byte("abcd"))

// with returns a faulty store with one rule, over one that holds x/held.
func with(t *testing.T, r fault.Rule) (*fault.Store, *mem.Store) {
	t.Helper()
	m := mem.New()
	m.Overwrite("x/held", []byte("1234"))
	s := fault.New(m, 1)
	s.Add(r)
	return s, m
}

// there returns what a store without faults holds under a name.
func there(t *testing.T, s remote.Store, name string) string {
	t.Helper()
	b, err := s.Get(t.Context(), nil, name, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return "(absent)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPutActions(t *testing.T) {
	for _, c := range []struct {
		do   fault.Action
		fail bool
		want string
	}{
		{fault.Fail, true, "(absent)"},
		{fault.LoseAck, true, "abcd"},
		{fault.Torn, true, "ab"},
		{fault.Flip, false, "abcd"},
	} {
		s, m := with(t, fault.Rule{Op: remote.OpPut, Do: c.do})
		if err := s.Put(t.Context(), abcd); (err != nil) != c.fail {
			t.Errorf("%d: put: %v", c.do, err)
		}
		if got := there(t, m, "x/a"); got != c.want {
			t.Errorf("%d: %s is there, want %s", c.do, got, c.want)
		}
	}
}

func TestPublishActions(t *testing.T) {
	for _, c := range []struct {
		do   fault.Action
		want string
	}{{fault.Fail, "(absent)"}, {fault.LoseAck, "abcd"}, {fault.Torn, "ab"}} {
		s, m := with(t, fault.Rule{Op: remote.OpPublish, Do: c.do})
		st, err := s.Stage(t.Context(), abcd, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Publish(t.Context()); !errors.Is(err, fault.ErrInjected) {
			t.Errorf("%d: publish: %v", c.do, err)
		}
		if got := there(t, m, "x/a"); got != c.want {
			t.Errorf("%d: %s is there, want %s", c.do, got, c.want)
		}
	}
}

func TestGetActions(t *testing.T) {
	for _, c := range []struct {
		do   fault.Action
		want string
		err  error
	}{
		{fault.Fail, ">", fault.ErrInjected},
		{fault.Torn, ">12", nil},
		{fault.Flip, ">1224", nil}, // '3' is 0x33
		{fault.Hide, ">", fs.ErrNotExist},
	} {
		s, m := with(t, fault.Rule{Op: remote.OpGet, Do: c.do})
		got, err := s.Get(t.Context(), []byte(">"), "x/held", 0, -1)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%d: %q, %v", c.do, got, err)
		}
		if there(t, m, "x/held") != "1234" {
			t.Error("the object itself was changed")
		}
	}
}

func TestListActions(t *testing.T) {
	for _, c := range []struct {
		rule fault.Rule
		want []string
		fail bool
	}{
		{fault.Rule{Do: fault.Short, Keep: 2}, []string{"l/0", "l/1"}, false},
		{fault.Rule{Do: fault.Break, Keep: 2}, []string{"l/0", "l/1"}, true},
		{fault.Rule{Do: fault.Break, Keep: 99}, []string{"l/0", "l/1", "l/2"}, true},
		{fault.Rule{Do: fault.Fail}, nil, true},
		{fault.Rule{Do: fault.Hide, Name: "l/1"}, []string{"l/0", "l/2"}, false},
	} {
		c.rule.Op = remote.OpList
		s, m := with(t, c.rule)
		for i := range 3 {
			m.Overwrite(fmt.Sprintf("l/%d", i), nil)
		}
		var got []string
		failed := false
		for info, err := range s.List(t.Context(), "l/", "") {
			if err != nil {
				failed = true
			} else {
				got = append(got, info.Name)
			}
		}
		if !slices.Equal(got, c.want) || failed != c.fail {
			t.Errorf("%+v: %q, failed %v", c.rule, got, failed)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := with(t, fault.Rule{Op: remote.OpPut, Do: fault.Delay, Delay: time.Hour})
		start := time.Now()
		if err := s.Put(t.Context(), abcd); err != nil || time.Since(start) != time.Hour {
			t.Errorf("put: %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Put(ctx, abcd); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("put: %v", err)
		}
	})
}

func TestNthAndOwnError(t *testing.T) {
	own := errors.New("own")
	s, _ := with(t, fault.Rule{Op: remote.OpPut, Name: "x/", Nth: 2, Err: own})
	var errs []error
	for _, name := range []string{"x/1", "y/1", "x/2", "x/3"} {
		errs = append(errs, s.Put(t.Context(), remote.NewObject(name, nil)))
	}
	if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], own) || errs[3] != nil {
		t.Error(errs)
	}
}

// struck runs a thousand puts in the given order and returns which failed.
func struck(seed uint64, order func(i int) int) map[string]bool {
	s := fault.New(mem.New(), seed)
	s.Add(fault.Rule{Op: remote.OpPut, Rate: 0.25})
	failed := make(map[string]bool)
	for i := range 1000 {
		name := fmt.Sprintf("n/%d", order(i))
		if s.Put(context.Background(), remote.NewObject(name, nil)) != nil {
			failed[name] = true
		}
	}
	return failed
}

func TestRateIsDeterministic(t *testing.T) {
	up := struck(1, func(i int) int { return i })
	down := struck(1, func(i int) int { return 999 - i })
	other := struck(2, func(i int) int { return i })
	if len(up) < 200 || len(up) > 300 {
		t.Errorf("%d of 1000 failed, want about a quarter", len(up))
	}
	same := 0
	for name := range up {
		if !down[name] {
			t.Errorf("%s failed in one order and not in the other", name)
		}
		if other[name] {
			same++
		}
	}
	if len(up) != len(down) || same > 120 {
		t.Errorf("%d and %d failed; %d with another seed, too", len(up), len(down), same)
	}
}

func TestCrash(t *testing.T) {
	for n := range 4 {
		m := mem.New()
		s := fault.New(m, 1)
		s.CrashAfter(n, fault.Writes...)
		for i := range 4 {
			if s.Crashed() != (i > n) {
				t.Errorf("%d of %d: crashed %v", i, n, s.Crashed())
			}
			err := s.Put(t.Context(), remote.NewObject(fmt.Sprint(i), nil))
			if (i < n) != (err == nil) || err != nil && (!errors.Is(err, fault.ErrCrashed) || !remote.Final(err)) {
				t.Errorf("put %d, crash after %d: %v", i, n, err)
			}
		}
		if got := len(m.Sums()); got != n {
			t.Errorf("%d objects after a crash after %d", got, n)
		}
		if _, err := s.Get(t.Context(), nil, "0", 0, -1); !errors.Is(err, fault.ErrCrashed) {
			t.Errorf("get after a crash: %v", err)
		}
		s.Clear()
		if err := s.Put(t.Context(), abcd); err != nil {
			t.Errorf("put after the crash is over: %v", err)
		}
	}
}

func TestLog(t *testing.T) {
	s, _ := with(t, fault.Rule{Op: remote.OpPut, Do: fault.LoseAck})
	s.Put(t.Context(), abcd)
	s.Get(t.Context(), nil, "x/held", 0, 3)
	for range s.List(t.Context(), "x/", "") {
	}
	s.Delete(t.Context(), "x/held")
	s.Now(t.Context())
	var b bytes.Buffer
	for _, e := range s.Log() {
		fmt.Fprintln(&b, e.Op, e.Name, e.Bytes, e.Did, e.Err != nil)
	}
	want := "put x/a 4 [1] true\nget x/held 3 [] false\nlist x/ 0 [] false\ndelete x/held 0 [] false\nnow  0 [] false\n"
	if b.String() != want {
		t.Errorf("log:\n%swant:\n%s", b.String(), want)
	}
}

// What is late or doubled comes so many operations afterwards, and nobody is
// asked.
func TestLateAndRepeat(t *testing.T) {
	wait := func(s *fault.Store, n int) {
		for range n {
			if _, err := s.Now(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, m := with(t, fault.Rule{Op: remote.OpPut, Nth: 1, Do: fault.Late, Later: 2})
	buf := []byte("abcd")
	if err := s.Put(t.Context(), remote.NewObject("x/a", buf)); err == nil {
		t.Error("late put: no error")
	}
	copy(buf, "----") // the caller's again
	wait(s, 2)
	if got := there(t, m, "x/a"); got != "(absent)" {
		t.Errorf("too early: %s", got)
	}
	wait(s, 1)
	if got := there(t, m, "x/a"); got != "abcd" {
		t.Errorf("late: %s", got)
	}

	s, m = with(t, fault.Rule{Op: remote.OpDelete, Nth: 1, Do: fault.Repeat, Later: 1})
	if err := s.Delete(t.Context(), "x/held"); err != nil {
		t.Fatal(err)
	}
	m.Overwrite("x/held", []byte("back"))
	wait(s, 1)
	if got := there(t, m, "x/held"); got != "back" {
		t.Errorf("too early: %s", got)
	}
	wait(s, 1)
	if got := there(t, m, "x/held"); got != "(absent)" {
		t.Errorf("repeated: %s", got)
	}
}

// What was to be published and lingered on its way comes though it was given up
// long ago, and only as long as it may.
func TestLatePublish(t *testing.T) {
	for _, c := range []struct {
		passes time.Duration
		want   string
	}{{time.Minute - 1, "abcd"}, {time.Minute, "(absent)"}} {
		s, m := with(t, fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.Late, Later: 1000})
		now := time.Unix(1e9, 0)
		m.SetClock(func() time.Time { return now })
		st, err := s.Stage(t.Context(), abcd, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Publish(t.Context()); !errors.Is(err, fault.ErrInjected) {
			t.Errorf("publish: %v", err)
		}
		if err := st.Discard(t.Context()); err != nil {
			t.Error(err)
		}
		now = now.Add(c.passes)
		if got := there(t, m, "x/a"); got != "(absent)" {
			t.Errorf("too early: %s", got)
		}
		s.Arrive()
		if got := there(t, m, "x/a"); got != c.want {
			t.Errorf("after %s: %s, want %s", c.passes, got, c.want)
		}
		if err := m.Delete(t.Context(), "x/a"); err != nil {
			t.Fatal(err)
		}
		s.Arrive()
		if got := there(t, m, "x/a"); got != "(absent)" {
			t.Errorf("it came twice: %s", got)
		}
	}
}

func TestLies(t *testing.T) {
	s, m := with(t, fault.Rule{Op: remote.OpPut, Nth: 1, Do: fault.Drop})
	if err := s.Put(t.Context(), abcd); err != nil {
		t.Error(err)
	}
	if got := there(t, m, "x/a"); got != "(absent)" {
		t.Errorf("dropped: %s", got)
	}

	s, _ = with(t, fault.Rule{Op: remote.OpGet, Do: fault.Long})
	if got := there(t, s, "x/held"); got != "1234\x00" {
		t.Errorf("long: %q", got)
	}

	s, _ = with(t, fault.Rule{Op: remote.OpNow, Do: fault.Skew, Delay: -time.Hour})
	if now, err := s.Now(t.Context()); err != nil || time.Since(now) < time.Hour {
		t.Errorf("skew: %s, %v", now, err)
	}

	s, _ = with(t, fault.Rule{Op: remote.OpList, Do: fault.Stale, Later: 2})
	if err := s.Put(t.Context(), abcd); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 1, 2} {
		n := 0
		for _, err := range s.List(t.Context(), "x/", "") {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want {
			t.Errorf("listing %d has %d names, want %d", i+1, n, want)
		}
	}
}
