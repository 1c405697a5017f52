package host

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// BootID names this boot of the machine: another one has another ID.
func BootID() (string, error) {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return "", fmt.Errorf("read the boot ID: %w", err)
	}
	return id, nil
}

// SinceBoot is how long ago the machine was started, sleep included: on macOS
// CLOCK_MONOTONIC does not stop for it. No one can set it, unlike the wall clock.
func SinceBoot() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("read the time since boot: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}
