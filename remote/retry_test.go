package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
)

// failing returns a store whose every put fails with err, and its log.
func failing(err error) *fault.Store {
	s := fault.New(mem.New(), 1)
	s.Add(fault.Rule{Op: remote.OpPut, Err: err})
	return s
}

var object = remote.NewObject("a", []byte("x"))

func TestRetryWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []remote.RetryEvent
		s := failing(syscall.ECONNRESET)
		r := remote.Retry(s, remote.RetryOptions{
			First: time.Second, Longest: 10 * time.Second, Total: 2 * time.Minute,
			OnRetry: func(e remote.RetryEvent) { events = append(events, e) },
		})
		start := time.Now()
		err := r.Put(t.Context(), object)
		if !errors.Is(err, remote.ErrUnreachable) || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("put: %v, want ErrUnreachable and the cause", err)
		}
		if took := time.Since(start); took > 2*time.Minute || took < 100*time.Second {
			t.Errorf("gave up after %s", took)
		}
		if len(s.Log()) != len(events)+1 {
			t.Errorf("%d tries, %d events", len(s.Log()), len(events))
		}
		for i, e := range events {
			full := min(time.Second<<min(i, 10), 10*time.Second)
			if e.Wait < full/2 || e.Wait > full || e.Tries != i+1 || e.Op != remote.OpPut || e.Name != "a" || e.Err == nil {
				t.Errorf("event %d: %+v, want a wait of %s to %s", i, e, full/2, full)
			}
		}
	})
}

func TestRetryAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := failing(nil)
		err := remote.Retry(s, remote.RetryOptions{Attempts: 4}).Put(t.Context(), object)
		if !errors.Is(err, fault.ErrInjected) || errors.Is(err, remote.ErrUnreachable) {
			t.Errorf("put: %v, want the cause and not ErrUnreachable", err)
		}
		if n := len(s.Log()); n != 4 {
			t.Errorf("%d tries, want 4", n)
		}
	})
}

func TestRetryPassesFinalAnswersOn(t *testing.T) {
	for _, want := range []error{
		fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, fs.ErrInvalid, remote.ErrFull, remote.ErrNoBucket,
		remote.ErrExpired, fault.ErrCrashed,
	} {
		s := failing(fmt.Errorf("wrapped: %w", want))
		if err := remote.Retry(s, remote.RetryOptions{}).Put(t.Context(), object); !errors.Is(err, want) {
			t.Errorf("put: %v, want %v", err, want)
		}
		if n := len(s.Log()); n != 1 {
			t.Errorf("%v: %d tries, want 1", want, n)
		}
	}
}

func TestRetryGivesUpSoonOnDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := failing(remote.ErrDamaged)
		err := remote.Retry(s, remote.RetryOptions{}).Put(t.Context(), object)
		if !errors.Is(err, remote.ErrDamaged) || errors.Is(err, remote.ErrUnreachable) || len(s.Log()) != 3 {
			t.Errorf("put: %v after %d tries", err, len(s.Log()))
		}
	})
}

func TestUnreachableIsAMatterOfReachability(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{syscall.EHOSTUNREACH, true},
		{syscall.ESTALE, true},
		{io.ErrUnexpectedEOF, true},
		{remote.ErrUnreachable, true},
		{errors.New("nonsense in the answer"), false},
		{syscall.EIO, false},
		{remote.ErrDamaged, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			err := remote.Retry(failing(c.err), remote.RetryOptions{Attempts: 2}).Put(t.Context(), object)
			if errors.Is(err, remote.ErrUnreachable) != c.want {
				t.Errorf("%v became %v", c.err, err)
			}
		})
	}
}

// A deadline inside a transport is worth a retry; the caller's is the end.
func TestRetryTellsDeadlinesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fault.New(mem.New(), 1)
		s.Add(fault.Rule{Op: remote.OpPut, Nth: 1, Err: context.DeadlineExceeded})
		if err := remote.Retry(s, remote.RetryOptions{}).Put(t.Context(), object); err != nil {
			t.Errorf("put: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		err := remote.Retry(failing(nil), remote.RetryOptions{}).Put(ctx, object)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("put: %v after %s", err, time.Since(start))
		}
	})
}

func TestRetryWaitHook(t *testing.T) {
	s := fault.New(mem.New(), 1)
	s.Add(fault.Rule{Nth: 1})
	s.Add(fault.Rule{Nth: 2})
	var waits []time.Duration
	r := remote.Retry(s, remote.RetryOptions{First: time.Hour, Total: 24 * time.Hour, Longest: time.Hour,
		Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }})
	if err := r.Put(t.Context(), object); err != nil || len(waits) != 2 {
		t.Errorf("put: %v, waits %v", err, waits)
	}
}

func TestRetryContinuesAListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		var want []string
		for i := range 50 {
			name := fmt.Sprintf("l/%02d", i)
			want = append(want, name)
			m.Overwrite(name, nil)
		}
		s := fault.New(m, 1)
		s.Add(fault.Rule{Op: remote.OpList, Do: fault.Break, Keep: 7})
		// One failure is all the patience there is, but each name renews it.
		r := remote.Retry(s, remote.RetryOptions{Attempts: 2})
		var got []string
		var failed error
		for info, err := range r.List(t.Context(), "l/", "") {
			if err != nil {
				failed = err
				break
			}
			got = append(got, info.Name)
		}
		// The last pass finds nothing left and breaks all the same, twice.
		if !errors.Is(failed, fault.ErrInjected) {
			t.Errorf("list: %v", failed)
		}
		if !slices.Equal(got, want) {
			t.Errorf("list: %q", got)
		}
		if n := len(s.Log()); n < 9 || n > 10 {
			t.Errorf("%d passes", n)
		}
	})
}

func TestRetryKeepsDst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		m.Overwrite("a", []byte("bc"))
		s := fault.New(m, 1)
		s.Add(fault.Rule{Op: remote.OpGet, Nth: 1, Do: fault.LoseAck})
		got, err := remote.Retry(s, remote.RetryOptions{}).Get(t.Context(), []byte("a"), "a", 0, -1)
		if err != nil || string(got) != "abc" {
			t.Errorf("get: %q, %v", got, err)
		}
	})
}

func TestRetryPublishesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fault.New(mem.New(), 1)
		s.Add(fault.Rule{Op: remote.OpPublish, Nth: 1, Do: fault.LoseAck})
		s.Add(fault.Rule{Op: remote.OpStage, Nth: 1})
		s.Add(fault.Rule{Op: remote.OpDiscard, Nth: 1})
		r := remote.Retry(s, remote.RetryOptions{})
		st, err := r.Stage(t.Context(), object, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Publish(t.Context()); err != nil {
			t.Errorf("publish: %v", err)
		}
		if err := st.Discard(t.Context()); err != nil {
			t.Errorf("discard: %v", err)
		}
		if _, err := r.Get(t.Context(), nil, "a", 0, -1); err != nil {
			t.Errorf("get: %v", err)
		}
		if _, err := r.Now(t.Context()); err != nil {
			t.Errorf("now: %v", err)
		}
	})
}

func TestGivingUpSaysHowOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := remote.Retry(failing(nil), remote.RetryOptions{Attempts: 3}).Put(t.Context(), object)
		if !strings.Contains(err.Error(), "after 3 tries") {
			t.Errorf("put: %v", err)
		}
	})
}
