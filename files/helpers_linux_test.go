package files

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// setFsUser changes whose rights this thread has on files.
func setFsUser(id int) {
	_ = unix.Setfsuid(id)
}

// mountTmpfs mounts a file system, if we may.
func mountTmpfs(t testing.TB, at string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("not allowed to mount here: %v", err)
		return false
	}
	t.Cleanup(func() { must(t, unix.Unmount(at, unix.MNT_DETACH)) })
	return true
}

func bindMount(t testing.TB, from, to string) {
	t.Helper()
	must(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(to, unix.MNT_DETACH)) })
}
