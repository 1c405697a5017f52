//go:build !linux

package dir

import "time"

// sinceBoot is known on Linux only; elsewhere the wall clock must do.
func sinceBoot() (time.Duration, bool) { return 0, false }
