// Package fault makes a store fail on purpose, always in the same way, so that
// a test can say what must survive.
//
//	store := fault.New(mem.New(), 1)
//	store.Add(fault.Rule{Op: remote.OpPut, Nth: 3, Do: fault.LoseAck})
//	store.CrashAfter(5, fault.Writes...)
//
// A [Rule] says which operations go wrong and how. Whether one with a Rate
// strikes depends only on the seed, the rule, the operation, the name and how
// often that name had that operation before, so that goroutines which come in
// another order meet the same faults. [Store.CrashAfter] ends the world after
// so many operations; a test that goes through every number meets every crash
// there is. [Store.Log] tells what happened.
package fault

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"coffer/remote"
)

// An Action is a way to go wrong.
type Action int

const (
	// Fail returns the error and does nothing.
	Fail Action = iota
	// LoseAck does the operation and returns the error all the same.
	LoseAck
	// Torn does half: a Put or Publish leaves the first half of the bytes
	// under the name (what a store without atomic writes does) and the
	// error, a Get returns half of the bytes and no error, which only the
	// hash can tell. Other operations fail.
	Torn
	// Delay waits for Rule.Delay, or the end of the context, first.
	Delay
	// Short ends a listing after Rule.Keep names, without an error: the lie
	// that a listing must never tell.
	Short
	// Break ends a listing after Rule.Keep names with the error.
	Break
	// Flip returns a Get's bytes with one bit changed.
	Flip
	// Hide makes objects absent from Get and List.
	Hide
	// Late returns the error; the operation is done all the same, Rule.Later
	// operations afterwards, or when Arrive says: a request that lingered on its
	// way. A Publish that is late no Discard calls back, and it still must come
	// within the life of what was staged.
	Late
	// Repeat does the operation, and does it once more Rule.Later operations
	// afterwards: a request that was sent twice. Only Put, Publish and Delete.
	Repeat
	// Drop does nothing and says that all went well: the lie that a store must
	// never tell. Only Put, Publish and Delete.
	Drop
	// Long returns a Get's bytes and one more.
	Long
	// Stale leaves out of a listing what was stored in the last Rule.Later
	// operations.
	Stale
	// Skew adds Rule.Delay, which may be negative, to what Now returns, as long
	// as the rule is there.
	Skew
)

// A Rule says which operations go wrong. The zero values of Op and Name match
// all; with neither Nth nor Rate it strikes each time.
type Rule struct {
	Op   remote.Op
	Name string  // prefix of the name; of listings, of what is asked for
	Nth  int     // only the n-th match, from 1
	Rate float64 // or this share of matches, by the seed
	Do   Action

	Err   error         // nil is ErrInjected
	Delay time.Duration // for Delay and Skew
	Keep  int           // for Short and Break
	Later int           // for Late, Repeat and Stale
}

var (
	// ErrInjected is what fails when a rule names no error. It is worth a retry.
	ErrInjected = errors.New("injected fault")
	// ErrCrashed is the answer to everything after a crash. It is final.
	ErrCrashed error = crashed{}
)

type crashed struct{}

func (crashed) Error() string   { return "crashed by injected fault" }
func (crashed) Retryable() bool { return false }

// Writes are the operations that change what others see.
var Writes = []remote.Op{remote.OpPut, remote.OpPublish, remote.OpDelete}

// An Event is one operation that went through.
type Event struct {
	Op    remote.Op
	Name  string // the prefix of a listing
	Bytes int    // given or returned
	Did   []Action
	Err   error
}

// A Store fails on purpose. It is safe for concurrent use.
type Store struct {
	remote.Store
	seed uint64

	// guarded by mu
	mu      sync.Mutex
	rules   []*rule
	seen    map[string]int // matches by operation and name
	log     []Event
	left    int // operations of the crash plan still to come
	counted []remote.Op
	planned bool
	crashed bool
	count   int            // operations begun
	stored  map[string]int // when a name was stored last, by count
	late    []lateOp
}

// A lateOp is done before the first operation after so many.
type lateOp struct {
	after int
	do    func() error
}

type rule struct {
	Rule
	matches int
}

// New returns a Store over s that has no faults yet.
func New(s remote.Store, seed uint64) *Store {
	return &Store{Store: s, seed: seed, seen: make(map[string]int), stored: make(map[string]int)}
}

// Unwrap returns the store below.
func (s *Store) Unwrap() remote.Store { return s.Store }

// Add adds a rule. Where several strike, all delays count and the first other
// one decides.
func (s *Store) Add(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &rule{Rule: r})
}

// Clear removes all rules and the plan to crash, and ends a crash: the machine
// is on again.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.planned, s.crashed = nil, false, false
}

// CrashAfter lets n more of the given operations (none given: of any) happen;
// the next of them, and everything after it, fails with [ErrCrashed].
func (s *Store) CrashAfter(n int, ops ...remote.Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.counted, s.planned, s.crashed = n, ops, true, false
}

// Crashed reports whether the crash has come.
func (s *Store) Crashed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crashed
}

// Log returns what happened so far.
func (s *Store) Log() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// A plan is what will go wrong with one operation.
type plan struct {
	delay  time.Duration
	strike *Rule // nil: nothing
	did    []Action
}

func (p plan) is(a Action) bool { return p.strike != nil && p.strike.Do == a }

func (p plan) err() error {
	if p.strike.Err != nil {
		return p.strike.Err
	}
	return ErrInjected
}

// begin decides about an operation and serves its delay. What is late and due
// happens first; nobody hears how it went.
func (s *Store) begin(ctx context.Context, op remote.Op, name string) (plan, error) {
	for _, do := range s.due() {
		_ = do()
	}
	p, err := s.decide(op, name)
	if err != nil || p.delay == 0 {
		return p, err
	}
	t := time.NewTimer(p.delay)
	defer t.Stop()
	select {
	case <-t.C:
		return p, nil
	case <-ctx.Done():
		return p, ctx.Err()
	}
}

// due takes the late operations whose time has come.
func (s *Store) due() (do []func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.late = slices.DeleteFunc(s.late, func(l lateOp) bool {
		if l.after < s.count {
			do = append(do, l.do)
			return true
		}
		return false
	})
	return do
}

// Arrive does at once all that is late.
func (s *Store) Arrive() {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, l := range late {
		_ = l.do()
	}
}

// postpone does an operation later.
func (s *Store) postpone(n int, do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, lateOp{s.count + n, do})
}

func (s *Store) decide(op remote.Op, name string) (p plan, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashes(op) {
		return p, ErrCrashed
	}
	key := string(op) + " " + name
	s.seen[key]++
	for i, r := range s.rules {
		if !r.concerns(op, name) || !s.strikes(i, r, key) {
			continue
		}
		if r.Do == Skew {
			continue
		}
		p.did = append(p.did, r.Do)
		if r.Do == Delay {
			p.delay += r.Delay
		} else if p.strike == nil {
			p.strike = &r.Rule
		}
	}
	return p, nil
}

// crashes is called with mu held.
func (s *Store) crashes(op remote.Op) bool {
	if s.crashed {
		return true
	}
	if !s.planned || len(s.counted) > 0 && !slices.Contains(s.counted, op) {
		return false
	}
	s.crashed = s.left <= 0
	s.left--
	return s.crashed
}

func (r *rule) concerns(op remote.Op, name string) bool {
	return (r.Op == "" || r.Op == op) && strings.HasPrefix(name, r.Name)
}

// strikes is called with mu held, once for each match.
func (s *Store) strikes(i int, r *rule, key string) bool {
	r.matches++
	if r.Nth > 0 {
		return r.matches == r.Nth
	}
	if r.Rate <= 0 {
		return true
	}
	h := fnv.New64a()
	for _, v := range []uint64{s.seed, uint64(i), uint64(s.seen[key])} {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	h.Write([]byte(key))
	return float64(mix(h.Sum64()))/math.MaxUint64 < r.Rate
}

// mix spreads the hash: the high bits of FNV hardly feel its last bytes.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (s *Store) note(op remote.Op, name string, bytes int, p plan, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && (op == remote.OpPut || op == remote.OpPublish) {
		s.stored[name] = s.count
	}
	s.log = append(s.log, Event{Op: op, Name: name, Bytes: bytes, Did: p.did, Err: err})
}
