package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// RetryOptions says how long trouble is waited out. The zero value works.
type RetryOptions struct {
	Attempts int           // most tries of one operation; 0 is no limit
	Total    time.Duration // longest time from the first failure to the last try; 0 is 15 minutes
	First    time.Duration // wait after the first failure, then doubled; 0 is 500 ms
	Longest  time.Duration // longest single wait; 0 is a minute

	// OnRetry is told before each wait. It may be called by several
	// goroutines at once and must return soon.
	OnRetry func(RetryEvent)

	// Wait does the waiting, so that someone who learns that the network is
	// back can cut it short. It returns an error only when ctx has ended.
	// nil sleeps.
	Wait func(ctx context.Context, d time.Duration) error
}

// A RetryEvent is a failed try that will be repeated.
type RetryEvent struct {
	Op    Op
	Name  string        // of the object; the prefix of a listing
	Tries int           // made so far
	Wait  time.Duration // until the next
	Err   error         // of the last try
}

// damagedTries bounds how often bytes that contradict their own checksum are
// asked for again: a bad line passes, a bad disk does not.
const damagedTries = 3

// Retry returns a Store that repeats what may succeed when repeated, with
// waits that double, up to RetryOptions.Longest, and are shortened by up to
// half at random so that many clients do not come back at once.
//
// What is [Final] is passed on at once. When patience ends, the last error is
// returned, wrapped with [ErrUnreachable] if it is a matter of reachability.
// A listing that breaks is continued after the last name delivered; each name
// delivered renews its patience.
func Retry(s Store, o RetryOptions) Store {
	if o.Total <= 0 {
		o.Total = 15 * time.Minute
	}
	if o.First <= 0 {
		o.First = 500 * time.Millisecond
	}
	if o.Longest <= 0 {
		o.Longest = time.Minute
	}
	if o.OnRetry == nil {
		o.OnRetry = func(RetryEvent) {}
	}
	if o.Wait == nil {
		o.Wait = sleep
	}
	return &retry{s, o}
}

type retry struct {
	Store
	o RetryOptions
}

// Unwrap returns the store below.
func (r *retry) Unwrap() Store { return r.Store }

func (r *retry) Put(ctx context.Context, o Object) error {
	return r.do(ctx, OpPut, o.Name, func() error { return r.Store.Put(ctx, o) })
}

func (r *retry) Get(ctx context.Context, dst []byte, name string, off, n int64) (got []byte, err error) {
	err = r.do(ctx, OpGet, name, func() (err error) {
		got, err = r.Store.Get(ctx, dst, name, off, n)
		return err
	})
	if err != nil {
		return dst, err
	}
	return got, nil
}

func (r *retry) Delete(ctx context.Context, name string) error {
	return r.do(ctx, OpDelete, name, func() error { return r.Store.Delete(ctx, name) })
}

func (r *retry) Now(ctx context.Context) (now time.Time, err error) {
	err = r.do(ctx, OpNow, "", func() (err error) {
		now, err = r.Store.Now(ctx)
		return err
	})
	return now, err
}

func (r *retry) Stage(ctx context.Context, o Object, life time.Duration) (st Staged, err error) {
	err = r.do(ctx, OpStage, o.Name, func() (err error) {
		st, err = r.Store.Stage(ctx, o, life)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &retryStaged{r, st, o.Name}, nil
}

type retryStaged struct {
	r    *retry
	s    Staged
	name string
}

func (s *retryStaged) Publish(ctx context.Context) error {
	return s.r.do(ctx, OpPublish, s.name, func() error { return s.s.Publish(ctx) })
}

func (s *retryStaged) Discard(ctx context.Context) error {
	return s.r.do(ctx, OpDiscard, s.name, func() error { return s.s.Discard(ctx) })
}

// LockPeriod is that of the store below.
func (r *retry) LockPeriod() time.Duration { return LockPeriod(r.Store) }

// ExtendLock is repeated like everything else.
func (r *retry) ExtendLock(ctx context.Context, name string, until time.Time) error {
	return r.do(ctx, OpLock, name, func() error { return ExtendLock(ctx, r.Store, name, until) })
}

func (r *retry) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		at := after // not after itself: the sequence may be run again
		p := r.patience(OpList, prefix)
		for {
			before := at
			stopped, err := r.pass(ctx, prefix, &at, yield)
			if stopped || err == nil {
				return
			}
			if at != before {
				p = r.patience(OpList, prefix)
			}
			if err = p.spend(ctx, err); err != nil {
				yield(Info{}, err)
				return
			}
		}
	}
}

// pass runs through a listing once and keeps in at how far it came. stopped
// says that the consumer wants no more.
func (r *retry) pass(ctx context.Context, prefix string, at *string, yield func(Info, error) bool) (stopped bool, err error) {
	for info, err := range r.Store.List(ctx, prefix, *at) {
		if err != nil {
			return false, err
		}
		*at = info.Name
		if !yield(info, nil) {
			return true, nil
		}
	}
	return false, nil
}

// do runs try until it succeeds or patience ends.
func (r *retry) do(ctx context.Context, op Op, name string, try func() error) error {
	p := r.patience(op, name)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if err = p.spend(ctx, err); err != nil {
			return err
		}
	}
}

// patience is what is left of it for one operation.
type patience struct {
	o     *RetryOptions
	op    Op
	name  string
	tries int
	since time.Time // first failure
}

func (r *retry) patience(op Op, name string) *patience {
	return &patience{o: &r.o, op: op, name: name}
}

// spend waits and returns nil if there should be another try after err;
// otherwise it returns the error to give up with.
func (p *patience) spend(ctx context.Context, err error) error {
	p.tries++
	if ctx.Err() != nil {
		return p.ended(ctx, err)
	}
	if Final(err) {
		return err
	}
	if p.tries == 1 {
		p.since = time.Now()
	}
	wait := p.wait()
	if p.exhausted(err, wait) {
		return p.giveUp(err)
	}
	p.o.OnRetry(RetryEvent{Op: p.op, Name: p.name, Tries: p.tries, Wait: wait, Err: err})
	if p.o.Wait(ctx, wait) != nil || ctx.Err() != nil {
		return p.ended(ctx, err)
	}
	return nil
}

func (p *patience) exhausted(err error, wait time.Duration) bool {
	return p.o.Attempts > 0 && p.tries >= p.o.Attempts ||
		time.Since(p.since)+wait > p.o.Total ||
		errors.Is(err, ErrDamaged) && p.tries >= damagedTries
}

func (p *patience) giveUp(err error) error {
	if outOfReach(err) && !errors.Is(err, ErrUnreachable) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if p.tries == 1 {
		return err
	}
	return fmt.Errorf("%w (gave up after %d tries in %s)", err, p.tries, time.Since(p.since).Round(time.Second))
}

// ended makes sure that a caller whose context ended can see that it did,
// whatever the store made of it.
func (p *patience) ended(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%s %s: %w (last: %v)", p.op, p.name, ctx.Err(), err)
}

func (p *patience) wait() time.Duration {
	d := p.o.Longest
	if shift := p.tries - 1; shift < 20 && p.o.First<<shift < d {
		d = p.o.First << shift
	}
	return d - rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
