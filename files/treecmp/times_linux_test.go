package treecmp

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// setLinkTime sets the time of a thing itself, if it is there.
func setLinkTime(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(name); err != nil {
		return
	}
	p, err := syscall.BytePtrFromString(name)
	must(t, err)
	ts := [2]syscall.Timespec{syscall.NsecToTimespec(then.UnixNano()), syscall.NsecToTimespec(then.UnixNano())}
	const cwd, nofollow = -100, 0x100
	at := cwd
	if _, _, errno := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(at), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&ts)), nofollow, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
}
