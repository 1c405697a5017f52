package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Inhibit asks the machine not to fall asleep by itself until release is
// called, or this process ends in any way. why is shown to whoever asks what
// keeps the machine awake. release is never nil and may be called more than
// once; ctx bounds the question, not what was granted.
//
// It keeps off the sleep that comes from idleness and from menus. It does not
// keep off a lid that is closed (a laptop in a bag must sleep; systemd's
// LidSwitchIgnoreInhibited), a shutdown, or an empty battery: a run that is cut
// off goes on later.
//
// On Linux logind grants this without a password to who is logged in at the
// machine, and refuses it to others, such as a system service that is not root.
func Inhibit(ctx context.Context, why string) (release func(), err error) {
	if runtime.GOOS == "darwin" {
		release, err = caffeinate()
	} else {
		release, err = inhibitLogind(ctx, why)
	}
	if err != nil {
		return func() {}, fmt.Errorf("keep the machine awake: %w", err)
	}
	return sync.OnceFunc(release), nil
}

// inhibitLogind takes a lock of systemd-logind, which is a file descriptor: it
// ends when that is closed.
func inhibitLogind(ctx context.Context, why string) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := systemBus(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var fd dbus.UnixFD
	err = conn.Object("org.freedesktop.login1", "/org/freedesktop/login1").
		CallWithContext(ctx, "org.freedesktop.login1.Manager.Inhibit", dbus.FlagNoAutoStart,
			"sleep", "Coffer", why, "block").Store(&fd)
	if err != nil {
		return nil, refused(err)
	}
	lock := os.NewFile(uintptr(fd), "inhibitor")
	return func() { lock.Close() }, nil
}

// caffeinate keeps a Mac from idle sleep and, on mains, from any sleep. It ends
// with this process (-w), should that be killed.
func caffeinate() (func(), error) {
	cmd := exec.Command("caffeinate", "-i", "-s", "-w", strconv.Itoa(os.Getpid()))
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}
