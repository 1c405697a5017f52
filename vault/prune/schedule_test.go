package prune_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
)

// A world is a remote, and processes that work on it one request at a time.
// Which one goes on, what fails, and how much time passes is drawn from a seed,
// so the same seed gives the same story, as far as Go's own select and the
// random names of objects let it. All of it runs in a synctest bubble: who goes on is drawn when
// nothing moves any more.
type world struct {
	flaws flaws
	rng   *rand.Rand // of the scheduler alone
	store *mem.Store
	start time.Time // of the remote's clock
	began time.Time // the same moment by the clients' clocks
	slept atomic.Int64
	judge *judge
	stay  float64 // how likely a process goes on rather than another
	lags  bool    // listings lag
	tries bool    // processes repeat requests that fail

	mu      sync.Mutex
	pending []*request // guarded by mu
	working int        // guarded by mu: processes that are not done

	until map[string]int // of the scheduler: up to which step a process stands still
	story []string       // of the scheduler and whoever it lets go on
}

// flaws break a rule on purpose, to see that it shows.
type flaws struct {
	noExpiry bool // a staged commit can be published for ever
	noLists  bool // writers see no condemned lists
	hasty    bool // prunes condemn what is young, and hardly wait
}

// A request waits to be let go on.
type request struct {
	port  *port
	op    remote.Op
	name  string
	reply chan verdict
}

// A verdict says how a request ends.
type verdict struct {
	end  ending
	seed uint64 // of what a listing misses
}

type ending int

const (
	done ending = iota
	failed
	lost    // done, and not acknowledged
	crashed // the process ends, and this was not done
	dropped // the process ends, and this was done
	short   // a listing that ends too early
)

var endings = map[ending]string{done: "", failed: ", fails", lost: ", acknowledgement lost", crashed: ", crashes before it", dropped: ", crashes after it", short: ", cut short"}

func newWorld(base *mem.Store, start time.Time, j *judge, seed uint64, f flaws) *world {
	w := &world{flaws: f, rng: rand.New(rand.NewPCG(seed, 1)), store: base.Clone(), start: start, began: time.Now(), judge: j, until: map[string]int{}}
	w.store.SetClock(w.now)
	w.stay = []float64{0.7, 0.93, 0.985}[w.rng.IntN(3)]
	w.lags = w.rng.IntN(4) == 0
	w.tries = w.rng.IntN(2) == 0
	j.store, j.now = w.store, w.now
	return w
}

// now is the remote's clock. What it jumped ahead is time that the clients
// slept through.
func (w *world) now() time.Time {
	return w.start.Add(time.Since(w.began)).Add(time.Duration(w.slept.Load()))
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, w.now().Format("01-02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// run lets the processes work until all are done.
func (w *world) run() error {
	var last *port
	for step := range 20_000 {
		synctest.Wait()
		waiting, working := w.waiting()
		if len(waiting) == 0 && working == 0 {
			return nil
		}
		if len(waiting) == 0 {
			time.Sleep(time.Second) // all wait for time to pass
			continue
		}
		r := w.next(waiting, last, step)
		if r.port != last {
			w.sleep()
		}
		last = r.port
		w.drop(r)
		v := w.decide(r)
		w.tell("%s: %s %s%s", r.port.who, r.op, r.name, endings[v.end])
		r.reply <- v
	}
	return errors.New("the processes never end")
}

// waiting returns the requests in an order that does not hang on which
// goroutine came first.
func (w *world) waiting() ([]*request, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.pending, func(a, b *request) int {
		return cmp.Or(cmp.Compare(a.port.who, b.port.who), cmp.Compare(a.op, b.op), cmp.Compare(a.name, b.name))
	})
	return slices.Clone(w.pending), w.working
}

func (w *world) drop(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = slices.DeleteFunc(w.pending, func(q *request) bool { return q == r })
}

// next draws whose request is served. A process that is left before it commits
// or deletes, or anywhere, may stand still for long: it was suspended.
func (w *world) next(waiting []*request, last *port, step int) *request {
	stay := w.stay
	awake := slices.DeleteFunc(slices.Clone(waiting), func(r *request) bool { return w.until[r.port.who] > step })
	if len(awake) == 0 {
		awake = waiting
	}
	var same []*request
	for _, r := range awake {
		if last == nil || r.port.who != last.who {
			continue
		}
		same = append(same, r)
		if r.op == remote.OpPublish || r.op == remote.OpDelete {
			stay = 0.5
		}
	}
	if len(same) > 0 {
		if w.rng.Float64() < stay {
			return same[w.rng.IntN(len(same))]
		}
		w.until[last.who] = step + []int{0, 40, 150}[w.rng.IntN(3)]
		awake = slices.DeleteFunc(awake, func(r *request) bool { return slices.Contains(same, r) && len(same) < len(awake) })
	}
	return awake[w.rng.IntN(len(awake))]
}

// sleep lets time pass between the work of two lives, often none: either
// for all of them, or for the remote alone while they are suspended.
func (w *world) sleep() {
	if w.rng.IntN(5) < 2 {
		return
	}
	ds := []time.Duration{time.Second, time.Minute, time.Minute, 11 * time.Minute, 2 * time.Hour, 26 * time.Hour, 26 * time.Hour, 3 * day, 8 * day, 8 * day}
	if w.flaws.hasty {
		ds = ds[:3] // what is wrong shows within minutes, or not at all
	}
	d := ds[w.rng.IntN(len(ds))]
	if w.rng.IntN(4) == 0 && d < 2*day {
		w.tell("%s pass", d)
		time.Sleep(d)
		return
	}
	w.tell("all are suspended for %s", d)
	w.slept.Add(int64(d))
}

// decide draws how a request ends.
func (w *world) decide(r *request) verdict {
	v := verdict{seed: w.rng.Uint64()}
	writes := slices.Contains(fault.Writes, r.op)
	switch x := w.rng.IntN(1000); {
	case x < 6:
		v.end = crashed
	case x < 16 && writes:
		v.end = dropped
	case x < 26:
		v.end = failed
	case x < 50 && writes:
		v.end = lost
	case x < 80 && r.op == remote.OpList && strings.HasPrefix(r.name, "commits/") && !r.port.cut && r.port.prunes:
		v.end = short
		r.port.cut = true
	}
	return v
}

// A port is the remote as one process sees it, in one life of that process.
type port struct {
	w      *world
	who    string
	prunes bool
	dead   atomic.Bool
	cut    bool // a listing was cut short: of the scheduler
}

var _ remote.Store = (*port)(nil)

// Unwrap leads to the store that can be probed.
func (p *port) Unwrap() remote.Store { return p.w.store }

// ask waits to be let go on, and does what the verdict leaves to be done.
func (p *port) ask(ctx context.Context, op remote.Op, name string, do func(verdict) error) error {
	if p.dead.Load() {
		return fault.ErrCrashed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{p, op, name, make(chan verdict)}
	p.w.mu.Lock()
	p.w.pending = append(p.w.pending, r)
	p.w.mu.Unlock()
	v := <-r.reply
	if p.dead.Load() {
		return fault.ErrCrashed
	}
	if v.end == crashed || v.end == dropped {
		p.dead.Store(true)
	}
	if v.end == crashed {
		return fault.ErrCrashed
	}
	if v.end == failed {
		return fmt.Errorf("%s %s: %w", op, name, fault.ErrInjected)
	}
	err := do(v)
	switch {
	case v.end == dropped:
		return fault.ErrCrashed
	case v.end == lost && err == nil:
		return fmt.Errorf("%s %s: %w", op, name, fault.ErrInjected)
	}
	return err
}

func (p *port) Put(ctx context.Context, o remote.Object) error {
	return p.ask(ctx, remote.OpPut, o.Name, func(verdict) error { return p.w.store.Put(ctx, o) })
}

func (p *port) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	got := dst
	err := p.ask(ctx, remote.OpGet, name, func(verdict) (err error) {
		got, err = p.w.store.Get(ctx, dst, name, off, n)
		return err
	})
	return got, err
}

func (p *port) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		var all []remote.Info
		err := p.ask(ctx, remote.OpList, prefix, func(v verdict) error { return p.list(ctx, prefix, after, v, &all) })
		for _, info := range all {
			if !yield(info, nil) {
				return
			}
		}
		if err != nil {
			yield(remote.Info{}, err)
		}
	}
}

// list takes the whole listing at once. One that lags misses some of what is
// younger than Safety.ListLag.
func (p *port) list(ctx context.Context, prefix, after string, v verdict, all *[]remote.Info) error {
	if p.w.flaws.noLists && prefix == "condemned/" && !p.prunes {
		return nil
	}
	rng := rand.New(rand.NewPCG(v.seed, 2))
	fresh := p.w.now().Add(-lag)
	for info, err := range p.w.store.List(ctx, prefix, after) {
		if err != nil {
			return err
		}
		if p.w.lags && info.Time.After(fresh) && rng.IntN(8) == 0 {
			continue
		}
		if v.end == short && rng.IntN(4) == 0 {
			return nil
		}
		*all = append(*all, info)
	}
	return nil
}

func (p *port) Delete(ctx context.Context, name string) error {
	return p.ask(ctx, remote.OpDelete, name, func(verdict) error {
		p.w.judge.deletes(name)
		return p.w.store.Delete(ctx, name)
	})
}

func (p *port) Now(ctx context.Context) (now time.Time, err error) {
	err = p.ask(ctx, remote.OpNow, "", func(verdict) (err error) {
		now, err = p.w.store.Now(ctx)
		return err
	})
	return now, err
}

func (p *port) Location() string { return "mem:" }

func (p *port) Stage(ctx context.Context, o remote.Object, life time.Duration) (st remote.Staged, err error) {
	if p.w.flaws.noExpiry {
		life = 1000 * day
	}
	err = p.ask(ctx, remote.OpStage, o.Name, func(verdict) (err error) {
		st, err = p.w.store.Stage(ctx, o, life)
		return err
	})
	return &portStaged{p, o, st}, err
}

type portStaged struct {
	p  *port
	o  remote.Object
	st remote.Staged
}

func (s *portStaged) Publish(ctx context.Context) error {
	return s.p.ask(ctx, remote.OpPublish, s.o.Name, func(verdict) error {
		err := s.st.Publish(ctx)
		switch {
		case err == nil:
			s.p.w.judge.publishes(s.o.Name, s.o.Data)
		case errors.Is(err, remote.ErrExpired):
			s.p.w.judge.saw.late++
		}
		return err
	})
}

// Discard gives up what nobody waits for.
func (s *portStaged) Discard(ctx context.Context) error {
	if s.st == nil || s.p.dead.Load() {
		return nil
	}
	return s.st.Discard(ctx)
}

// isCrash tells the end of a life from an error.
func isCrash(err error) bool { return errors.Is(err, fault.ErrCrashed) }

// ignoreGone is for files that another process has removed.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
