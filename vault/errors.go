package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"coffer/remote"
	"coffer/vault/ledger"
)

var (
	// ErrNoVault: the remote holds no vault.
	ErrNoVault = errors.New("no vault there")
	// ErrVaultExists: init on a remote that holds a vault already.
	ErrVaultExists = errors.New("a vault exists there already")
	// ErrNoIdentity: what was asked needs the vault's identity, which only the
	// recovery kit holds.
	ErrNoIdentity = errors.New("no identity that opens this vault")
	// ErrRollback: the remote shows an older state than this device, the kit
	// or another device has seen.
	ErrRollback = errors.New("the remote shows an older state than was seen before")
	// ErrDamaged: an object is missing or its bytes are not what was stored.
	ErrDamaged = errors.New("damaged")
	// ErrMissing: a run found that the remote has lost packs that snapshots
	// need. What they held and is still on the disk is stored again.
	ErrMissing = errors.New("the remote has lost packs")
	// ErrRevoked: the trust no longer lets this device write.
	ErrRevoked = errors.New("this device may not write to the vault")
	// ErrNoRole: the trust does not give this device the role that this needs.
	ErrNoRole = errors.New("this device may not do that in the vault")
	// ErrRestart: the check before a commit found that something the snapshot
	// needs is not safe to rely on. It is now counted as unknown; the run must
	// start again from the walk.
	ErrRestart = errors.New("the run must start again")
)

// A Problem is something wrong with an object on the remote that did not stop
// the work at hand.
type Problem struct {
	Object string // full object name
	Err    error
	Harms  string // what it puts at risk, in the user's words
}

func (p Problem) Error() string { return fmt.Sprintf("%s: %v", p.Object, p.Err) }

// A PackError tells which pack could not be used. It is ErrDamaged where the
// bytes are missing or wrong, and not where the remote could not be reached.
type PackError struct {
	Pack ledger.Pack
	Err  error
}

func (e *PackError) Error() string { return fmt.Sprintf("pack %s: %v", e.Pack.Name(), e.Err) }
func (e *PackError) Unwrap() error { return e.Err }

// NotFoundError: no snapshot answers to Spec.
type NotFoundError struct {
	Spec      string
	Count     int // snapshots there are, without those forgotten
	Forgotten int // which answer to their ID only
}

func (e *NotFoundError) Error() string {
	if e.Count+e.Forgotten == 0 {
		return fmt.Sprintf("no snapshot %q: the vault has no snapshot yet", e.Spec)
	}
	return fmt.Sprintf("no snapshot %q among %d", e.Spec, e.Count)
}

// AmbiguousError: Spec is the beginning of several snapshots' IDs.
type AmbiguousError struct {
	Spec string
	IDs  []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("snapshot %q could be any of %s", e.Spec, strings.Join(e.IDs, ", "))
}

// damaged marks err as damage to an object.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// badIsDamage marks as damage what a remote says of one object that should be
// there: that it is missing, that its bytes contradict the remote's own
// checksum, or that the disk cannot read it. Any other error is the remote's.
func badIsDamage(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damaged("missing: %w", err)
	case errors.Is(err, remote.ErrDamaged), errors.Is(err, syscall.EIO), errors.Is(err, fs.ErrInvalid):
		return damaged("%w", err)
	}
	return err
}

// IsRemote tells an error of reaching or using the remote from one about what
// it holds.
func IsRemote(err error) bool {
	for _, e := range []error{remote.ErrUnreachable, remote.ErrNoBucket, fs.ErrPermission, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
