package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"coffer/chunk/seal"
	"coffer/config"
	"coffer/remote"
	"coffer/vault"
	"coffer/vault/state"
)

// explain finds for an error the exit code, the words, and the next thing to do.
func explain(ctx context.Context, err error) (code int, text, hint string) {
	code, hint = classify(err)
	text = err.Error()
	var missing *vault.NotFoundError
	if errors.As(err, &missing) && missing.Count+missing.Forgotten > 0 {
		text = fmt.Sprintf("no snapshot answers to %q; the vault has %d", missing.Spec, missing.Count)
		if missing.Forgotten > 0 {
			text += fmt.Sprintf(", not counting %d forgotten, which answer to their IDs  (coffer snapshots --forgotten)", missing.Forgotten)
		}
	}
	var locked *state.LockedError
	if errors.As(err, &locked) && locked.Holder.PID != 0 {
		text = fmt.Sprintf("another run is at work on this vault: process %d (%s), since %s",
			locked.Holder.PID, locked.Holder.Command, timeText(locked.Holder.Since))
	}
	var t told
	isTold := errors.As(err, &t)
	if isTold && t.hint != "" {
		hint = t.hint
	}
	if isTold && t.code != 0 {
		code = t.code
	}
	if ctx.Err() != nil && code != exitInterrupted {
		return exitInterrupted, "interrupted", goOnHint
	}
	return code, text, hint
}

const (
	goOnHint       = "nothing that was stored is lost: run the same command again"
	noIdentityHint = "this machine holds no key that opens its backups; lend it the recovery kit:  --kit FILE"
	snapshotHint   = "coffer snapshots  lists them; SNAPSHOT is latest, latest~N, the first 4 or more digits of an ID, or a date"
)

// classify finds the exit code of an error by its cause, and a hint.
func classify(err error) (int, string) {
	var mistakes *config.Error
	var missing *vault.NotFoundError
	var several *vault.AmbiguousError
	switch {
	case errors.As(err, &mistakes):
		return exitUsage, "mend the file, then:  coffer config check"
	case errors.As(err, &missing), errors.As(err, &several):
		return exitFailed, snapshotHint
	case errors.Is(err, state.ErrLocked):
		return exitFailed, "wait until it is done; the lock goes with its process"
	case errors.As(err, new(*vault.FloorError)):
		return exitFailed, "nothing was forgotten; to lower the vault's floor, with the kit:  coffer device floor --kit FILE"
	case errors.As(err, new(*vault.LastError)):
		return exitFailed, "give it to another device first (coffer device roles), or if that is meant:  --force"
	case errors.As(err, new(*vault.PinnedError)):
		return exitFailed, "nothing was forgotten;  coffer unpin SNAPSHOT  takes a pin off"
	case errors.Is(err, vault.ErrTooLate):
		return exitFailed, "it cannot be brought back; if its objects are still there, it can be restored by its ID"
	case errors.Is(err, vault.ErrRoleUsed):
		return exitFailed, "revoke it, and enrol that machine as a new device with fewer roles: what it signed until then stays valid\n  coffer device revoke DEVICE"
	case errors.Is(err, vault.ErrNoRole):
		return exitPermission, "give it the role with the recovery kit:  coffer device roles DEVICE write,forget,maintain --kit FILE"
	case errors.Is(err, vault.ErrVaultExists):
		return exitFailed, "to use it from this machine:  coffer enrol --kit FILE REMOTE\nif this machine lost its local state:  coffer enrol --kit FILE REMOTE --replace list"
	case errors.Is(err, vault.ErrRevoked):
		return exitPermission, "enrol it again with the recovery kit:  coffer enrol --kit FILE REMOTE"
	}
	if code, hint := classifyVault(err); code != 0 {
		return code, hint
	}
	return classifyPlace(err)
}

// classifyVault is the part of classify about what a vault is like.
func classifyVault(err error) (int, string) {
	switch {
	case errors.Is(err, vault.ErrNoIdentity), errors.Is(err, seal.ErrNoIdentity):
		return exitNoIdentity, noIdentityHint
	case errors.Is(err, vault.ErrNoVault):
		return exitNoVault, "if the place is right:  coffer init REMOTE  makes a vault there"
	case errors.Is(err, vault.ErrRollback):
		return exitDamage, "look at the storage: were objects removed, or an old copy put back?\nwhat is still there can be restored;  coffer verify  tells what is missing"
	case errors.Is(err, remote.ErrUnreachable):
		return exitUnreachable, "nothing that was stored is lost; check the network and the remote's address, then run the same command again"
	case errors.Is(err, vault.ErrDamaged), errors.Is(err, remote.ErrDamaged):
		return exitDamage, "coffer verify  tells what is harmed; everything else can be restored"
	}
	return 0, ""
}

// classifyPlace is the part of classify about disks and buckets.
func classifyPlace(err error) (int, string) {
	switch {
	case errors.Is(err, remote.ErrNoBucket):
		return exitNoVault, "check the spelling; Coffer makes no bucket: make it first, where the storage is managed"
	case errors.Is(err, remote.ErrFull):
		return exitFailed, "free some space or raise the quota; what was stored so far is used by the next run"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return exitFailed, "this machine's disk is full: free some space and run the same command again"
	case errors.Is(err, syscall.ENOTDIR):
		return exitFailed, "a file is where a folder should be: name another folder"
	case errors.Is(err, syscall.EROFS) && !errors.Is(err, fs.ErrPermission):
		return exitFailed, "nothing can be written there, it is mounted to be read only: name another place, or mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		return exitPermission, "check who may read and write there, and the credentials in use"
	}
	return exitFailed, ""
}
