package main

import (
	"testing"
	"time"

	"coffer/config"
)

// The limit of a time of day holds by the config's clock, not the machine's.
func TestRatesAt(t *testing.T) {
	c, err := config.Parse([]byte(`timezone = "Asia/Tokyo"
[vault.home]
remote = "s3:https://s3.example.com/backups"
upload-limit = "4MiB/s"
upload-times = ["08:00-18:00 1MiB/s", "22:00-02:00 unlimited"]
download-times = ["09:30-09:31 2MiB/s"]
`), "coffer.toml")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{zone: zoneOf(c)}
	for _, x := range []struct {
		utc      string
		up, down int64
	}{
		{"2026-06-01T22:59:59Z", 4 << 20, 0}, // 07:59 in Tokyo
		{"2026-06-01T23:00:00Z", 1 << 20, 0},
		{"2026-06-02T00:30:00Z", 1 << 20, 2 << 20},
		{"2026-06-02T09:00:00Z", 4 << 20, 0},
		{"2026-06-02T13:00:00Z", 0, 0}, // unlimited, over midnight
		{"2026-06-02T16:59:00Z", 0, 0},
		{"2026-06-02T17:00:00Z", 4 << 20, 0},
	} {
		at, err := time.Parse(time.RFC3339, x.utc)
		if err != nil {
			t.Fatal(err)
		}
		if up, down := d.ratesAt(c.Vaults[0], at); up != x.up || down != x.down {
			t.Errorf("%s: up %d, down %d; want %d, %d", x.utc, up, down, x.up, x.down)
		}
	}
}
