// Package host is the machine the daemon runs on: what it can tell, and what
// it can be asked for.
//
// It tells how it is fed ([Power]), whether its line costs by the byte
// ([Metered]), which boot this is and for how long ([BootID], [SinceBoot]), and
// which folders macOS keeps from this process ([Guarded]). It can be asked to
// stay awake ([Inhibit]), to give the processor and the disk to others first
// ([LowerPriority]), and to show a message on the screen ([ShowToast]). A
// [Manager] is told how the daemon fares, by the protocol of systemd.
//
// None of this is needed for a backup. What a machine does not offer is an
// error that wraps [ErrAbsent], and comes with the value that changes nothing:
// on mains, not metered, nothing to release. Whoever asks may say why and go on.
//
// Everything here asks anew with each call, keeps no state between calls, and
// is safe for concurrent use. Calls to other programs end after five seconds.
package host

import (
	"errors"
	"time"
)

// ErrAbsent is wrapped by the error about something that this machine, or this
// session on it, does not have: no bus, no service on it, another system.
var ErrAbsent = errors.New("not offered here")

// patience bounds one question to another program.
const patience = 5 * time.Second
