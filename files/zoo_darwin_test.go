package files

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// buildZooMore adds what only this system has, and what only root can make.
func buildZooMore(t testing.TB, dir string) {
	t.Helper()
	must(t, unix.Setxattr(filepath.Join(dir, "empty"), "user.x", []byte("x"), 0))
	must(t, unix.Setxattr(filepath.Join(dir, "shared"), "user.x", []byte("of a folder"), 0))
}
