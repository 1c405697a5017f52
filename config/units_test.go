package config

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"1B": 1, "10MB": 10e6, "5MiB": 5 << 20, "5 MiB": 5 << 20, "1.5GiB": 3 << 29, "0.25kB": 250, "2TB": 2e12, "1KB": 1000,
		"1.000001TiB": 1<<40 + 1<<40/1000000, "8388606TiB": 8388606 << 40,
	} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%q gives %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "MB", "-1MB", "+1MB", "1e3MB", ".5MB", "5.MB", "1.0000001MB", "0MB", "0.4B",
		"5mb", "5  MB", " 5MB", "5MB ", "8388608TiB", "99999999999999999999B", "٣MB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is accepted as %d", text, got)
		}
	}
}

func TestSizeString(t *testing.T) {
	for want, n := range map[string]Size{
		"0B": 0, "1B": 1, "1023B": 1023, "1KiB": 1024, "1kB": 1000, "1536KiB": 3 << 19, "5MiB": 5 << 20, "10MB": 10e6, "1TiB": 1 << 40,
	} {
		if got := n.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(n), got, want)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"unlimited": 0, "1KiB/s": 1024, "5MiB/s": 5 << 20, "10MB/s": 10e6, "40Mbit/s": 5e6, "1Gbit/s": 125e6, "100 kbit/s": 12500,
		"0.5Mbit/s": 62500,
	} {
		if got, err := ParseRate(text); got != want || err != nil {
			t.Errorf("%q gives %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5MiB", "5/s", "/s", "1B/s", "1023B/s", "8Mb/s", "8Mbps", "Unlimited", "0MiB/s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("%q is accepted as %d", text, got)
		}
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]Span{
		"30d": {Days: 30}, "12h": {Hours: 12}, "2y5m7d3h": {2, 5, 7, 3}, "1y1h": {Years: 1, Hours: 1}, "9999d": {Days: 9999},
		"007d": {Days: 7}, "0y1d": {Days: 1},
	} {
		if got, err := ParseSpan(text); got != want || err != nil {
			t.Errorf("%q gives %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "30", "30 d", "1d1d", "1h1d", "-1d", "10000d", "1.5d", "3w", "0h", "1D",
		"99999999999999999999d"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q is accepted as %+v", text, got)
		}
	}
}

func TestSpanBefore(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// The clocks went forward on 29 March 2026: the day before has 23 hours.
	at := time.Date(2026, 3, 29, 12, 0, 0, 0, berlin)
	for text, want := range map[string]time.Time{
		"1d":     time.Date(2026, 3, 28, 12, 0, 0, 0, berlin),
		"24h":    time.Date(2026, 3, 28, 11, 0, 0, 0, berlin),
		"1y2m3d": time.Date(2025, 1, 26, 12, 0, 0, 0, berlin),
	} {
		d, err := ParseSpan(text)
		if got := d.Before(at); err != nil || !got.Equal(want) {
			t.Errorf("%s before is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"paths", "vault", "one-file-system", "exclude", "tags"}
	for name, want := range map[string]string{
		"path": "paths", "pahts": "paths", "PATHS": "paths", "volt": "", "vautl": "vault", "onefilesystem": "one-file-system",
		"excludes": "exclude", "tag": "tags", "x": "", "": "", "include": "exclude",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q is near %q, want %q", name, got, want)
		}
	}
}
