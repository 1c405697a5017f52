package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"coffer/vault"
	"coffer/vault/trust"
)

// findDevice resolves what --replace says; "" is none.
func findDevice(t *trust.Trust, s string) (trust.DeviceID, error) {
	if s == "" {
		return "", nil
	}
	dev, n := deviceLike(t, s)
	const hint = "coffer enrol --kit FILE --replace list  shows all"
	switch n {
	case 0:
		return "", usagef(hint, "--replace %q: the vault has no such device", s)
	case 1:
		return dev.ID, nil
	}
	return "", usagef(hint, "--replace %q: %d devices of the vault answer to it", s, n)
}

// deviceNamed resolves a device that is named on the command line.
func deviceNamed(t *trust.Trust, s string) (*trust.Device, error) {
	dev, n := deviceLike(t, s)
	const hint = "coffer device list  shows all"
	switch n {
	case 0:
		return nil, usagef(hint, "the vault has no device %q", s)
	case 1:
		return dev, nil
	}
	return nil, usagef(hint, "%d devices of the vault answer to %q", n, s)
}

// deviceLike finds a device by its ID, its beginning, or its label, and tells
// how many answer to it. Labels are those of devices in good standing.
func deviceLike(t *trust.Trust, s string) (*trust.Device, int) {
	var hit *trust.Device
	n := 0
	for i := range t.Devices {
		dev := &t.Devices[i]
		if string(dev.ID) == s {
			return dev, 1
		}
		if len(s) >= 4 && strings.HasPrefix(string(dev.ID), s) || dev.Label == s && dev.Until == nil {
			hit = dev
			n++
		}
	}
	return hit, n
}

// listDevices prints the devices of a vault, in the order in which they came.
// Machines of one make have one name: which is which shows in what they last
// stored, and own is this one.
func (d *door) listDevices(ctx context.Context, v *vault.Vault, own trust.DeviceID) error {
	newest := map[trust.DeviceID]time.Time{}
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if t := s.Time(); t.After(newest[s.Name.Device]) {
			newest[s.Name.Device] = t
		}
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, dev := range v.Trust().Devices {
		if d.json {
			d.emit("device", deviceJSON(dev, newest[dev.ID], own))
			continue
		}
		last := "no snapshot"
		if t := newest[dev.ID]; !t.IsZero() {
			last = "newest snapshot " + timeText(t) + " (" + ageText(t) + ")"
		}
		if dev.ID == own {
			last += ", this machine"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", dev.ID, safeName(dev.Label), strings.Join(roleNames(dev.Roles), ","), deviceStanding(dev), last)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := d.out.Write(table.Bytes())
	return err
}

func deviceStanding(dev trust.Device) string {
	if dev.Until != nil {
		return "replaced or revoked"
	}
	return "active"
}

func deviceJSON(dev trust.Device, newest time.Time, own trust.DeviceID) map[string]any {
	m := map[string]any{
		"device": string(dev.ID), "label": dev.Label, "active": dev.Until == nil, "roles": roleNames(dev.Roles),
		"newest": timeOrNil(newest), "this": dev.ID == own,
	}
	if dev.Until != nil {
		m["until"] = dev.Until.Seq
	}
	return m
}

func roleNames(roles []trust.Role) []string {
	var out []string
	for _, r := range roles {
		out = append(out, string(r))
	}
	return out
}
