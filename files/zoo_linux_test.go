package files

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// buildZooMore adds what only this system has, and what only root can make.
func buildZooMore(t testing.TB, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(at("xattrs"), nil, 0o640))
	must(t, unix.Setxattr(at("xattrs"), "user.empty", nil, 0))
	must(t, unix.Setxattr(at("xattrs"), "user.bin\xff", []byte("\x00\xff"), 0))
	must(t, unix.Setxattr(at("xattrs"), "system.posix_acl_access", acl, 0))
	must(t, unix.Setxattr(at("shared"), "user.x", []byte("of a folder"), 0))
	must(t, unix.Setxattr(at("shared"), "system.posix_acl_default", acl, 0))
	must(t, os.WriteFile(at("shared/made under a default list"), nil, 0o644))
	if os.Geteuid() != 0 {
		return
	}
	must(t, unix.Mknod(at("device null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(at("device block"), unix.S_IFBLK|0o600, int(unix.Mkdev(259, 70000))))
	must(t, os.Chown(at("sub/content"), 12345, 54321))
	must(t, os.Lchown(at("dangling"), 4, 5))
	must(t, os.Chown(at("fifo"), 6, 7))
	must(t, os.Chown(at("shared"), 8, 9))
	must(t, os.Chown(at("setuid"), 1, 2))
	must(t, os.Chmod(at("setuid"), 0o755|os.ModeSetuid|os.ModeSetgid))
	must(t, os.WriteFile(at("capable"), nil, 0o755))
	must(t, unix.Setxattr(at("capable"), capability, []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	must(t, unix.Lsetxattr(at("dangling"), "trusted.t", []byte("on a link"), 0))
	must(t, unix.Lsetxattr(at("fifo"), "trusted.t", []byte("on a FIFO"), 0))
}
