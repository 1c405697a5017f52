package host

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// A Manager is the service manager that started this process, if it wants to
// hear of it (sd_notify of systemd). Without one its methods do nothing. The
// zero value is ready.
type Manager struct{}

// Listens reports whether there is one that wants to hear.
func (Manager) Listens() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// Ready says that the start, or a reload, is done.
func (m Manager) Ready() error { return m.tell(daemon.SdNotifyReady) }

// Reloading says that a reload begins; [Manager.Ready] must follow, however it
// ended.
func (m Manager) Reloading() error {
	return m.tell(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping says that the end has begun.
func (m Manager) Stopping() error { return m.tell(daemon.SdNotifyStopping) }

// Status is one line for people, as systemctl status shows it. Line breaks in
// it become blanks: what follows one would be read as an order.
func (m Manager) Status(text string) error {
	return m.tell("STATUS=" + strings.Map(oneLine, text))
}

// Alive says that the loop still turns. It is due at least every
// [Manager.Watchdog].
func (m Manager) Alive() error { return m.tell(daemon.SdNotifyWatchdog) }

// Watchdog is how often [Manager.Alive] is due for the process not to be
// killed as one that hangs: half of what the manager allows. It is 0 if nobody
// watches.
func (Manager) Watchdog() (time.Duration, error) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("read the watchdog's time: %w", err)
	}
	return limit / 2, nil
}

func (Manager) tell(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

func oneLine(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// UnderSystemd reports whether systemd started this process as a service.
func UnderSystemd() bool { return os.Getenv("INVOCATION_ID") != "" }

// UnderLaunchd reports whether launchd started this process by the file that
// Coffer installs, which says so itself. launchd starts again whatever ends
// with an error, every minute and forever, so there a config that cannot work
// must end the daemon without one.
func UnderLaunchd() bool { return os.Getenv("COFFER_LAUNCHD") == "1" }

// JournalReads reports whether f, a stream of this process, goes to the
// journal, which puts the time before each line itself.
func JournalReads(f *os.File) bool {
	want := os.Getenv("JOURNAL_STREAM")
	var st unix.Stat_t
	if want == "" || unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return want == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
