package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// longestSpec bounds what is looked at, in bytes.
const longestSpec = 256

// names are the descriptors that stand for five fields.
var names = strings.Fields("@hourly @daily @midnight @weekly @monthly @yearly @annually")

// cutZone takes CRON_TZ= or TZ= off the front. The zone is nil if there is none.
func cutZone(spec string) (zone *time.Location, rest string, err error) {
	rest = strings.TrimSpace(spec)
	name, ok := strings.CutPrefix(rest, "CRON_TZ=")
	if !ok {
		name, ok = strings.CutPrefix(rest, "TZ=")
	}
	if !ok {
		return nil, rest, nil
	}
	const like = `write it like "CRON_TZ=Europe/Berlin 0 3 * * *"`
	end := strings.IndexFunc(name, func(r rune) bool { return r == ' ' || r == '\t' })
	if end < 0 {
		return nil, "", wrong(spec, like, "has a time zone and no times")
	}
	if end == 0 {
		return nil, "", wrong(spec, like, "names no time zone")
	}
	zone, err = time.LoadLocation(name[:end])
	if err != nil {
		return nil, "", wrong(spec, `take a name as in /usr/share/zoneinfo, like "Europe/Berlin" or "UTC"`, "names a time zone that this machine does not know: %.40q", name[:end])
	}
	return zone, strings.TrimSpace(name[end:]), nil
}

// parseEvery reads the interval of @every.
func parseEvery(spec, length string) (time.Duration, error) {
	const like = `write it like "@every 2h" or "@every 90m"`
	if length == "" {
		return 0, wrong(spec, like, "has no interval")
	}
	d, err := time.ParseDuration(length)
	switch {
	case err != nil && strings.ContainsAny(length, "dw"):
		return 0, wrong(spec, `count in hours: "@every 48h" is two days`, "has an interval that cannot be read: %.40q", length)
	case err != nil:
		return 0, wrong(spec, like, "has an interval that cannot be read: %.40q", length)
	case d < MinEvery:
		return 0, wrong(spec, like, "has an interval below one minute")
	case d > MaxEvery:
		return 0, wrong(spec, `write "@yearly" or less`, "has an interval of more than a year")
	case d%time.Second != 0:
		return 0, wrong(spec, like, "has an interval with a fraction of a second")
	}
	return d, nil
}

// A field is one of the five.
type field struct {
	name     string
	min, max int
	words    []string // names of the values from min on
}

var fields = []field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{"day of week", 0, 6, strings.Fields("sun mon tue wed thu fri sat")},
}

// checkFields looks for what the library takes for something else, or refuses
// without a remedy, and returns the text for it.
func checkFields(spec, text string) (string, error) {
	given := strings.Fields(strings.ToLower(text))
	switch n := len(given); {
	case n == 0:
		return "", wrong(spec, `write it like "30 12 * * 1-5" or "@daily"`, "is empty")
	case n == 6:
		return "", wrong(spec, fmt.Sprintf("leave the seconds out: %q", strings.Join(given[1:], " ")), "has six fields")
	case n != len(fields):
		return "", wrong(spec, "it needs five: minute, hour, day of month, month, day of week", "has %s", count(n, "field"))
	}
	for i, f := range fields {
		parts := strings.Split(given[i], ",")
		for j, part := range parts {
			plain, err := f.check(spec, part)
			if err != nil {
				return "", err
			}
			parts[j] = plain
		}
		given[i] = strings.Join(parts, ",")
	}
	return strings.Join(given, " "), nil
}

// check reads one element of a field's list: a value, a range, or a star, and
// perhaps a step. It returns what the library understands by it.
func (f field) check(spec, part string) (string, error) {
	span, stepText, stepped := strings.Cut(part, "/")
	if span == "" {
		return "", wrong(spec, "take the stray comma or slash out", "has an empty value in the %s field", f.name)
	}
	first, last, err := f.span(spec, span, stepped)
	if err != nil {
		return "", err
	}
	step := 1
	if stepped {
		if step, err = f.step(spec, part, stepText, last-first); err != nil {
			return "", err
		}
	}
	if f.max == 6 && last == 7 {
		return sundays(first, step), nil
	}
	return part, nil
}

// span reads what stands before a step. The end of Sunday is 7, whether it was
// written as 7 or by name.
func (f field) span(spec, text string, stepped bool) (first, last int, err error) {
	from, to, ranged := strings.Cut(text, "-")
	if (from == "*" || from == "?") && !ranged {
		return f.min, f.max, nil
	}
	if first, err = f.value(spec, from); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		if last, err = f.value(spec, to); err != nil {
			return 0, 0, err
		}
		if f.max == 6 && to == "sun" && first > 0 {
			last = 7
		}
	case stepped: // 5/10 is from 5 on
		last = f.max
	default:
		last = first
	}
	if first > last && first <= f.max {
		return 0, 0, wrong(spec, fmt.Sprintf("write %d-%d,%d-%d", first, f.max, f.min, last),
			"has a range that runs backwards in the %s field: %q", f.name, text)
	}
	if first > last {
		return 0, 0, wrong(spec, "name the days one by one", "has a range that begins with 7 in the %s field: %q", f.name, text)
	}
	return first, last, nil
}

// value reads one number or name.
func (f field) value(spec, text string) (int, error) {
	for i, word := range f.words {
		if text == word {
			return f.min + i, nil
		}
	}
	if hint := f.foreign(text); hint != "" {
		return 0, wrong(spec, hint, "has a %q in the %s field, which is not known here", text, f.name)
	}
	n, err := strconv.Atoi(text)
	top := f.max
	if f.max == 6 {
		top = 7
	}
	switch {
	case err != nil || text[0] == '+' || text[0] == '-':
		return 0, wrong(spec, fmt.Sprintf("it takes numbers from %d to %d%s", f.min, f.max, f.orNames()), "has a %.20q in the %s field", text, f.name)
	case n < f.min || n > top:
		return 0, wrong(spec, fmt.Sprintf("it takes %d to %d%s", f.min, f.max, f.orNames()), "has %d in the %s field", n, f.name)
	}
	return n, nil
}

// foreign returns what to write for a token of other schedulers, or "".
func (f field) foreign(text string) string {
	switch {
	case text == "":
		return "a range needs both ends"
	case text == "*" || text == "?":
		return "a star stands alone, or before a step: */2"
	case text == "h" || strings.HasPrefix(text, "h("):
		return "choose a time; the jitter setting spreads it"
	case f.name == "day of month" && strings.HasPrefix(text, "l"):
		return "for the end of a month write 28, the last day that every month has, or 1 for the day after"
	case f.name == "day of month" && strings.HasSuffix(text, "w"):
		return `for weekdays write "1-5" as day of week`
	case f.name == "day of week" && (strings.HasSuffix(text, "l") || strings.Contains(text, "#")):
		return "it takes days of every week; name days of the month instead"
	}
	return ""
}

func (f field) orNames() string {
	if f.words == nil {
		return ""
	}
	return ", or " + f.words[0] + " to " + f.words[len(f.words)-1]
}

// step reads what stands behind a slash. A step that leaves one value only was
// meant as something else: */90 is not each 90 minutes, but each hour.
func (f field) step(spec, part, text string, width int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || text[0] == '+' {
		return 0, wrong(spec, "a step is a number: */2", "has a step that is none in the %s field: %.20q", f.name, part)
	}
	if n <= width {
		return n, nil
	}
	hint := "write the one value"
	if f.name == "minute" || f.name == "hour" {
		hint = `for an interval write "@every 90m" or "@every 36h"`
	}
	return 0, wrong(spec, hint, "has a step wider than its range in the %s field: %.20q", f.name, part)
}

// sundays lists the days from first to 7, which is Sunday, by step.
func sundays(first, step int) string {
	var days []string
	for d := first; d <= 7; d += step {
		days = append(days, strconv.Itoa(d%7))
	}
	return strings.Join(days, ",")
}

// count is "1 field", "2 fields".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
