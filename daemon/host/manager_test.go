package host

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestManager listens on a real notify socket, as systemd does.
func TestManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	var m Manager
	if !m.Listens() {
		t.Error("there is a socket, and it does not listen")
	}
	for _, c := range []struct {
		tell func() error
		want string
	}{
		{m.Ready, `READY=1`},
		{m.Reloading, `RELOADING=1\nMONOTONIC_USEC=[0-9]+`},
		{m.Stopping, `STOPPING=1`},
		{m.Alive, `WATCHDOG=1`},
		{func() error { return m.Status("backs up café: 12 of 40 GiB") }, `STATUS=backs up café: 12 of 40 GiB`},
		{func() error { return m.Status("a\nMAINPID=1\x00\tb") }, `STATUS=a MAINPID=1  b`},
	} {
		if err := c.tell(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := socket.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^` + c.want + `$`).Match(buf[:n]) {
			t.Errorf("it was told %q, want %s", buf[:n], c.want)
		}
	}
	socket.Close()
	if err := m.Ready(); err == nil {
		t.Error("the socket is gone, and nothing was said")
	}
}

func TestManagerAbsent(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	var m Manager
	for _, tell := range []func() error{m.Ready, m.Reloading, m.Stopping, m.Alive, func() error { return m.Status("x") }} {
		if err := tell(); err != nil {
			t.Error(err)
		}
	}
	if every, err := m.Watchdog(); every != 0 || err != nil || m.Listens() {
		t.Errorf("Watchdog = %v, %v; Listens = %v", every, err, m.Listens())
	}
}

func TestWatchdog(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
		bad       bool
	}{
		{"60000000", me, 30 * time.Second, false},
		{"60000000", "", 30 * time.Second, false},
		{"60000000", "1", 0, false}, // it is another that is watched
		{"soon", me, 0, true},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got, err := (Manager{}).Watchdog(); got != c.want || (err != nil) != c.bad {
			t.Errorf("WATCHDOG_USEC=%s WATCHDOG_PID=%s: %v, %v", c.usec, c.pid, got, err)
		}
	}
}

func TestJournalReads(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", strconv.FormatUint(uint64(st.Dev), 10)+":"+strconv.FormatUint(st.Ino, 10))
	if !JournalReads(w) {
		t.Error("the journal's own stream is not known")
	}
	other, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if JournalReads(other) {
		t.Error("a stream that was turned elsewhere passes for the journal's")
	}
	t.Setenv("JOURNAL_STREAM", "")
	if JournalReads(w) {
		t.Error("without a journal a stream passes for the journal's")
	}
}
