package main

import (
	"testing"
	"time"

	"coffer/config"
	"coffer/daemon/schedule"
)

// A look that comes late reads the more, so that all is read in time.
func TestPartOf(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for _, c := range []struct {
		since     time.Duration
		low, high float64
	}{
		{24 * time.Hour, 100.0 / 30, 4}, {10 * 24 * time.Hour, 100.0 / 3, 36}, {60 * 24 * time.Hour, 100, 100},
		{0, 0.001, 0.001}, {-time.Hour, 0.001, 0.001},
	} {
		if got := partOf(c.since, month); got < c.low || got > c.high {
			t.Errorf("after %s: %.3f %%", c.since, got)
		}
	}
}

// Where the config names no age, a schedule's own pauses are no alarm.
func TestMaxAge(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for spec, want := range map[string]time.Duration{
		"@hourly": 26 * time.Hour, "@daily": 26 * time.Hour, "@weekly": 7*24*time.Hour + 2*time.Hour, "0 9-18 * * 1-5": 65 * time.Hour,
	} {
		s, err := schedule.Parse(spec, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if got := maxAge(config.Conditions{}, s, now); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
		if got := maxAge(config.Conditions{MaxAge: time.Hour}, s, now); got != time.Hour {
			t.Errorf("%s: the config's own age gives %s", spec, got)
		}
	}
}

// Locks are extended by somebody: by the scheduled prune, or else for
// themselves.
func TestLocksAreExtended(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "object-lock = \"30d\"\n": "@daily", "object-lock = \"30d\"\nschedule.prune = \"@weekly\"\n": "",
	} {
		c, err := config.Parse([]byte("[vault.home]\nremote = \"s3:https://s3.example.com/backups\"\n"+text), "coffer.toml")
		if err != nil {
			t.Fatal(err)
		}
		if got := locksSchedule(c.Vaults[0]); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
