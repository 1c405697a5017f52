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

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "10m": 10 * time.Minute, "26h": 26 * time.Hour, "3d": 72 * time.Hour, "1h30m": 90 * time.Minute, "0s": 0,
		"1d2h3m4s": 26*time.Hour + 3*time.Minute + 4*time.Second, "9999d": 9999 * day, "9998d24h": 9999 * day, "007m": 7 * time.Minute,
	} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("%q gives %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "10", "10 m", "1m1h", "1m1m", "-1m", "+1m", "10000s", "9999d1s", "1.5h", "3w", "1y", "5M", "10min", "1ms", "٣m",
		"99999999999999999999s"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "90m": 90 * time.Minute, "26h": 26 * time.Hour, "3d": 72 * time.Hour, "2h46m41s": 10001 * time.Second,
		"9998d23h59m59s": 9999*day - time.Second,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestParsePrice(t *testing.T) {
	for text, want := range map[string]Price{
		"6.00 USD": {6e6, "USD"}, "6 EUR": {6e6, "EUR"}, "0.000001 €": {1, "€"}, "5.99 kr": {5990000, "kr"}, "999999999.999999 JPY": {999999999999999, "JPY"},
		"4.1 USD": {4100000, "USD"},
	} {
		if got, err := ParsePrice(text); got != want || err != nil {
			t.Errorf("%q gives %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "6", "6.00", "USD", "$6", "6USD", "6.  USD", "6. USD", ".5 USD", "-6 USD", "0 USD", "0.000000 USD", "1.0000001 USD",
		"1e3 USD", "1,50 EUR", "6 US Dollars", "6 DollarsUS1", "1000000000 USD"} {
		if got, err := ParsePrice(text); err == nil {
			t.Errorf("%q is accepted as %+v", text, got)
		}
	}
	if got := (Price{4100000, "USD"}).String(); got != "4.10 USD" {
		t.Errorf("shown as %q", got)
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
		if got := Nearest(name, known); got != want {
			t.Errorf("%q is near %q, want %q", name, got, want)
		}
	}
}
