package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked: another daemon goes by the same memory.
var ErrLocked = errors.New("another daemon is running")

// Lock makes this process the only one to go by the memory, until the function
// it returns is called or the process ends in any way. It fails with ErrLocked
// at once if there is another.
func (s *Store) Lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "daemon.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock daemon state: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock daemon state: %w", err)
	}
	return func() { f.Close() }, nil
}
