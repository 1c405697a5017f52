package host

import (
	"context"
	"fmt"
	"html"
	"runtime"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// A Toast is a short message for the person in front of the screen.
type Toast struct {
	Title  string // one line
	Text   string // plain
	Urgent bool   // it stays until it is dismissed, where the desktop can do that
}

// ShowToast shows a message on the screen of this process's session. A daemon
// that is no part of a session gets an error that wraps [ErrAbsent].
func ShowToast(ctx context.Context, t Toast) error {
	var err error
	if runtime.GOOS == "darwin" {
		err = toastMac(ctx, t)
	} else {
		err = toastDesktop(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("show a message on the screen: %w", err)
	}
	return nil
}

// toastDesktop speaks the freedesktop.org notification protocol.
func toastDesktop(ctx context.Context, t Toast) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := sessionBus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	desk := conn.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
	var can []string
	if err := desk.CallWithContext(ctx, "org.freedesktop.Notifications.GetCapabilities", 0).Store(&can); err != nil {
		return refused(err)
	}
	text := t.Text
	if slices.Contains(can, "body-markup") {
		text = html.EscapeString(text) // a name of a project is no markup
	}
	urgency := byte(1)
	if t.Urgent {
		urgency = 2
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(urgency), "desktop-entry": dbus.MakeVariant("coffer")}
	const replaces, byDesktop = uint32(0), int32(-1)
	call := desk.CallWithContext(ctx, "org.freedesktop.Notifications.Notify", 0,
		"Coffer", replaces, "", t.Title, text, []string{}, hints, byDesktop)
	return refused(call.Err)
}

// toastMac hands the words to a fixed script as its arguments, so that nothing
// in them is ever read as a script.
func toastMac(ctx context.Context, t Toast) error {
	const script = `on run words
	display notification (item 2 of words) with title (item 1 of words)
end run`
	title := t.Title
	if title == "" || strings.HasPrefix(title, "-") {
		title = "Coffer: " + title // else it would be read as a flag
	}
	_, err := ask(ctx, "osascript", "-e", script, title, t.Text)
	return err
}
