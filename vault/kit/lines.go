package kit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"coffer/chunk/seal"
)

// Columns is the length of the longest line of a kit, apart from the secret's.
const Columns = 72

// factNames are the names of all facts; # lines with other names are prose.
var factNames = []string{"remote", "vault", "root", "trust", "written", "label"}

// A fact is one value that a kit carries for the machine.
type fact struct{ name, value string }

// write writes the line or lines of f. No line ends in a blank: there it
// would get lost.
func (f fact) write(b *bytes.Buffer) {
	head, more := "# "+f.name+": ", "# "+f.name+"+: "
	value := quote(f.value)
	for room := Columns - len(head); len(value) > room; room = Columns - len(more) {
		n := room
		if value[n-1] == ' ' {
			n--
		}
		fmt.Fprintf(b, "%s%s\n", head, value[:n])
		head, value = more, value[n:]
	}
	fmt.Fprintf(b, "%s%s\n", head, value)
}

// quote returns s itself if it is ASCII with nothing but single blanks inside,
// else a quoted string that is.
func quote(s string) string {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if !strings.ContainsFunc(s, odd) && strings.TrimSpace(s) == s && !strings.Contains(s, "  ") && !strings.HasPrefix(s, `"`) {
		return s
	}
	s = strconv.QuoteToASCII(s)
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", ` \x20`)
	}
	return s
}

// unquote undoes quote.
func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	v, err := strconv.Unquote(s)
	if err != nil {
		return "", errors.New("badly quoted")
	}
	return v, nil
}

// blanks are what editors, mail programs and copying leave around a line,
// invisible ones among them.
const blanks = " \t\v\f\u0085\u00a0\u200b\u200c\u200d\u2060\ufeff"

// lineEnds makes the line ends of all systems one.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n")

// sortLines parts a text into the facts in its comments, by name, and all
// lines that are neither comments nor empty. A fact may be there twice: people
// paste a text below itself.
func sortLines(text string) (facts map[string][]string, rest []string) {
	facts = map[string][]string{}
	for line := range strings.SplitSeq(lineEnds.Replace(text), "\n") {
		line = strings.Trim(strings.TrimLeft(line, blanks+">"), blanks) // > is how mail quotes
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			if line != "" {
				rest = append(rest, line)
			}
			continue
		}
		name, value, ok := strings.Cut(comment, ":")
		name, goesOn := strings.CutSuffix(strings.Trim(name, blanks), "+")
		if !ok || !slices.Contains(factNames, name) {
			continue
		}
		value = strings.TrimPrefix(value, " ")
		if n := len(facts[name]); goesOn && n > 0 {
			facts[name][n-1] += value
		} else {
			facts[name] = append(facts[name], value)
		}
	}
	return facts, rest
}

// secretPrefix begins every native age secret key.
const secretPrefix = "AGE-SECRET-KEY-"

// maxBroken bounds the number of lines that a secret may be broken into.
const maxBroken = 8

// findIdentity returns the one identity in lines. What else stands there, say
// the second half of a wrapped comment, is passed over. Errors never quote a
// line: it may be the secret.
func findIdentity(lines []string) (found *seal.Identity, err error) {
	for i, line := range lines {
		if !strings.HasPrefix(strings.ToUpper(squeeze(line)), secretPrefix) {
			continue
		}
		id, err := mend(lines[i:])
		if err != nil {
			return nil, err
		}
		if found != nil && found.String() != id.String() {
			return nil, errors.New("it holds two different secrets; keep each kit in a file of its own")
		}
		found = id
	}
	if found == nil {
		return nil, errors.New("it holds no line that begins with AGE-SECRET-KEY-")
	}
	return found, nil
}

// mend reads a secret that begins on the first line, and may be broken by
// blanks or into several lines. The checksum of the secret says where it ends.
func mend(lines []string) (*seal.Identity, error) {
	secret := ""
	var first error
	for _, line := range lines[:min(len(lines), maxBroken)] {
		secret += squeeze(line)
		id, err := seal.ParseIdentity(secret)
		if err == nil {
			return id, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// squeeze takes all blanks out of a line: from paper a secret is read, and
// typed, in groups.
func squeeze(line string) string {
	return strings.Join(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(blanks, r) }), "")
}
