package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// cronForms says how a schedule is written.
const cronForms = `write it like "@daily" or "30 2 * * *" (minute hour day month weekday), or "off"`

// cronNames are the short forms of schedules.
var cronNames = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}

// parseCron has a schedule checked, and looks at its form itself, so that
// nobody is given one that a parser may panic at. "off" becomes "".
func (k Checks) parseCron(s string) (string, error) {
	if s == "off" {
		return "", nil
	}
	if k.Cron != nil {
		err := k.Cron(s)
		if m, ok := errors.AsType[*mistake](err); ok {
			return "", wrong(cmp.Or(m.hint, cronForms), "%.80q %s", s, m.what)
		}
		if err != nil {
			return "", wrong(cronForms, "%.80q cannot be: %v", s, err)
		}
	}
	spec, err := cutZone(s)
	if err != nil {
		return "", err
	}
	return s, cronForm(spec)
}

// cutZone takes the zone off the front of a schedule. A parser of schedules
// may panic at a zone with nothing behind it.
func cutZone(s string) (spec string, err error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(s, "CRON_"), "TZ=")
	if !ok {
		return s, nil
	}
	zone, spec, found := strings.Cut(rest, " ")
	if !found || strings.TrimSpace(spec) == "" {
		return "", wrong(`write it like "TZ=Europe/Paris 30 2 * * *"`, "%.80q has a zone and no schedule", s)
	}
	if _, err := parseZone(zone); err != nil {
		return "", err
	}
	return spec, nil
}

// cronForm looks at a schedule without its zone.
func cronForm(s string) error {
	fields := strings.Fields(s)
	switch {
	case strings.HasPrefix(s, "@every "):
		d, err := time.ParseDuration(strings.TrimPrefix(s, "@every "))
		if err != nil || d < time.Minute {
			return wrong(`write it like "@every 90m" or "@every 36h", at least 1m`, "%.80q is not a schedule", s)
		}
	case s == "@reboot":
		return wrong("what was missed is caught up at the start anyway", "there is no schedule %q", s)
	case strings.HasPrefix(s, "@"):
		if !slices.Contains(cronNames, s) {
			return wrong(cmp.Or(didYouMean(s, cronNames), cronForms), "there is no schedule %.40q", s)
		}
	case len(fields) != 5:
		return wrong(cronForms, "%.80q has %s and not five", s, count(len(fields), "field"))
	}
	return nil
}

// count says how many.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// parseZone reads the name of a time zone.
func parseZone(s string) (string, error) {
	const like = `write it like "Europe/Paris" or "UTC"`
	switch {
	case strings.Contains(s, "TZ="):
		return "", wrong(like, "%.80q is not the name of a time zone alone", s)
	case s == "" || s == "Local":
		return "", wrong(like+", or leave it out for the system's", "%q is not the name of a time zone", s)
	}
	if _, err := time.LoadLocation(s); err != nil {
		return "", wrong(like, "this machine knows no time zone %.80q", s)
	}
	return s, nil
}
