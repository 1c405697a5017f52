package state

import "errors"

// ErrDamaged says that a file is there but is not what was written. For
// device.json there is [Dir.RecoverDevice]; all else can be dropped, at the
// cost of reading or uploading something again.
var ErrDamaged = errors.New("damaged")

// ErrLocked says that another process, or another part of this one, holds the
// lock. The error is a [*LockedError], which names the holder.
var ErrLocked = errors.New("locked")
