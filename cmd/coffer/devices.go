package main

import (
	"fmt"
	"strings"

	"coffer/vault/trust"
)

// findDevice resolves the ID, its beginning, or the label of a device; "" is none.
func findDevice(t *trust.Trust, s string) (trust.DeviceID, error) {
	if s == "" {
		return "", nil
	}
	var hits []trust.DeviceID
	for _, dev := range t.Devices {
		if string(dev.ID) == s {
			return dev.ID, nil
		}
		if len(s) >= 4 && strings.HasPrefix(string(dev.ID), s) || dev.Label == s && dev.Until == nil {
			hits = append(hits, dev.ID)
		}
	}
	const hint = "coffer enrol --kit FILE --replace list  shows all"
	switch len(hits) {
	case 0:
		return "", usagef(hint, "--replace %q: the vault has no such device", s)
	case 1:
		return hits[0], nil
	}
	return "", usagef(hint, "--replace %q: %d devices of the vault answer to it", s, len(hits))
}

func (d *door) listDevices(t *trust.Trust) error {
	for _, dev := range t.Devices {
		standing := "active"
		if dev.Until != nil {
			standing = "replaced or revoked"
		}
		if d.json {
			d.emit("device", map[string]any{"device": string(dev.ID), "label": dev.Label, "active": dev.Until == nil})
			continue
		}
		fmt.Fprintf(d.out, "%s  %-20s  %s\n", dev.ID, safeName(dev.Label), standing)
	}
	return nil
}
