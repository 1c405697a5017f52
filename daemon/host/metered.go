package host

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// What NetworkManager says of the line, by its NMMetered.
const (
	nmMetered      = 1 // it was told so
	nmGuessMetered = 3 // it is a telephone's, or the network says so
)

// Metered reports whether the line to the internet costs by the byte, as
// NetworkManager knows or guesses. macOS tells nobody without a compiler for
// its own language, so there it is absent.
func Metered(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := systemBus(ctx)
	if err != nil {
		return false, fmt.Errorf("ask whether the line is metered: %w", err)
	}
	defer conn.Close()
	var value dbus.Variant
	err = conn.Object("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager").
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart,
			"org.freedesktop.NetworkManager", "Metered").Store(&value)
	if err != nil {
		return false, fmt.Errorf("ask whether the line is metered: %w", refused(err))
	}
	n, ok := value.Value().(uint32)
	if !ok {
		return false, fmt.Errorf("ask whether the line is metered: the answer is %s", value)
	}
	return n == nmMetered || n == nmGuessMetered, nil
}
