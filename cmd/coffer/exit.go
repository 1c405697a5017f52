package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A told is an error together with what its reader needs.
type told struct {
	error
	code int    // of the exit; 0 leaves it to the cause
	hint string // the next thing to do
}

func (e told) Unwrap() error { return e.error }

// usagef makes an error about the command line.
func usagef(hint, format string, args ...any) error {
	return told{fmt.Errorf(format, args...), exitUsage, hint}
}

// hinted adds to an error what to do next.
func hinted(err error, hint string) error { return told{err, 0, hint} }

// An outcome ends a command that did its work and has something to report that
// scripts must not miss.
type outcome struct {
	code int
	text string
}

func (e outcome) Error() string { return e.text }

// A finding says which damage an error tells of: two that read the same can be
// of different objects.
type finding struct {
	error
	digest string
}

func (e finding) Unwrap() error { return e.error }

// found marks an error with the objects that it is about, or is not told anew of
// if there are none.
func found(err error, objects []string) error {
	if len(objects) == 0 {
		return err
	}
	slices.Sort(objects)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(objects), "\n")))
	return finding{err, hex.EncodeToString(sum[:8])}
}

// leave tells the error, if any, with one hint, and returns the exit code.
func (d *door) leave(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	var far leftTo
	if errors.As(err, &far) {
		return int(far)
	}
	var o outcome
	if errors.As(err, &o) {
		d.last(o.code, o.text, "")
		return o.code
	}
	code, text, hint := explain(ctx, err)
	d.last(code, text, hint)
	return code
}

// last prints the last line of a command.
func (d *door) last(code int, text, hint string) {
	if d.json {
		writeJSON(d.err, "exit_error", map[string]any{"code": code, "message": text, "hint": hint})
		return
	}
	text = plainText(text)
	fmt.Fprintln(d.err, "coffer: "+safeText(text))
	if strings.Contains(text, "\n") {
		fmt.Fprintln(d.err)
	}
	if hint != "" {
		fmt.Fprintln(d.err, "  "+strings.ReplaceAll(safeText(hint), "\n", "\n  "))
	}
}
