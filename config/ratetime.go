package config

import (
	"fmt"
	"regexp"
	"strconv"
)

// A RateTime is a limit for a time of day. In text it is "08:00-18:00 2MiB/s".
type RateTime struct {
	From int // minute of the day, from 0
	To   int // minute of the day at which it ends, to 1440; less than From if midnight is between
	Rate Rate
}

const minutesOfDay = 24 * 60

// Holds reports whether t holds at this minute of the day.
func (t RateTime) Holds(minute int) bool {
	if t.From < t.To {
		return t.From <= minute && minute < t.To
	}
	return t.From <= minute || minute < t.To
}

// overlaps reports whether there is a minute at which both hold. Such a minute
// is the first of one of them.
func (t RateTime) overlaps(u RateTime) bool { return t.Holds(u.From) || u.Holds(t.From) }

// UploadAt returns the limit at a minute of the day.
func (v Vault) UploadAt(minute int) Rate { return rateAt(v.UploadTimes, minute, v.UploadLimit) }

// DownloadAt returns the limit at a minute of the day.
func (v Vault) DownloadAt(minute int) Rate { return rateAt(v.DownloadTimes, minute, v.DownloadLimit) }

func rateAt(times []RateTime, minute int, otherwise Rate) Rate {
	for _, t := range times {
		if t.Holds(minute) {
			return t.Rate
		}
	}
	return otherwise
}

var rateTimeForm = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2}) (.+)$`)

// parseRateTime reads an item of upload-times or download-times.
func parseRateTime(s string, before []RateTime) (RateTime, error) {
	const like = `write it like "08:00-18:00 2MiB/s" or "22:00-06:00 unlimited"`
	m := rateTimeForm.FindStringSubmatch(s)
	if m == nil {
		return RateTime{}, wrong(like, "%.80q is not a time of day with a rate", s)
	}
	from, ok := minuteOf(m[1], m[2])
	to, okTo := minuteOf(m[3], m[4])
	switch {
	case !ok || !okTo || from == minutesOfDay:
		return RateTime{}, wrong("from 00:00 to 24:00", "%.80q has a time that no day has", s)
	case from == to:
		return RateTime{}, wrong("for the whole day, set the limit itself", "%.80q ends when it begins", s)
	}
	rate, err := ParseRate(m[5])
	if err != nil {
		return RateTime{}, err
	}
	t := RateTime{from, to, rate}
	for _, b := range before {
		if b.overlaps(t) {
			return RateTime{}, wrong("end one before the other begins", "%.80q overlaps with %q", s, b)
		}
	}
	return t, nil
}

// minuteOf makes a minute of the day of two numbers.
func minuteOf(hours, minutes string) (minute int, ok bool) {
	h, errH := strconv.Atoi(hours)
	m, errM := strconv.Atoi(minutes)
	minute = h*60 + m
	return minute, errH == nil && errM == nil && m < 60 && minute <= minutesOfDay
}

// String returns the text that the file has for t.
func (t RateTime) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d %s", t.From/60, t.From%60, t.To/60, t.To%60, t.Rate)
}
