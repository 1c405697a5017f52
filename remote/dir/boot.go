package dir

import (
	"os"
	"strings"
	"time"

	"coffer/remote"
)

var _ remote.HomeClock = (*Store)(nil)

// SinceBoot tells how long this machine has been on. A folder's clock is that
// of its file system, which as a rule is this machine's. Where the folder lies
// on another machine it is one guard more.
func (s *Store) SinceBoot() (boot string, on time.Duration, ok bool) {
	on, ok = sinceBoot()
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), on, ok && err == nil
}
