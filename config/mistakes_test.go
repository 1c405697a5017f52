package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestMistakes holds what is said about each mistake in testdata/mistakes.txt,
// where the text of every file is followed by its answer.
func TestMistakes(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	path := filepath.Join("testdata", "mistakes.txt")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, parts := sections(data)
	if n := len(parts) / 2; n < 230 || len(parts)%2 != 0 {
		t.Fatalf("%d cases and %d halves: some are lost", n, len(parts)%2)
	}
	out := bytes.NewBuffer(head)
	for i := 0; i < len(parts); i += 2 {
		in, want := parts[i], parts[i+1]
		got := ""
		t.Run(in.name, func(t *testing.T) {
			if want.name != "answer" {
				t.Fatalf("is followed by %q", want.name)
			}
			got = answer(t, in.text) + "\n"
			if diff := cmp.Diff(want.text, got); diff != "" && !*update {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
		out.WriteString("-- " + in.name + " --\n" + in.text + "-- answer --\n" + got)
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checked knows of two schedules what the room that keeps the time would say.
var checked = Checks{Cron: func(spec string) error {
	switch {
	case strings.HasSuffix(spec, "0 0 30 2 *"):
		return Mistake("is never due", "day 28 is the last that every month has")
	case strings.HasPrefix(spec, "61 "):
		return errors.New("its minute is 61, and the last one is 59")
	}
	return nil
}}

// answer parses a file that must be refused.
func answer(t *testing.T, text string) string {
	t.Helper()
	_, err := checked.Parse([]byte(text), "coffer.toml")
	if err == nil {
		t.Fatal("accepted")
	}
	mistakes, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error is a %T", err)
	}
	for _, p := range mistakes.Problems {
		if p.Line == 0 || p.Message == "" || p.Hint == "" || p.Excerpt == "" {
			t.Errorf("something is not said: %+v", p)
		}
	}
	for _, secret := range []string{"hunter2", "HUNTER2", "ter2", "T0KEN"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("a secret is repeated:\n%s", err)
		}
	}
	return err.Error()
}

type section struct{ name, text string }

var sectionLine = regexp.MustCompile(`(?m)^-- (.+) --\n`)

// sections cuts a file at its "-- name --" lines.
func sections(data []byte) (head []byte, parts []section) {
	marks := sectionLine.FindAllSubmatchIndex(data, -1)
	if len(marks) == 0 {
		return data, nil
	}
	for i, m := range marks {
		end := len(data)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		parts = append(parts, section{string(data[m[2]:m[3]]), string(data[m[1]:end])})
	}
	return bytes.Clone(data[:marks[0][0]]), parts
}
