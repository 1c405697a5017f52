//go:build !linux && !darwin

package host

import (
	"fmt"
	"time"
)

// BootID is known on Linux and macOS only.
func BootID() (string, error) { return "", fmt.Errorf("read the boot ID: %w", ErrAbsent) }

// SinceBoot is known on Linux and macOS only.
func SinceBoot() (time.Duration, error) {
	return 0, fmt.Errorf("read the time since boot: %w", ErrAbsent)
}
