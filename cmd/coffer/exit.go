package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"coffer/chunk/seal"
	"coffer/config"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/state"
)

// Exit codes are a contract with scripts; README and --help list them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitPartial     = 3
	exitDamage      = 4
	exitNoVault     = 10
	exitNoIdentity  = 13
	exitUnreachable = 14
	exitPermission  = 15
	exitUsage       = 64
	exitInterrupted = 130
)

const exitCodes = `
Exit codes:
  0    done
  1    failed; nothing was changed that a later run does not use
  3    partial: done, but some files could not be read or restored (they are named)
  4    damage found in the vault, or it shows an older state than was seen
  10   no vault there
  13   no identity: this needs the recovery kit
  14   the remote could not be reached
  15   permission denied by the remote or the system
  64   wrong usage or wrong config
  130  interrupted; the next run goes on from there
`

// usageError is a mistake on the command line.
type usageError struct {
	error
	hint string
}

func (e usageError) Unwrap() error { return e.error }

// codeError ends the command with a code after everything was said.
type codeError struct {
	code int
	text string
}

func (e codeError) Error() string { return e.text }

// hinted adds to an error what to do next.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// leave tells the error, if any, with one hint, and returns the exit code.
func (d *door) leave(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	var ce codeError
	if errors.As(err, &ce) {
		if ce.text != "" {
			fmt.Fprintln(d.err, "coffer: "+ce.text)
		}
		return ce.code
	}
	code, hint := explain(ctx, err)
	text := safeText(err.Error())
	if code == exitInterrupted {
		text = "interrupted"
	}
	if d.json {
		enc := json.NewEncoder(d.err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(map[string]any{"message_type": "exit_error", "schema_version": schemaVersion, "code": code, "message": text, "hint": hint})
		return code
	}
	fmt.Fprintln(d.err, "coffer: "+text)
	if hint != "" {
		fmt.Fprintln(d.err, "  "+strings.ReplaceAll(hint, "\n", "\n  "))
	}
	return code
}

// explain finds the exit code of an error and the next thing to do.
func explain(ctx context.Context, err error) (code int, hint string) {
	var h hinted
	if errors.As(err, &h) {
		hint = h.hint
	}
	code, own := classify(ctx, err)
	if hint == "" {
		hint = own
	}
	return code, hint
}

func classify(ctx context.Context, err error) (int, string) {
	var usage usageError
	var mistakes *config.Error
	var missing *vault.NotFoundError
	var several *vault.AmbiguousError
	switch {
	case ctx.Err() != nil:
		return exitInterrupted, "nothing that was stored is lost: run the same command again, and it goes on from there"
	case errors.As(err, &usage):
		return exitUsage, usage.hint
	case errors.As(err, &mistakes):
		return exitUsage, "mend the file, then: coffer config check"
	case errors.As(err, &missing), errors.As(err, &several):
		return exitFailed, "coffer snapshots lists them"
	case errors.Is(err, vault.ErrNoIdentity), errors.Is(err, seal.ErrNoIdentity):
		return exitNoIdentity, noIdentityHint
	case errors.Is(err, state.ErrLocked):
		return exitFailed, "wait until it is done; the lock goes with its process"
	case errors.Is(err, vault.ErrNoVault):
		return exitNoVault, "if the place is right:  coffer init REMOTE  makes a vault there"
	case errors.Is(err, vault.ErrVaultExists):
		return exitFailed, "to use it from this machine:  coffer enrol --kit FILE REMOTE"
	case errors.Is(err, vault.ErrRollback):
		return exitDamage, "look at the storage: were objects removed, or an old copy put back?\nwhat is still there can be restored;  coffer verify  tells what is missing"
	case errors.Is(err, vault.ErrRevoked):
		return exitPermission, "enrol it again with the recovery kit:  coffer enrol --kit FILE REMOTE"
	case errors.Is(err, remote.ErrUnreachable):
		return exitUnreachable, "nothing that was stored is lost; check the network and the remote's address, then run the same command again"
	case errors.Is(err, remote.ErrNoBucket):
		return exitNoVault, "check the spelling, or make the bucket or folder first"
	case errors.Is(err, remote.ErrFull):
		return exitFailed, "free some space or raise the quota; what was stored so far is used by the next run"
	case errors.Is(err, vault.ErrDamaged), errors.Is(err, remote.ErrDamaged):
		return exitDamage, "coffer verify  tells what is harmed; everything else can be restored"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return exitFailed, "this machine's disk is full: free some space and run the same command again"
	case errors.Is(err, fs.ErrPermission):
		return exitPermission, "check who may read and write there, and the credentials in use"
	}
	return exitFailed, ""
}

const noIdentityHint = "this machine holds no key that opens its backups; lend it the recovery kit:  --kit FILE"
