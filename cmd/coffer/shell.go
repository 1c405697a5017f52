package main

import (
	"strings"
	"unicode"
)

// shellLine writes arguments so that a shell reads them back.
func shellLine(args []string) string {
	var out []string
	for _, a := range args {
		out = append(out, shellWord(a))
	}
	return strings.Join(out, " ")
}

// shellWord quotes a word for a shell where it must be.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+=:@%,~", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
