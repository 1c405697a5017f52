package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockPoll      = 50 * time.Millisecond
	lockWriteWait = 30 * time.Second // a change takes milliseconds; who needs longer is stopped or broken
	maxHolder     = 4096             // bytes of a lock file that are read
)

// A Holder says who holds a lock.
type Holder struct {
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"`
}

// A LockedError is an [ErrLocked] with the name of the lock and of its holder.
// The holder's PID is 0 if it could not be read.
type LockedError struct {
	Lock   string // "run" or "write"
	Holder Holder
	cause  error // why the wait ended, or nil
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s lock is held by another process", e.Lock)
	}
	return fmt.Sprintf("%s lock is held by process %d (%s) since %s",
		e.Lock, e.Holder.PID, e.Holder.Command, e.Holder.Since.Format(time.RFC3339))
}

// Unwrap makes errors.Is find [ErrLocked], and the context's error if the wait
// ended with it.
func (e *LockedError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrLocked}
	}
	return []error{ErrLocked, e.cause}
}

// A Lock is held until Unlock, or until the process ends in any way.
type Lock struct {
	f *flock.Flock
}

// Unlock gives the lock back. A second call does nothing.
func (l *Lock) Unlock() error { return l.f.Unlock() }

// TryLockRun takes the lock of the vault's runs, or fails at once with a
// [*LockedError]. Command says in a few words who asks. The holder alone
// changes the index, the pack tables and the local manifests. What a killed
// run left half written is removed.
func (d *Dir) TryLockRun(command string) (*Lock, error) {
	return d.cleanLock(d.tryLock("run", command))
}

// LockRun is TryLockRun that waits until ctx is done.
func (d *Dir) LockRun(ctx context.Context, command string) (*Lock, error) {
	return d.cleanLock(d.lock(ctx, "run", command))
}

func (d *Dir) cleanLock(l *Lock, err error) (*Lock, error) {
	if err != nil {
		return nil, err
	}
	if err := d.change(d.removeStale); err != nil {
		return nil, errors.Join(fmt.Errorf("clean up state folder: %w", err), l.Unlock())
	}
	return l, nil
}

// lockWrite takes the lock for one change of small files.
func (d *Dir) lockWrite() (*Lock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWriteWait)
	defer cancel()
	return d.lock(ctx, "write", "")
}

// lock tries to take the named lock, at least once, until ctx is done.
func (d *Dir) lock(ctx context.Context, name, command string) (*Lock, error) {
	for {
		l, err := d.tryLock(name, command)
		locked, held := errors.AsType[*LockedError](err)
		if !held {
			return l, err
		}
		select {
		case <-ctx.Done():
			locked.cause = ctx.Err()
			return nil, locked
		case <-time.After(lockPoll):
		}
	}
}

func (d *Dir) tryLock(name, command string) (*Lock, error) {
	path := d.file(name + ".lock")
	file, err := openPrivate(path, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open %s lock: %w", name, err)
	}
	file.Close()
	l := &Lock{flock.New(path, flock.SetFlag(os.O_RDWR))}
	ok, err := l.f.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take %s lock: %w", name, err)
	}
	if !ok {
		return nil, &LockedError{Lock: name, Holder: readHolder(path)}
	}
	if command != "" {
		writeHolder(path, command)
	}
	return l, nil
}

// writeHolder notes who holds the lock. It is for people only, so a full disk
// must not keep anybody from the lock.
func writeHolder(path, command string) {
	h := Holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second), Command: command[:min(len(command), 200)]}
	if line, err := json.Marshal(h); err == nil {
		_ = os.WriteFile(path, append(line, '\n'), filePerm)
	}
}

func readHolder(path string) Holder {
	var h Holder
	f, err := os.Open(path)
	if err != nil {
		return h
	}
	defer f.Close()
	b := make([]byte, maxHolder)
	n, _ := f.Read(b)
	if json.Unmarshal(b[:n], &h) != nil {
		return Holder{}
	}
	return h
}

// removeStale removes the temporary files of processes that were killed. The
// caller holds the run lock and the write lock, under which all are made.
func (d *Dir) removeStale() error {
	return filepath.WalkDir(d.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !isTemporary(e.Name()) {
			return err
		}
		return os.Remove(path)
	})
}

// isTemporary knows the names that newFile makes: a dot, the name, a number.
// Nothing that stays begins with a dot.
func isTemporary(name string) bool {
	last := name[len(name)-1]
	return name[0] == '.' && last >= '0' && last <= '9'
}
