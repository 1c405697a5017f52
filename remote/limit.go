package remote

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A Limited store keeps within a bandwidth, up and down apart. Make one with
// [Limit].
type Limited struct {
	Store
	up, down *rate.Limiter
}

// Limit returns s held to up and down bytes per second, counted over all its
// operations together; 0 is no limit, and the lowest limit is 1 KiB/s. Names,
// headers and listings are not counted.
//
// Stores that send and receive in pieces are paced piece by piece, through the
// context ([PaceUp], [PaceDown]); what a store has not accounted for by itself
// is waited for after the operation.
func Limit(s Store, up, down int64) *Limited {
	l := &Limited{s, rate.NewLimiter(rate.Inf, 0), rate.NewLimiter(rate.Inf, 0)}
	l.SetRates(up, down)
	return l
}

// SetRates changes the limits. Operations under way follow within a second.
func (l *Limited) SetRates(up, down int64) {
	setRate(l.up, up)
	setRate(l.down, down)
}

// Unwrap returns the store below.
func (l *Limited) Unwrap() Store { return l.Store }

// slowest is the lowest limit there is: below it, a connection would look dead
// to those who watch it for progress.
const slowest = 1 << 10

// setRate allows bursts of a quarter second: long enough not to cost CPU,
// short enough that a call in the next room does not hear it.
func setRate(r *rate.Limiter, perSecond int64) {
	if perSecond <= 0 {
		r.SetLimit(rate.Inf)
		return
	}
	perSecond = max(perSecond, slowest)
	r.SetBurst(int(min(perSecond/4, 256<<10)))
	r.SetLimit(rate.Limit(perSecond))
}

func (l *Limited) Put(ctx context.Context, o Object) error {
	return l.send(ctx, len(o.Data), func(ctx context.Context) error { return l.Store.Put(ctx, o) })
}

func (l *Limited) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	ctx, p := l.pace(ctx)
	got, err := l.Store.Get(ctx, dst, name, off, n)
	if err != nil {
		return dst, err
	}
	rest := int64(len(got)-len(dst)) - p.downDone.Load()
	if err := p.waitDown(ctx, rest); err != nil {
		return dst, err
	}
	return got, nil
}

func (l *Limited) Stage(ctx context.Context, o Object, life time.Duration) (Staged, error) {
	inner, p := l.pace(ctx)
	st, err := l.Store.Stage(inner, o, life)
	if err != nil {
		return nil, err
	}
	// A store that carries the bytes now (a folder) has paced them now; the
	// others are paced, or charged, at publishing.
	return &limitedStaged{l, st, int64(len(o.Data)) - p.upDone.Load()}, nil
}

type limitedStaged struct {
	l    *Limited
	s    Staged
	rest int64 // bytes not yet accounted for
}

func (s *limitedStaged) Publish(ctx context.Context) error {
	return s.l.send(ctx, int(s.rest), s.s.Publish)
}

func (s *limitedStaged) Discard(ctx context.Context) error { return s.s.Discard(ctx) }

// send runs an operation that moves n bytes up.
func (l *Limited) send(ctx context.Context, n int, op func(context.Context) error) error {
	ctx, p := l.pace(ctx)
	if err := op(ctx); err != nil {
		return err
	}
	// The bytes are there: an end of ctx while paying for them is no failure.
	_ = p.waitUp(ctx, int64(n)-p.upDone.Load())
	return nil
}

// PaceUp waits until some of n bytes may be sent and returns how many: all of
// them without a limit, else about what a quarter second allows. Stores that
// send in pieces call it before each piece; the limit is kept smoothly then,
// and not by a burst and a long silence.
func PaceUp(ctx context.Context, n int) (int, error) {
	p, ok := ctx.Value(paceKey{}).(*pace)
	if !ok {
		return n, ctx.Err()
	}
	n = p.piece(n)
	return n, p.takeUp(ctx, int64(n))
}

// PaceDown waits until n bytes that were just received are paid for.
func PaceDown(ctx context.Context, n int) error {
	if p, ok := ctx.Value(paceKey{}).(*pace); ok {
		return p.takeDown(ctx, int64(n))
	}
	return ctx.Err()
}

type paceKey struct{}

// pace goes with the context of one operation and knows how many bytes of it
// were accounted for already.
type pace struct {
	l        *Limited
	outer    *pace // of a Limited above this one
	upDone   atomic.Int64
	downDone atomic.Int64
}

func (l *Limited) pace(ctx context.Context) (context.Context, *pace) {
	outer, _ := ctx.Value(paceKey{}).(*pace)
	p := &pace{l: l, outer: outer}
	return context.WithValue(ctx, paceKey{}, p), p
}

// piece returns how many of n bytes go up in one step.
func (p *pace) piece(n int) int {
	for ; p != nil; p = p.outer {
		if p.l.up.Limit() != rate.Inf {
			n = min(n, max(p.l.up.Burst(), 1))
		}
	}
	return n
}

func (p *pace) takeUp(ctx context.Context, n int64) error {
	for ; p != nil; p = p.outer {
		p.upDone.Add(n)
		if err := p.waitUp(ctx, n); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p *pace) takeDown(ctx context.Context, n int64) error {
	for ; p != nil; p = p.outer {
		p.downDone.Add(n)
		if err := p.waitDown(ctx, n); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p *pace) waitUp(ctx context.Context, n int64) error   { return wait(ctx, p.l.up, n) }
func (p *pace) waitDown(ctx context.Context, n int64) error { return wait(ctx, p.l.down, n) }

// wait takes n tokens in steps of at most a burst. Each step looks at the
// limit anew, so that a change of it is followed soon; WaitN of the limiter
// would fail if the burst shrank meanwhile.
func wait(ctx context.Context, r *rate.Limiter, n int64) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Limit() == rate.Inf {
			return nil
		}
		step := min(n, int64(r.Burst()))
		take := r.ReserveN(time.Now(), int(step))
		if !take.OK() {
			continue
		}
		if err := pause(ctx, take.Delay()); err != nil {
			take.Cancel()
			return err
		}
		n -= step
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return sleep(ctx, d)
}
