package prooftest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A life is a machine that works with a store which fails, in steps that each
// are a process of its own. All of it follows from its seed.
type life struct {
	*world
	rand  *rand.Rand
	fault *fault.Store
	lies  bool // the store says that it keeps what it does not
	story []string
	steps int
}

// Seeds of lives, and of one life: what a failure says to repeat it.
const (
	seedsEnv = "COFFER_SEEDS"
	seedEnv  = "COFFER_SEED"
)

// stepsOfLife are the runs of a life, before the undisturbed one.
const stepsOfLife = 5

// A store may fail in any way and at any time. What it said to have kept is
// there, nothing is silently wrong, and a run that is left in peace finishes.
// With a store that lies, what is lost is named.
func TestFaultyStore(t *testing.T) {
	first, n := uint64(0), uint64(2000)
	if s := os.Getenv(seedsEnv); s != "" {
		n, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv(seedEnv); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		n = 1
	}
	var runs, committed, failures atomic.Int64
	const workers = 2
	t.Run("lives", func(t *testing.T) {
		for i := range uint64(workers) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				image := twoSnapshots(t)
				for seed := first + i; seed < first+n && failures.Load() < 5; seed += workers {
					l := newLife(t, image, seed)
					if err := l.live(t.Context()); err != nil {
						failures.Add(1)
						t.Errorf("%v\nto repeat it: %s=%d\n%s", err, seedEnv, seed, strings.Join(l.story, "\n"))
					}
					runs.Add(int64(l.steps))
					committed.Add(int64(len(l.Want) - len(image.Want)))
					must(t, os.RemoveAll(l.Home))
				}
			})
		}
	})
	t.Logf("tried: %d seeded runs on a faulty store, %d snapshots made", runs.Load(), committed.Load())
	if n > 100 && committed.Load() < int64(n) {
		t.Error("hardly anything was backed up")
	}
}

func newLife(t *testing.T, image *world, seed uint64) *life {
	home, err := os.MkdirTemp(filepath.Dir(image.Home), "coffer-test-")
	must(t, err)
	must(t, os.CopyFS(home, os.DirFS(image.Home)))
	w := *image
	w.Home, w.Want = home, maps.Clone(image.Want)
	w.store = image.store.(*mem.Store).Clone()
	w.wind()
	l := &life{world: &w, rand: rand.New(rand.NewPCG(seed, 7))}
	l.fault = fault.New(w.store, seed)
	l.lies = l.rand.IntN(5) == 0
	// What a former life left in the folder is none of this one's business.
	must(t, os.RemoveAll(filepath.Join(w.Source, "life")))
	return l
}

// impatient is a store as the program uses it: a fault that passes is waited
// out, without the waiting.
func (l *life) impatient() remote.Store {
	return remote.Retry(l.fault, remote.RetryOptions{
		Attempts: 3, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
}

func (l *life) tell(format string, args ...any) {
	l.story = append(l.story, fmt.Sprintf("  "+format, args...))
}

// live lives a life and returns what is wrong with it.
func (l *life) live(ctx context.Context) error {
	calm := l.store
	for range stepsOfLife {
		l.steps++
		l.disturb()
		l.store = l.impatient()
		what, err := l.step(ctx)
		l.tell("%s: %v", what, err)
		l.fault.Clear()
		l.store = calm
		if errors.Is(err, errWrong) || errors.Is(err, errAlarm) && !l.lies {
			return err
		}
		l.pass(time.Minute)
	}
	l.store = l.fault // what is late still comes
	l.pass(time.Hour) // past a clock that was wrong
	l.mend(ctx)
	l.edit()
	if err := l.undisturbed(ctx); err != nil {
		return err
	}
	l.store = calm
	if err := l.latest(ctx); err != nil {
		return err
	}
	if !l.lies {
		return l.check(ctx)
	}
	return l.named(ctx)
}

// undisturbed is a run on a store that works again. One that has lost what it
// said to keep may be told of first.
func (l *life) undisturbed(ctx context.Context) error {
	err := l.backUp(ctx)
	if err != nil && l.lies && errors.Is(err, vault.ErrRollback) {
		l.tell("told: %v", err)
		v, err := l.device(ctx, false)
		if err != nil {
			return err
		}
		if err := v.AcknowledgeRollbacks(); err != nil {
			return err
		}
		return l.backUp(ctx)
	}
	if err != nil {
		return fmt.Errorf("the undisturbed run: %w", err)
	}
	return nil
}

// errWrong is what must never be.
var errWrong = errors.New("silently wrong")

// step does something that a machine does.
func (l *life) step(ctx context.Context) (what string, err error) {
	switch l.rand.IntN(12) {
	case 0:
		l.pass(8 * day)
		return "prune", l.prune(ctx, false)
	case 1:
		l.pass(2 * day)
		return "prune", l.prune(ctx, false)
	case 2:
		return "forget", l.forgetOldest(ctx)
	case 3:
		v, err := l.device(ctx, false)
		if err == nil {
			_, err = verify.Run(ctx, v, verify.Options{ReadData: 1})
		}
		return "verify", err
	case 4:
		return "read", l.read(ctx)
	}
	l.edit()
	return "backup", l.backUp(ctx)
}

// edit changes a file or two.
func (l *life) edit() {
	for range 1 + l.rand.IntN(2) {
		l.write(fmt.Sprint("life/", l.rand.IntN(4)), l.rand.IntN(4000), byte(l.rand.Uint32()))
	}
}

func (l *life) forgetOldest(ctx context.Context) error {
	if len(l.Want) < 3 {
		return nil
	}
	v, err := l.device(ctx, false)
	if err != nil {
		return err
	}
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if _, ok := l.Want[s.ID()]; ok {
			delete(l.Want, s.ID()) // it may be forgotten even if the answer is lost
			_, err = v.Forget(ctx, []*vault.Snapshot{s}, nil)
			return err
		}
	}
	return nil
}

// read restores everything through the faults: what comes must be right.
func (l *life) read(ctx context.Context) error {
	v, err := l.lent(ctx)
	if err != nil {
		return err
	}
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		want, ok := l.Want[s.ID()]
		if !ok {
			continue
		}
		got, err := vaulttest.Read(ctx, v, s)
		if err != nil {
			return err
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("%w: snapshot %s", errWrong, s.Short())
		}
	}
	return nil
}

// named wants each snapshot to restore or its damage to be told of.
func (l *life) named(ctx context.Context) error {
	lost := l.check(ctx)
	if lost == nil {
		return nil
	}
	if strings.Contains(lost.Error(), "differs") {
		return fmt.Errorf("%w: %w", errWrong, lost)
	}
	v, err := l.device(ctx, true)
	if err != nil {
		return nil // that is loud enough
	}
	res, err := verify.Run(ctx, v, verify.Options{Deep: true})
	if err == nil && len(res.Problems) == 0 && len(v.Problems()) == 0 && len(v.Rollbacks()) == 0 {
		return fmt.Errorf("%w, and nothing tells: %w", errWrong, lost)
	}
	return nil
}

// disturb makes a plan of what goes wrong in the next step.
func (l *life) disturb() {
	for range l.rand.IntN(4) {
		r := l.rule()
		l.tell("%+v", r)
		l.fault.Add(r)
		for i := range l.rand.IntN(3) * l.rand.IntN(4) { // it lasts
			if r.Nth > 0 {
				again := r
				again.Nth += i + 1
				l.fault.Add(again)
			}
		}
	}
}

// Errors as the stores make them of what a server says.
var (
	errSlowDown = errors.New("503 SlowDown: please reduce your request rate")
	errServer   = errors.New("500 InternalError: we encountered an internal error")
	errTimeout  = context.DeadlineExceeded
	errExpired  = fmt.Errorf("403 ExpiredToken: %w", fs.ErrPermission)
	errQuota    = fmt.Errorf("507 XMinioStorageFull: %w", remote.ErrFull)
	errTaken    = fmt.Errorf("412 PreconditionFailed: %w", fs.ErrExist)
	errGone     = fmt.Errorf("404 NoSuchKey: %w", fs.ErrNotExist)
	errReset    = errors.New("connection reset by peer")
)

func (l *life) rule() fault.Rule {
	nth := 1 + l.rand.IntN(40)
	pick := func(errs ...error) error { return errs[l.rand.IntN(len(errs))] }
	passing := pick(errSlowDown, errServer, errTimeout, errReset)
	ops := []remote.Op{remote.OpPut, remote.OpGet, remote.OpList, remote.OpPublish, remote.OpDelete}
	op := ops[l.rand.IntN(len(ops))]
	later := 1 + l.rand.IntN(30)
	if l.lies && l.rand.IntN(2) == 0 {
		return fault.Rule{Op: pickOp(l, remote.OpPut, remote.OpPublish), Nth: 1 + l.rand.IntN(6), Do: fault.Drop}
	}
	switch l.rand.IntN(17) {
	case 0, 1:
		return fault.Rule{Nth: nth, Do: fault.Fail, Err: passing}
	case 2:
		return fault.Rule{Op: op, Nth: 1 + l.rand.IntN(8), Do: fault.Fail, Err: passing}
	case 3, 4:
		return fault.Rule{Nth: nth, Do: fault.LoseAck, Err: passing}
	case 5:
		return fault.Rule{Op: pickOp(l, remote.OpPut, remote.OpPublish), Nth: 1 + l.rand.IntN(6), Do: fault.LoseAck, Err: pick(passing, errTaken)}
	case 6:
		return fault.Rule{Op: pickOp(l, remote.OpPut, remote.OpPublish), Nth: 1 + l.rand.IntN(6), Do: fault.Fail, Err: errTaken}
	case 7:
		return fault.Rule{Op: pickOp(l, remote.OpPut, remote.OpPublish), Nth: 1 + l.rand.IntN(6), Do: fault.Torn, Err: passing}
	case 8:
		return fault.Rule{Op: pickOp(l, remote.OpPut, remote.OpPublish, remote.OpDelete), Nth: 1 + l.rand.IntN(6), Do: fault.Late, Err: errTimeout, Later: later}
	case 9:
		return fault.Rule{Op: pickOp(l, remote.OpPut, remote.OpPublish, remote.OpDelete), Nth: 1 + l.rand.IntN(6), Do: fault.Repeat, Later: later}
	case 10:
		return fault.Rule{Op: remote.OpGet, Nth: 1 + l.rand.IntN(12), Do: []fault.Action{fault.Torn, fault.Flip, fault.Long}[l.rand.IntN(3)]}
	case 11:
		return fault.Rule{Op: remote.OpList, Nth: 1 + l.rand.IntN(12), Do: fault.Short, Keep: l.rand.IntN(4)}
	case 12:
		return fault.Rule{Op: remote.OpList, Nth: 1 + l.rand.IntN(12), Do: fault.Break, Err: passing, Keep: l.rand.IntN(4)}
	case 13:
		return fault.Rule{Op: remote.OpList, Do: fault.Stale, Later: later}
	case 14:
		return fault.Rule{Op: pickOp(l, remote.OpGet, remote.OpPublish, remote.OpPut), Nth: 1 + l.rand.IntN(8), Do: fault.Fail, Err: pick(errGone, errTaken)}
	case 15:
		return fault.Rule{Op: op, Do: fault.Fail, Err: pick(errExpired, errQuota)} // from now on
	default:
		return fault.Rule{Op: remote.OpNow, Do: fault.Skew, Delay: time.Duration(l.rand.IntN(31)-15) * time.Minute}
	}
}

func pickOp(l *life, ops ...remote.Op) remote.Op { return ops[l.rand.IntN(len(ops))] }
