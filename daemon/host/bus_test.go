package host

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// startBus starts a real bus of its own for this test, as the system's and the
// session's, and returns a connection to serve things from.
func startBus(t *testing.T) *dbus.Conn {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	err := os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=`+filepath.Join(dir, "bus")+`</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs dbus-daemon: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	conn, err := dbus.Connect(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// serve puts an object on the bus under a service's name.
func serve(t *testing.T, conn *dbus.Conn, name, path, face string, methods map[string]any) {
	t.Helper()
	if err := conn.ExportMethodTable(methods, dbus.ObjectPath(path), face); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("take the name %s: %v, %v", name, reply, err)
	}
}

// A cell is a value that a service on the bus and its test share.
type cell[T any] struct {
	mu sync.Mutex
	v  T
}

func (c *cell[T]) get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.v
}

func (c *cell[T]) set(v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v = v
}

// noBus takes every bus away.
func noBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
}

func TestNothingOffered(t *testing.T) {
	for _, c := range []struct {
		name  string
		setUp func(t *testing.T)
	}{
		{"no bus", noBus},
		{"an empty bus", func(t *testing.T) { startBus(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.setUp(t)
			if metered, err := Metered(t.Context()); metered || !errors.Is(err, ErrAbsent) {
				t.Errorf("Metered = %v, %v", metered, err)
			}
			release, err := Inhibit(t.Context(), "a test")
			if !errors.Is(err, ErrAbsent) {
				t.Errorf("Inhibit: %v", err)
			}
			release()
			if err := ShowToast(t.Context(), Toast{Title: "a", Text: "b"}); !errors.Is(err, ErrAbsent) {
				t.Errorf("ShowToast: %v", err)
			}
		})
	}
}

func TestMetered(t *testing.T) {
	conn := startBus(t)
	var answer cell[dbus.Variant]
	var asked cell[string]
	serve(t, conn, "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "org.freedesktop.DBus.Properties",
		map[string]any{"Get": func(face, name string) (dbus.Variant, *dbus.Error) {
			asked.set(face + "." + name)
			return answer.get(), nil
		}})
	for value, want := range []bool{false, true, false, true, false} { // unknown, yes, no, guess yes, guess no
		answer.set(dbus.MakeVariant(uint32(value)))
		if got, err := Metered(t.Context()); err != nil || got != want {
			t.Errorf("NetworkManager says %d: Metered = %v, %v", value, got, err)
		}
	}
	answer.set(dbus.MakeVariant("yes"))
	if got, err := Metered(t.Context()); err == nil || got || errors.Is(err, ErrAbsent) {
		t.Errorf("NetworkManager says a string: Metered = %v, %v", got, err)
	}
	if asked.get() != "org.freedesktop.NetworkManager.Metered" {
		t.Errorf("it was asked for %s", asked.get())
	}
}

// TestInhibit stands in for logind: its end of the pipe sees when the lock ends.
func TestInhibit(t *testing.T) {
	conn := startBus(t)
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	ours.SetReadDeadline(time.Now().Add(time.Minute)) // a lock that never ends is an error, not a test that never does
	fd := dbus.UnixFD(theirs.Fd())
	var asked cell[string]
	serve(t, conn, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
		map[string]any{"Inhibit": func(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
			asked.set(strings.Join([]string{what, who, why, mode}, "|"))
			return fd, nil
		}})
	ctx, cancel := context.WithCancel(t.Context())
	release, err := Inhibit(ctx, "backing up site")
	if err != nil {
		t.Fatal(err)
	}
	if asked.get() != "sleep|Coffer|backing up site|block" {
		t.Errorf("logind was asked for %s", asked.get())
	}
	theirs.Close() // what is left is what was handed over
	cancel()       // which the context does not end
	ended := make(chan error, 1)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("the lock ended before its release: %v", err)
	default:
	}
	release()
	if err := <-ended; err != io.EOF {
		t.Errorf("after the release: %v", err)
	}
	release()
}

func TestInhibitRefused(t *testing.T) {
	conn := startBus(t)
	serve(t, conn, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
		map[string]any{"Inhibit": func(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
			return 0, dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"Permission denied"})
		}})
	release, err := Inhibit(t.Context(), "a test")
	if err == nil || errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("Inhibit: %v", err)
	}
	release()
}

func TestShowToast(t *testing.T) {
	conn := startBus(t)
	type note struct {
		title, text string
		urgency     any
	}
	var got cell[note]
	var can cell[[]string]
	serve(t, conn, "org.freedesktop.Notifications", "/org/freedesktop/Notifications", "org.freedesktop.Notifications",
		map[string]any{
			"GetCapabilities": func() ([]string, *dbus.Error) { return can.get(), nil },
			"Notify": func(app string, replaces uint32, icon, title, text string, actions []string, hints map[string]dbus.Variant, expire int32) (uint32, *dbus.Error) {
				got.set(note{title, text, hints["urgency"].Value()})
				return 1, nil
			},
		})
	if err := ShowToast(t.Context(), Toast{Title: "Coffer", Text: "<b>site</b> & co", Urgent: true}); err != nil {
		t.Fatal(err)
	}
	if want := (note{"Coffer", "<b>site</b> & co", byte(2)}); got.get() != want {
		t.Errorf("a plain desktop got %+v", got.get())
	}
	can.set([]string{"body", "body-markup"})
	if err := ShowToast(t.Context(), Toast{Title: "Coffer", Text: "<b>site</b> & co"}); err != nil {
		t.Fatal(err)
	}
	if want := (note{"Coffer", "&lt;b&gt;site&lt;/b&gt; &amp; co", byte(1)}); got.get() != want {
		t.Errorf("a desktop with markup got %+v", got.get())
	}
}

// TestBusThatHangs holds the promise that no question waits for ever.
func TestBusThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l := listen(t, path)
	defer l.Close()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+path)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Metered(ctx)
		done <- err
	}()
	c, err := l.Accept() // and never a word
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Metered: %v", err)
	}
}
