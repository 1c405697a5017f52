// Package mem is a remote in memory: a real store for tests, with a clock that
// can be set and ways to do what only a bad disk or a bad provider does.
//
//	store := mem.New()
//	store.SetClock(func() time.Time { return now })
//
// It keeps every promise of the contract, and copies what it is given and what
// it gives. Without a clock of its own it uses time.Now, which is fake time
// inside a testing/synctest bubble.
package mem

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"coffer/remote"
)

// A Store holds a remote in memory. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	now     func() time.Time
	objects map[string]object // guarded by mu
	late    bool              // late publishes are accepted; guarded by mu
	lock    time.Duration     // how long what is stored cannot be deleted; guarded by mu
}

type object struct {
	data []byte // never changed in place
	time time.Time
	lock time.Time // until then it cannot be deleted
}

var (
	_ remote.Store        = (*Store)(nil)
	_ remote.ExpiryProber = (*Store)(nil)
	_ remote.Locker       = (*Store)(nil)
)

// New returns an empty Store.
func New() *Store {
	return &Store{now: time.Now, objects: make(map[string]object)}
}

// SetClock makes now the remote's clock.
func (s *Store) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Location is "mem:".
func (s *Store) Location() string { return "mem:" }

// Now returns the remote's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now(), nil
}

// Put stores o. Other bytes under a taken name are refused.
func (s *Store) Put(ctx context.Context, o remote.Object) error {
	if err := errors.Join(remote.CheckObject(o), remote.CheckSum(o)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put("put", o.Name, o.Data)
}

// put is called with mu held.
func (s *Store) put(act, name string, data []byte) error {
	if old, ok := s.objects[name]; ok {
		if string(old.data) == string(data) {
			return nil
		}
		return fmt.Errorf("%s %s: %w", act, name, fs.ErrExist)
	}
	now := s.now()
	o := object{data: slices.Clone(data), time: now}
	if s.lock > 0 { // else a clock that is set back would find it locked
		o.lock = now.Add(s.lock)
	}
	s.objects[name] = o
	return nil
}

// Get appends a range of an object to dst.
func (s *Store) Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error) {
	if err := remote.CheckRange(name, off); err != nil {
		return dst, err
	}
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	s.mu.Lock()
	o, ok := s.objects[name]
	s.mu.Unlock()
	if !ok {
		return dst, fmt.Errorf("get %s: %w", name, fs.ErrNotExist)
	}
	data := o.data[min(off, int64(len(o.data))):]
	if n < 0 || n > remote.MaxObject {
		n = remote.MaxObject
	}
	return append(dst, data[:min(n, int64(len(data)))]...), nil
}

// List yields the names there at its beginning, unless they are deleted before
// their turn.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckPrefix(prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		for _, name := range s.names(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(remote.Info{}, err)
				return
			}
			s.mu.Lock()
			o, ok := s.objects[name]
			s.mu.Unlock()
			if ok && !yield(remote.Info{Name: name, Size: int64(len(o.data)), Time: o.time}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(remote.Info{}, err)
		}
	}
}

func (s *Store) names(prefix, after string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.objects {
		if name > after && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[name]; s.now().Before(o.lock) {
		return fmt.Errorf("delete %s: locked until %s: %w", name, o.lock.UTC().Format(time.DateTime), fs.ErrPermission)
	}
	delete(s.objects, name)
	return nil
}

// Stage keeps a copy of o and when it expires.
func (s *Store) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	if err := errors.Join(remote.CheckObject(o), remote.CheckSum(o)); err != nil {
		return nil, err
	}
	if life < 2*time.Second {
		return nil, fmt.Errorf("stage %s: a life of %s is too short: %w", o.Name, life, fs.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &staged{s: s, name: o.Name, data: slices.Clone(o.Data), until: s.now().Add(life)}, nil
}

type staged struct {
	s         *Store
	name      string
	data      []byte
	until     time.Time
	published bool // guarded by s.mu
	discarded bool // guarded by s.mu
}

func (p *staged) Publish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.published {
		return nil
	}
	if p.discarded || !p.s.late && !p.s.now().Before(p.until) {
		return fmt.Errorf("publish %s: %w", p.name, remote.ErrExpired)
	}
	if err := p.s.put("publish", p.name, p.data); err != nil {
		return err
	}
	p.published = true
	return nil
}

func (p *staged) Discard(context.Context) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.discarded = true
	return nil
}

// AcceptLate makes the store publish what was staged however late it comes, as
// servers do that do not look at the time of a signed request.
func (s *Store) AcceptLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = true
}

// ProbeExpiry tries to publish what expires this moment. It waits for nothing.
func (s *Store) ProbeExpiry(ctx context.Context) (enforced bool, err error) {
	s.mu.Lock()
	p := &staged{s: s, name: remote.Canary + "late", until: s.now()}
	s.mu.Unlock()
	err = p.Publish(ctx)
	if errors.Is(err, remote.ErrExpired) {
		return true, nil
	}
	if err == nil {
		err = s.Delete(ctx, p.name)
	}
	return false, err
}

// SetLock makes the store lock what is stored from now on, for so long.
func (s *Store) SetLock(period time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock = period
}

// LockPeriod is what SetLock said.
func (s *Store) LockPeriod() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lock
}

// ExtendLock locks an object until a time, at least.
func (s *Store) ExtendLock(ctx context.Context, name string, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[name]
	switch {
	case s.lock == 0:
		return fmt.Errorf("lock %s: %w", name, errors.ErrUnsupported)
	case !ok:
		return fmt.Errorf("lock %s: %w", name, fs.ErrNotExist)
	case until.After(o.lock):
		o.lock = until
		s.objects[name] = o
	}
	return nil
}

// LockedUntil says until when an object cannot be deleted.
func (s *Store) LockedUntil(name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[name].lock
}

// Overwrite puts other bytes under a name, there or not, as only something
// other than Coffer would. The object's time is now.
func (s *Store) Overwrite(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name] = object{data: slices.Clone(data), time: s.now()}
}

// SetTime changes when an object is said to have been stored.
func (s *Store) SetTime(name string, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[name]; ok {
		o.time = t
		s.objects[name] = o
	}
}

// Clone returns an independent copy, with the same clock: the remote as it is
// now, to go back to.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Store{now: s.now, objects: maps.Clone(s.objects), late: s.late, lock: s.lock}
}

// Sums returns the SHA-256 of every object by name.
func (s *Store) Sums() map[string][sha256.Size]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := make(map[string][sha256.Size]byte, len(s.objects))
	for name, o := range s.objects {
		sums[name] = sha256.Sum256(o.data)
	}
	return sums
}
