package config

import (
	"fmt"
	"strings"
)

// didYouMean makes a hint of the known name nearest to name, or "" if none is
// near.
func didYouMean(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}

// Nearest returns the known name with the fewest slips between it and name,
// or "" if it takes more than one slip for every three letters. Case, dashes
// and underscores do not count.
func Nearest(name string, known []string) string {
	const longest = 64 // what is longer is no slip of a known name
	if len(name) > longest {
		return ""
	}
	best, fewest := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if d := slips(plain(name), plain(k)); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

var plainer = strings.NewReplacer("-", "", "_", "", " ", "")

func plain(s string) string { return plainer.Replace(strings.ToLower(s)) }

// slips counts the letters to insert, drop, change or swap with their
// neighbour to make b of a (optimal string alignment).
func slips(a, b string) int {
	var prev, last []int // rows i-2 and i-1
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
