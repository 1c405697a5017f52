package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Price is what storage costs: an amount for 10^12 bytes and a month. The
// zero Price is unknown. In text it is "6.00 USD".
type Price struct {
	Micro    int64 // millionths of the currency
	Currency string
}

var priceForm = regexp.MustCompile(`^([0-9]{1,9})(?:\.([0-9]{1,6}))? ([\p{L}\p{Sc}]{1,8})$`)

// ParsePrice reads a price larger than zero.
func ParsePrice(s string) (Price, error) {
	const like = `write it like "6.00 USD"`
	m := priceForm.FindStringSubmatch(s)
	switch {
	case m != nil:
	case strings.ContainsAny(s, "0123456789") && strings.Trim(s, "0123456789.") == "":
		return Price{}, wrong(like, "%.40q has no currency", s)
	case strings.Contains(s, ","):
		return Price{}, wrong(like+", with a point and without commas", "%.40q is not a price", s)
	default:
		return Price{}, wrong(like, "%.40q is not a price", s)
	}
	whole, err := strconv.ParseInt(m[1], 10, 64)
	p := Price{Micro: whole*1e6 + fraction(m[2], 1e6), Currency: m[3]}
	if err != nil || p.Micro == 0 {
		return Price{}, wrong("leave it out instead", "%.40q is no price", s)
	}
	return p, nil
}

// String returns the text that ParsePrice reads as the same price, or "" for
// the zero Price.
func (p Price) String() string {
	if p == (Price{}) {
		return ""
	}
	decimals := strings.TrimRight(fmt.Sprintf("%06d", p.Micro%1e6), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return fmt.Sprintf("%d.%s %s", p.Micro/1e6, decimals, p.Currency)
}
