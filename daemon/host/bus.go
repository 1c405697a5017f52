package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/godbus/dbus/v5"
)

// systemBus connects to the bus on which the system's services listen.
func systemBus(ctx context.Context) (*dbus.Conn, error) {
	address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if address == "" {
		address = "unix:path=/run/dbus/system_bus_socket"
	}
	return dial(ctx, address)
}

// sessionBus connects to the bus of the user's session. It never starts one:
// a bus without a desktop has nobody who shows anything.
func sessionBus(ctx context.Context) (*dbus.Conn, error) {
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); address == "" && filepath.IsAbs(dir) {
		address = "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))
	}
	if address == "" || address == "autolaunch:" {
		return nil, fmt.Errorf("no session bus: %w", ErrAbsent)
	}
	return dial(ctx, address)
}

// dial connects for as long as ctx lives.
func dial(ctx context.Context, address string) (*dbus.Conn, error) {
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("no bus: %w: %w", ErrAbsent, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", ctx.Err())
	}
	return conn, nil
}

// refused makes an error of a service's answer: that nobody of that name is on
// the bus, or that it does not know the question, is absence.
func refused(err error) error {
	var answer dbus.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Name {
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.UnknownInterface",
		"org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.DBus.Error.UnknownProperty":
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return err
}
