package config

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
)

// Checks are what only other rooms can tell of a value. Each may be nil, and
// then only the form of the value is checked.
type Checks struct {
	// Cron says what is wrong with a schedule that can never fire or that is
	// not one, best as a [Mistake] that goes on after the text. It is given
	// what stands in the file, but never "off".
	Cron func(spec string) error
}

// Mistake is what is wrong with a value, and what to do about it.
func Mistake(problem, remedy string) error { return &mistake{problem, remedy} }

// Parse reads the text of a config file as [Checks.Parse] does, and checks no
// more of schedules than their form.
func Parse(data []byte, name string) (*Config, error) { return Checks{}.Parse(data, name) }

// Parse reads the text of a config file. name is what messages call it. All
// mistakes come back together in one [*Error].
func (k Checks) Parse(data []byte, name string) (*Config, error) {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	r := &reader{report: &report{src: newSource(data)}, checks: k, where: map[string]span{}}
	if len(data) > maxSize {
		r.problem(span{}, "", "is larger than %s, which no config is", Size(maxSize))
		return nil, r.err(name)
	}
	root, complete := parseTree(r.report)
	c := r.config(root)
	// Behind a syntax error the vaults and projects are unknown, and every
	// check across them would raise false alarms.
	if complete {
		r.check(c)
		if r.clean() {
			r.secondOpinion()
		}
	}
	if !r.clean() {
		return nil, r.err(name)
	}
	return c, nil
}

// A report collects problems.
type report struct {
	src      *source
	problems []Problem
	offsets  []int // of problems, parallel
	more     int
}

// problem notes one. The message is a format, the hint is not.
func (r *report) problem(at span, hint, format string, args ...any) {
	if len(r.problems) == maxProblems {
		r.more++
		return
	}
	line, column := r.src.position(at.from)
	message := secretKey.ReplaceAllLiteralString(fmt.Sprintf(format, args...), "***")
	r.problems = append(r.problems, Problem{line, column, message, hint, r.src.excerpt(at)})
	r.offsets = append(r.offsets, at.from)
}

// fault notes an error about the value of a key.
func (r *report) fault(at span, key string, err error) {
	if m, ok := errors.AsType[*mistake](err); ok {
		r.problem(at, m.hint, "%s: %s", key, m.what)
		return
	}
	r.problem(at, "", "%s: %v", key, err)
}

// clean reports whether there were no problems.
func (r *report) clean() bool { return len(r.problems) == 0 }

// err makes an error of what was noted, in the order of the file.
func (r *report) err(name string) *Error {
	sort.Stable(byOffset{r})
	return &Error{Name: name, Problems: r.problems, More: r.more}
}

type byOffset struct{ *report }

func (r byOffset) Len() int           { return len(r.problems) }
func (r byOffset) Less(i, j int) bool { return r.offsets[i] < r.offsets[j] }
func (r byOffset) Swap(i, j int) {
	r.problems[i], r.problems[j] = r.problems[j], r.problems[i]
	r.offsets[i], r.offsets[j] = r.offsets[j], r.offsets[i]
}
