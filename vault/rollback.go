package vault

import (
	"errors"
	"slices"
	"time"
)

// A Rollback is a commit that this device made or saw, and that the remote did
// not show any more. A run goes on from what is left, so this is remembered
// until someone has taken note of it.
type Rollback struct {
	Commit string    `json:"commit"` // object name
	Found  time.Time `json:"found"`  // by the remote's clock
	Known  bool      `json:"known,omitempty"`
}

// keepRollbacks bounds what is remembered.
const keepRollbacks = 64

// alarm remembers that a commit is gone, once.
func (h *ownHistory) alarm(name string) {
	if h.missed(name) {
		return
	}
	h.Rollbacks = append(h.Rollbacks, Rollback{Commit: name, Found: h.now.UTC().Truncate(time.Second)})
	h.Rollbacks = h.Rollbacks[max(0, len(h.Rollbacks)-keepRollbacks):]
}

// missed tells whether a commit was gone once.
func (h *ownHistory) missed(name string) bool {
	return slices.ContainsFunc(h.Rollbacks, func(r Rollback) bool { return r.Commit == name })
}

// Rollbacks returns the rollbacks that runs of this device found and that
// nobody has taken note of.
func (v *Vault) Rollbacks() []Rollback {
	if v.dir == nil {
		return nil
	}
	return slices.DeleteFunc(v.loadOwn().Rollbacks, func(r Rollback) bool { return r.Known })
}

// AcknowledgeRollbacks takes note of all rollbacks found so far. It needs the
// local lock: state.ErrLocked if a run is at work.
func (v *Vault) AcknowledgeRollbacks() error {
	lock, err := v.dir.TryLockRun("status")
	if err != nil {
		return err
	}
	h := v.loadOwn()
	for i := range h.Rollbacks {
		h.Rollbacks[i].Known = true
	}
	if h.fresh {
		return lock.Unlock()
	}
	return errors.Join(v.saveOwn(h), lock.Unlock())
}
