package main

import (
	"regexp"
	"slices"
	"strings"
)

// objectName finds the full names of objects in a text.
var objectName = regexp.MustCompile(`\b(?:trust|packs|rolls|snapshots|ledgers|moves|commits|condemned)/[0-9a-z./-]*[0-9a-f]{64}\b`)

// shownHash is how many digits of an object's hash people are shown.
const shownHash = 12

// plainText makes the text of an error fit to be read: an object's name, which
// each room on the way names for itself, stands there once and with a part of
// its hash, and where known stands above it already it is left out. The parts
// of an error are parted by ": ".
func plainText(text string, known ...string) string {
	var parts []string
	seen := slices.Clone(known)
	for part := range strings.SplitSeq(text, ": ") {
		if name := objectName.FindString(part); name != "" {
			if slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
		}
		if part == "context canceled" {
			part = "interrupted"
		}
		parts = append(parts, part)
	}
	return objectName.ReplaceAllStringFunc(strings.Join(parts, ": "), func(name string) string {
		return name[:len(name)-64+shownHash] + "..."
	})
}
