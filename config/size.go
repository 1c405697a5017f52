package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Size is a number of bytes. In text it has a unit: 10MB, 5MiB, 1.5GiB.
type Size int64

// A Rate is a number of bytes per second; zero means no limit. In text it is a
// size per second, bits per second, or "unlimited": 5MiB/s, 40Mbit/s.
type Rate int64

// minRate is the lowest limit that makes sense: below it a single pack takes
// longer than any remote waits.
const minRate = 1 << 10

// A unit is what stands behind a number.
type unit struct {
	name string
	size int64
}

// sizeUnits stand in the order in which String prefers them.
var sizeUnits = []unit{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// bitUnits count bytes in units of bits, as lines are sold.
var bitUnits = []unit{{"Gbit", 1e9 / 8}, {"Mbit", 1e6 / 8}, {"kbit", 1e3 / 8}}

// ParseSize reads a size larger than zero.
func ParseSize(s string) (Size, error) {
	n, err := quantity(s, sizeUnits)
	if err != nil {
		return 0, wrong(`write it like "5MiB" or "10MB"`, "%.40q is not a size%s", s, err)
	}
	return Size(n), nil
}

// ParseRate reads a rate.
func ParseRate(s string) (Rate, error) {
	const like = `write it like "5MiB/s" or "40Mbit/s"`
	if s == "unlimited" {
		return 0, nil
	}
	amount, ok := strings.CutSuffix(s, "/s")
	if !ok {
		return 0, wrong(like, "%.40q is not a rate", s)
	}
	n, err := quantity(amount, slices.Concat(bitUnits, sizeUnits))
	if err != nil {
		return 0, wrong(like, "%.40q is not a rate%s", s, err)
	}
	if n < minRate {
		return 0, wrong(`leave it out, or write "unlimited", for no limit`, "%.40q is less than %s", s, Rate(minRate))
	}
	return Rate(n), nil
}

// String returns the text that ParseSize reads as the same size.
func (n Size) String() string {
	for _, u := range sizeUnits {
		if n != 0 && int64(n)%u.size == 0 {
			return strconv.FormatInt(int64(n)/u.size, 10) + u.name
		}
	}
	return "0B"
}

// String returns the text that ParseRate reads as the same rate.
func (r Rate) String() string {
	if r == 0 {
		return "unlimited"
	}
	return Size(r).String() + "/s"
}

// A reason is a half-sentence that goes on after "is not a size".
type reason string

func (r reason) Error() string { return string(r) }

// quantity reads a positive number, perhaps with decimals, and its unit. It
// rounds down to whole bytes.
func quantity(s string, units []unit) (int64, error) {
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end <= 0 {
		return 0, reason(": it needs a number and a unit")
	}
	whole, decimals, point := strings.Cut(s[:end], ".")
	u, err := findUnit(strings.TrimPrefix(s[end:], " "), units)
	if err != nil {
		return 0, err
	}
	if whole == "" || point && decimals == "" || len(decimals) > 6 || strings.Contains(decimals, ".") {
		return 0, reason(": its number is not one")
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/u.size-1 {
		return 0, reason(": it is too large")
	}
	n *= u.size
	if decimals != "" {
		n += fraction(decimals, u.size)
	}
	if n == 0 {
		return 0, reason(": it is zero")
	}
	return n, nil
}

// fraction returns size times 0.decimals. Six decimals of the largest unit
// still fit an int64.
func fraction(decimals string, size int64) int64 {
	n, scale := int64(0), int64(1)
	for _, d := range decimals {
		n, scale = n*10+int64(d-'0'), scale*10
	}
	return n * size / scale
}

// findUnit looks a unit up. Case counts, because b and B, m and M differ.
func findUnit(name string, units []unit) (unit, error) {
	for _, u := range units {
		if u.name == name {
			return u, nil
		}
	}
	if name == "" {
		return unit{}, reason(": it has no unit")
	}
	for _, u := range units {
		if strings.EqualFold(u.name, name) {
			return unit{}, reason(fmt.Sprintf(": there is no unit %.20q, perhaps %q", name, u.name))
		}
	}
	return unit{}, reason(fmt.Sprintf(": there is no unit %.20q", name))
}
