//go:build !linux

package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// LowerPriority makes this process, and what it starts from now on, give way to
// others for the processor. It cannot be taken back without privileges. On
// macOS launchd lowers the priority for the disk (LowPriorityIO in the agent's
// file), which a process cannot do for itself without a C compiler.
func LowerPriority() error {
	const self = 0
	now, err := unix.Getpriority(unix.PRIO_PROCESS, self)
	if err == nil && now < niceness {
		err = unix.Setpriority(unix.PRIO_PROCESS, self, niceness)
	}
	if err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	return nil
}
