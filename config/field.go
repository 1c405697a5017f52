package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A field is a key of a table: how its value is taken over and shown, and what
// the schema and the hints say of it.
type field struct {
	key     string
	kind    kind
	example string   // as TOML
	doc     string   // what it says, its unit and limits
	words   []string // all that it, or an item of it, may be; nil if they are many
	low     int64    // the least number, or the fewest items
	high    int64    // the largest number
	needed  bool     // its table is nothing without it
	varies  bool     // its default hangs on other values
	take    func(r *reader, place string, e *entry)
	show    func() string // the value in effect as TOML, or "" to leave it out

	// Of a table only.
	fields []field
	named  bool // it holds tables with names, and fields are theirs
}

// wants reports a value of the wrong kind.
func (r *reader) wants(f *field, e *entry) {
	hint := fmt.Sprintf("write %s = %s", f.key, f.example)
	if f.example == "" {
		hint = ""
	}
	r.problem(e.value.at, hint, "%s wants %s, not %s", f.key, f.kind, e.kind)
}

// written is a field that is written as a string.
func written(key, example, doc string, use func(r *reader, s string) error, show func() string) field {
	f := field{key: key, kind: aString, example: example, doc: doc}
	f.take = func(r *reader, _ string, e *entry) {
		if e.kind != aString {
			r.wants(&f, e)
			return
		}
		r.parse(e.value, key, func(s string) error { return use(r, s) })
	}
	f.show = func() string {
		if s := show(); s != "" {
			return quote(s)
		}
		return ""
	}
	return f
}

// text is a field whose value is shown as it prints, and left out if that is
// nothing.
func text[T any](key, example, doc string, dst *T, parse func(string) (T, error)) field {
	return written(key, example, doc, into(dst, parse), func() string { return fmt.Sprint(*dst) })
}

// into makes a use of a parser.
func into[T any](dst *T, parse func(string) (T, error)) func(*reader, string) error {
	return func(_ *reader, s string) (err error) {
		*dst, err = parse(s)
		return err
	}
}

// word is a field that is one of a few words.
func word[T ~string](key, doc string, dst *T, known ...T) field {
	parse := func(s string) (T, error) {
		if !slices.Contains(known, T(s)) {
			return "", notOneOf(s, known)
		}
		return T(s), nil
	}
	f := text(key, quote(string(known[0])), doc, dst, parse)
	f.words = texts(known)
	return f
}

func texts[T ~string](words []T) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}

// stretch is a field that is a span, left out if it is zero.
func stretch(key, example, doc string, dst *Span) field {
	return written(key, example, doc, into(dst, parseDays), func() string {
		if *dst == (Span{}) {
			return ""
		}
		return dst.String()
	})
}

// length is a field that is a length of time from low to high. Zero is left
// out where it could not be written.
func length(key, example, doc string, dst *time.Duration, low, high time.Duration) field {
	return written(key, example, doc, into(dst, lengthFrom(low, high)), func() string {
		if *dst < low {
			return ""
		}
		return FormatDuration(*dst)
	})
}

// cron is a field that is a schedule.
func cron(key, example, doc string, dst *string) field {
	use := func(r *reader, s string) (err error) {
		*dst, err = r.checks.parseCron(s)
		return err
	}
	return written(key, example, doc, use, func() string {
		if *dst == "" {
			return "off"
		}
		return *dst
	})
}

// parse hands a string on, unless it is one that no key can use. what is what
// a message calls it.
func (r *reader) parse(v value, what string, use func(string) error) {
	switch {
	case v.text == "":
		r.problem(v.at, "leave it out instead", "%s is empty", what)
	case strings.ContainsFunc(v.text, unicode.IsControl):
		r.problem(v.at, "write it in one line, of characters that can be seen", "%s holds a control character", what)
	default:
		if err := use(v.text); err != nil {
			r.fault(v.at, what, err)
		}
	}
}

// toggle is a field that is true or false.
func toggle(key, doc string, dst *bool) field {
	f := field{key: key, kind: aFlag, example: "true", doc: doc, show: func() string { return strconv.FormatBool(*dst) }}
	f.take = func(r *reader, _ string, e *entry) {
		if e.kind != aFlag {
			r.wants(&f, e)
			return
		}
		*dst = e.flag
	}
	return f
}

// number is a field that is a whole number from low to high.
func number(key, example, doc string, dst *int, low, high int64) field {
	f := field{key: key, kind: aNumber, example: example, doc: doc, low: low, high: high, show: func() string { return strconv.Itoa(*dst) }}
	f.take = func(r *reader, _ string, e *entry) {
		switch {
		case e.kind != aNumber:
			r.wants(&f, e)
		case !e.whole || e.num < low || e.num > high:
			r.problem(e.value.at, fmt.Sprintf("write %s = %s", key, example), "%s wants a whole number from %d to %d", key, low, high)
		default:
			*dst = int(e.num)
		}
	}
	return f
}

// list is a field that is a list of strings. parse is given what the list
// holds so far.
func list[T any](key, example, doc string, dst *[]T, parse func(s string, before []T) (T, error)) field {
	f := field{key: key, kind: aTextList, example: example, doc: doc, show: func() string { return quoteAll(*dst) }}
	f.take = func(r *reader, place string, e *entry) {
		if e.kind != aList {
			r.wants(&f, e)
			return
		}
		*dst = []T{} // not nil: an empty list is not the same as none
		for _, v := range e.list {
			if v.kind != aString {
				r.problem(v.at, fmt.Sprintf("write %s = %s", key, example), "%s wants strings in its list, not %s", key, v.kind)
				continue
			}
			r.parse(v, "an item of "+key, func(s string) error {
				got, err := parse(s, *dst)
				if err != nil {
					return err
				}
				r.where[item(place, key, len(*dst))] = v.at
				*dst = append(*dst, got)
				return nil
			})
		}
	}
	return f
}

// filled is a list that must hold something.
func filled(f field) field {
	take := f.take
	f.low = 1
	f.take = func(r *reader, place string, e *entry) {
		if e.kind == aList && len(e.list) == 0 {
			r.problem(e.value.at, fmt.Sprintf("write %s = %s", f.key, f.example), "%s is empty", f.key)
			return
		}
		take(r, place, e)
	}
	return f
}

// unique refuses what the list holds already.
func unique[T comparable](parse func(string) (T, error)) func(string, []T) (T, error) {
	return func(s string, before []T) (T, error) {
		got, err := parse(s)
		if err == nil && slices.Contains(before, got) {
			return got, wrong("leave one out", "%.80q stands twice in the list", s)
		}
		return got, err
	}
}

// group is a field that is a table of further fields.
func group(key, doc string, fields []field) field {
	f := field{key: key, kind: aTable, doc: doc, fields: fields}
	f.take = func(r *reader, place string, e *entry) {
		if e.kind != aTable {
			hint := fmt.Sprintf("write %s.%s = %s", key, fields[0].key, fields[0].example)
			r.problem(e.value.at, hint, "%s wants %s, not %s", key, aTable, e.kind)
			return
		}
		r.fields(e.table, join(place, key), fields)
	}
	return f
}

// hook is a field that is a command or a table with one.
func hook(key, doc string, dst *Hook) field {
	alone := text(key, `"pg_dump -f ~/work/shop/db.sql shop"`, doc, &dst.Command, parseCommand)
	fields := []field{
		needed(text("command", alone.example, "What the shell runs.", &dst.Command, parseCommand)),
		varying(length("timeout", `"5m"`, "After which it is ended, in s, m (minutes), h or d. The default is hook-timeout.",
			&dst.Timeout, time.Second, day)),
	}
	f := field{key: key, kind: aHook, example: alone.example, doc: doc, fields: fields}
	f.take = func(r *reader, place string, e *entry) {
		switch e.kind {
		case aString:
			alone.take(r, place, e)
		case aTable:
			place = join(place, key)
			r.fields(e.table, place, fields)
			if _, set := r.where[place+".command"]; !set {
				r.problem(e.value.at, fmt.Sprintf(`write %s = {command = %s, timeout = "5m"}`, key, f.example), "%s has no command", key)
			}
		default:
			r.wants(&f, e)
		}
	}
	f.show = func() string {
		if dst.Command == "" {
			return ""
		}
		return fmt.Sprintf("{command = %s, timeout = %s}", quote(dst.Command), quote(FormatDuration(dst.Timeout)))
	}
	return f
}

// lent are fields whose default is what is said for all.
func lent(fields []field) []field {
	for i := range fields {
		fields[i].varies = true
	}
	return fields
}

// varying is a field whose default hangs on other values.
func varying(f field) field {
	f.varies = true
	return f
}

// needed is a field without which its table is nothing.
func needed(f field) field {
	f.needed = true
	return f
}

// among names the words that the items of a list may be.
func among[T ~string](words []T, f field) field {
	f.words = texts(words)
	return f
}

// only is a field that is shown under a condition.
func only(condition bool, f field) field {
	if !condition {
		f.show = func() string { return "" }
	}
	return f
}
