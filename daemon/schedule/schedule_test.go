package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func parse(t testing.TB, spec, zone string) Schedule {
	t.Helper()
	s, err := Parse(spec, loadZone(t, zone))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04"} {
		if v, err := time.Parse(layout, text); err == nil {
			return v
		}
	}
	t.Fatalf("%q is no time", text)
	return time.Time{}
}

// Every mistake is told with what to do about it.
func TestParseMistakes(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"", `schedule "" is empty; write it like "30 12 * * 1-5" or "@daily"`},
		{"  ", `schedule "  " is empty; write it like "30 12 * * 1-5" or "@daily"`},
		{"daily", `schedule "daily" has 1 field; it needs five: minute, hour, day of month, month, day of week`},
		{"0 3 * *", `schedule "0 3 * *" has 4 fields; it needs five: minute, hour, day of month, month, day of week`},
		{"0 0 3 * * *", `schedule "0 0 3 * * *" has six fields; leave the seconds out: "0 3 * * *"`},
		{"0 3 L * *", `schedule "0 3 L * *" has a "l" in the day of month field, which is not known here; for the end of a month write 28, the last day that every month has, or 1 for the day after`},
		{"0 3 15W * *", `schedule "0 3 15W * *" has a "15w" in the day of month field, which is not known here; for weekdays write "1-5" as day of week`},
		{"0 3 * * 5#2", `schedule "0 3 * * 5#2" has a "5#2" in the day of week field, which is not known here; it takes days of every week; name days of the month instead`},
		{"H 3 * * *", `schedule "H 3 * * *" has a "h" in the minute field, which is not known here; choose a time; the jitter setting spreads it`},
		{"@reboot", `schedule "@reboot" is not known here; a time missed while the machine was off is caught up after it starts: write "@daily", or "@every 2h"`},
		{"@fortnightly", `schedule "@fortnightly" is not known here; write "@hourly", "@daily", "@weekly", "@monthly", "@yearly" or "@every 2h"`},
		{"0 22-6 * * *", `schedule "0 22-6 * * *" has a range that runs backwards in the hour field: "22-6"; write 22-23,0-6`},
		{"0 0 * * fri-mon", `schedule "0 0 * * fri-mon" has a range that runs backwards in the day of week field: "fri-mon"; write 5-6,0-1`},
		{"0 0 * * 7-2", `schedule "0 0 * * 7-2" has a range that begins with 7 in the day of week field: "7-2"; name the days one by one`},
		{"0 0 30 2 *", `schedule "0 0 30 2 *" is never due: no month that it names has such a day; day 28 is the last that every month has`},
		{"0 0 31 4,6,9,11 *", `schedule "0 0 31 4,6,9,11 *" is never due: no month that it names has such a day; day 28 is the last that every month has`},
		{"60 * * * *", `schedule "60 * * * *" has 60 in the minute field; it takes 0 to 59`},
		{"0 24 * * *", `schedule "0 24 * * *" has 24 in the hour field; it takes 0 to 23`},
		{"0 0 0 * *", `schedule "0 0 0 * *" has 0 in the day of month field; it takes 1 to 31`},
		{"0 0 * * 8", `schedule "0 0 * * 8" has 8 in the day of week field; it takes 0 to 6, or sun to sat`},
		{"0 0 * may-foo *", `schedule "0 0 * may-foo *" has a "foo" in the month field; it takes numbers from 1 to 12, or jan to dec`},
		{"-5 * * * *", `schedule "-5 * * * *" has a "" in the minute field, which is not known here; a range needs both ends`},
		{"*-5 * * * *", `schedule "*-5 * * * *" has a "*" in the minute field, which is not known here; a star stands alone, or before a step: */2`},
		{"0, * * * *", `schedule "0, * * * *" has an empty value in the minute field; take the stray comma or slash out`},
		{", * * * *", `schedule ", * * * *" has an empty value in the minute field; take the stray comma or slash out`},
		{"*/0 * * * *", `schedule "*/0 * * * *" has a step that is none in the minute field: "*/0"; a step is a number: */2`},
		{"*/1/2 * * * *", `schedule "*/1/2 * * * *" has a step that is none in the minute field: "*/1/2"; a step is a number: */2`},
		{"*/90 * * * *", `schedule "*/90 * * * *" has a step wider than its range in the minute field: "*/90"; for an interval write "@every 90m" or "@every 36h"`},
		{"0 0 */31 * *", `schedule "0 0 */31 * *" has a step wider than its range in the day of month field: "*/31"; write the one value`},
		{"@every", `schedule "@every" has no interval; write it like "@every 2h" or "@every 90m"`},
		{"@every 30s", `schedule "@every 30s" has an interval below one minute; write it like "@every 2h" or "@every 90m"`},
		{"@every -2h", `schedule "@every -2h" has an interval below one minute; write it like "@every 2h" or "@every 90m"`},
		{"@every 1d", `schedule "@every 1d" has an interval that cannot be read: "1d"; count in hours: "@every 48h" is two days`},
		{"@every 2 hours", `schedule "@every 2 hours" has an interval that cannot be read: "2 hours"; write it like "@every 2h" or "@every 90m"`},
		{"@every 61.5s", `schedule "@every 61.5s" has an interval with a fraction of a second; write it like "@every 2h" or "@every 90m"`},
		{"@every 10000h", `schedule "@every 10000h" has an interval of more than a year; write "@yearly" or less`},
		{"TZ=", `schedule "TZ=" has a time zone and no times; write it like "CRON_TZ=Europe/Berlin 0 3 * * *"`},
		{"TZ=Europe/Paris", `schedule "TZ=Europe/Paris" has a time zone and no times; write it like "CRON_TZ=Europe/Berlin 0 3 * * *"`},
		{"TZ= 0 3 * * *", `schedule "TZ= 0 3 * * *" names no time zone; write it like "CRON_TZ=Europe/Berlin 0 3 * * *"`},
		{"CRON_TZ=Berlin 0 3 * * *", `schedule "CRON_TZ=Berlin 0 3 * * *" names a time zone that this machine does not know: "Berlin"; take a name as in /usr/share/zoneinfo, like "Europe/Berlin" or "UTC"`},
		{"TZ=../../etc/passwd 0 3 * * *", `schedule "TZ=../../etc/passwd 0 3 * * *" names a time zone that this machine does not know: "../../etc/passwd"; take a name as in /usr/share/zoneinfo, like "Europe/Berlin" or "UTC"`},
		{strings.Repeat("1,", 200) + "1 * * * *", `schedule "` + strings.Repeat("1,", 20) + `..." is longer than 256 bytes`},
	} {
		err := Check(c.spec)
		if e, ok := errors.AsType[*SpecError](err); !ok || e.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.spec, err, c.want)
		}
	}
}

// What different texts mean is told by their first times after a Saturday.
func TestParseMeans(t *testing.T) {
	const from = "2027-01-02 12:00"
	for _, c := range []struct{ spec, want string }{
		{"@hourly", "02 13:00, 02 14:00, 02 15:00"},
		{"@daily", "03 00:00, 04 00:00, 05 00:00"},
		{"@Midnight", "03 00:00, 04 00:00, 05 00:00"},
		{"@weekly", "03 00:00, 10 00:00, 17 00:00"},
		{"0 3 * * 7", "03 03:00, 10 03:00, 17 03:00"},
		{"0 3 * * SUN", "03 03:00, 10 03:00, 17 03:00"},
		{"0 3 * * 5-7", "03 03:00, 08 03:00, 09 03:00"},
		{"0 3 * * fri-sun", "03 03:00, 08 03:00, 09 03:00"},
		{"0 3 * * 0-7/2", "03 03:00, 05 03:00, 07 03:00"},
		{"0 3 * * 1-7/2", "03 03:00, 04 03:00, 06 03:00"},
		{"0 3 ? * 7,6", "03 03:00, 09 03:00, 10 03:00"},
		{"  0   3\t* jan 0 ", "03 03:00, 10 03:00, 17 03:00"},
		{"20 14/4 * * *", "02 14:20, 02 18:20, 02 22:20"},
		{"CRON_TZ=Asia/Kolkata 0 3 * * *", "02 21:30, 03 21:30, 04 21:30"},
		{"TZ=America/New_York @daily", "03 05:00, 04 05:00, 05 05:00"},
		{"TZ=UTC @every 1h", "02 13:00, 02 14:00, 02 15:00"},
		{"@every 90m", "02 13:30, 02 15:00, 02 16:30"},
	} {
		var got []string
		for _, due := range Upcoming(parse(t, c.spec, "UTC"), at(t, from), 3) {
			got = append(got, due.UTC().Format("02 15:04"))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%q: got %s, want %s", c.spec, s, c.want)
		}
	}
}

// The rule where the clocks change, once in plain times of day.
func TestNextWhereClocksChange(t *testing.T) {
	for _, c := range []struct{ spec, from, want string }{
		{"30 2 * * *", "2026-03-28 12:00", "29 03:00 +0200, 30 02:30 +0200"},                       // skipped: after the gap
		{"0,30 2-3 * * *", "2026-03-28 12:00", "29 03:00 +0200, 29 03:30 +0200"},                   // several: once
		{"30 2 * * *", "2026-10-24 12:00", "25 02:30 +0200, 26 02:30 +0100"},                       // twice: the first time
		{"30 * * * *", "2026-03-29 00:00", "29 01:30 +0100, 29 03:30 +0200"},                       // an hour later
		{"30 * * * *", "2026-10-25 00:00", "25 02:30 +0200, 25 02:30 +0100"},                       // an hour later
		{"30 1,3 * * *", "2026-10-24 23:00", "25 01:30 +0200, 25 03:30 +0100"},                     // neither in the fold
		{"CRON_TZ=Europe/London 30 1 * * *", "2026-03-28 12:00", "29 02:00 +0100, 30 01:30 +0100"}, // its own zone
	} {
		var got []string
		for _, due := range Upcoming(parse(t, c.spec, "Europe/Berlin"), at(t, c.from), 2) {
			got = append(got, due.Format("02 15:04 -0700"))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%q from %s: got %s, want %s", c.spec, c.from, s, c.want)
		}
	}
}

func TestNextFarAway(t *testing.T) {
	leap := parse(t, "0 0 29 2 *", "UTC")
	for from, want := range map[string]string{"2026-01-01 00:00": "2028-02-29 00:00", "2096-03-01 00:00": "2104-02-29 00:00"} {
		if got := leap.Next(at(t, from)); !got.Equal(at(t, want)) {
			t.Errorf("after %s comes %v, want %s", from, got, want)
		}
	}
	if got := (Schedule{}).Next(at(t, "2026-01-01 00:00")); !got.IsZero() {
		t.Errorf("no schedule is due at %v", got)
	}
}

// FuzzParse holds that no text panics or hangs, that what is accepted has a
// next time that lies ahead, and that its text means the same again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"0 3 * * *", "*/15 8-18 * * 1-5", "@daily", "@every 2h", "CRON_TZ=Europe/Berlin 30 2 * * 7", "TZ=", "TZ=UTC",
		"0 0 30 2 *", "0 0 29 2 *", "0 22-6 * * *", "*-5 * * * *", ",,, * * * *", "0 0 L * *", "@reboot", "@EverY", "1/2/3 - / ? ?", "0 0 * * sun-sun",
	} {
		f.Add(s)
	}
	loc := loadZone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := Parse(spec, loc)
		if err != nil {
			if _, ok := errors.AsType[*SpecError](err); !ok || s != (Schedule{}) {
				t.Errorf("%q: %v and %v", spec, s, err)
			}
			return
		}
		again, err := Parse(s.String(), loc)
		if err != nil {
			t.Fatalf("%q is shown as %q: %v", spec, s, err)
		}
		from := at(t, "2026-03-28 12:00")
		for range 3 {
			next := s.Next(from)
			if !next.After(from) || !again.Next(from).Equal(next) {
				t.Fatalf("%q: after %v comes %v; %q: %v", spec, from, next, again, again.Next(from))
			}
			from = next
		}
	})
}
