package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coffer/config"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain größe 木":      "plain größe 木",
		"\x1b[31mred":        `\x1b[31mred`,
		"bad \xff byte":      `bad \xff byte`,
		"turned \u202e gnp":  `turned \u202e gnp`,
		"nul \x00 bell \a":   `nul \x00 bell \x07`,
		"csi \u009b":         `csi \u009b`,
		"two\nlines\tand so": `two\x0alines\x09and so`,
	} {
		if got := safeName(in); got != want {
			t.Errorf("safeName(%q) = %q, want %q", in, got, want)
		}
	}
	if got := safeText("a\n\tb\r"); got != "a\n\tb\\x0d" {
		t.Errorf("safeText keeps lines and tabs only: %q", got)
	}
}

func TestPlainText(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	pack := "packs/3f82ab19b9beb493/0000000000/0000000001-" + hash
	short := "packs/3f82ab19b9beb493/0000000000/0000000001-0123456789ab..."
	for _, c := range []struct{ in, known, want string }{
		{"read config: open x: no such file", "", "read config: open x: no such file"},
		{"pack " + pack + ": damaged: " + pack + ": its bytes do not match", "", "pack " + short + ": damaged: its bytes do not match"},
		{"store pack " + pack + ": put " + pack + " in /v: full", "", "store pack " + short + ": full"},
		{"pack " + pack + ": damaged: missing", pack, "damaged: missing"},
		{"commit trust/0000000001-" + hash + ": gone", "", "commit trust/0000000001-0123456789ab...: gone"},
		{"hash " + hash, "", "hash " + hash},
	} {
		if got := plainText(c.in, c.known); got != c.want {
			t.Errorf("plainText(%q, %q)\n got %q\nwant %q", c.in, c.known, got, c.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in   string
		room int
		want string
	}{
		{"/a/short/path", 20, "  /a/short/path"},
		{"/a/path/that/is/longer", 12, "  …t/is/longer"},
		{"/a/path/that/is/longer", 11, ""},
		{"", 50, ""},
		{"木木木木木木木木", 16, "  木木木木木木木木"},
		{"木木木木木木木木", 15, "  …木木木木木木木"},
		{"木木木木木木木木", 14, "  …木木木木木木"},
	} {
		if got := shorten(c.in, c.room); got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.in, c.room, got, c.want)
		}
	}
}

func TestSplitSpec(t *testing.T) {
	for in, want := range map[string][2]string{
		"latest":                    {"latest", ""},
		"latest~2:a/b:c":            {"latest~2", "a/b:c"},
		"1a2b3c4d:/abs/path":        {"1a2b3c4d", "/abs/path"},
		"2026-11-22":                {"2026-11-22", ""},
		"2026-11-22:a":              {"2026-11-22", "a"},
		"2026-11-22T14:30":          {"2026-11-22T14:30", ""},
		"2026-11-22T14:30:a":        {"2026-11-22T14:30", "a"},
		"2026-11-22T14:30:15":       {"2026-11-22T14:30:15", ""},
		"@2026-11-22T14:30:15:a/b":  {"@2026-11-22T14:30:15", "a/b"},
		"2026-11-22 14:30:15:b":     {"2026-11-22 14:30:15", "b"},
		"2026-11-22T14:30:5 things": {"2026-11-22T14:30", "5 things"},
		":a":                        {"", "a"},
	} {
		snapshot, path := splitSpec(in)
		if got := [2]string{snapshot, path}; got != want {
			t.Errorf("splitSpec(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{plural(0, "file"), "0 files"},
		{plural(1, "entry"), "1 entry"},
		{plural(1234, "entry"), "1,234 entries"},
		{plural(int64(2), "day"), "2 days"},
		{counted(count{1, "file"}, count{0, "folder"}, count{2, "hard link"}), "1 file, 2 hard links"},
		{durationText(1234 * time.Microsecond), "1ms"},
		{durationText(1234 * time.Millisecond), "1.2s"},
		{durationText(75 * time.Second), "1m15s"},
		{durationText(3*time.Hour + 2*time.Minute + time.Second), "3h2m"},
		{left(25, 100, 10*time.Second), "30s left"},
		{left(25, 100, time.Second), ""},
		{left(100, 100, time.Minute), ""},
		{rate(10<<20, 2*time.Second), "5.0 MiB/s"},
		{joined("a", "", "b"), "a, b"},
		{projectText("site", []string{"/a", "/b"}), "site"},
		{projectText("/a", []string{"/a", "/b"}), "/a, /b"},
		{projectText("/gone", []string{"/a"}), "/a"},
		{projectText("/a", []string{"/" + strings.Repeat("a", 80), "/b"}), "/" + strings.Repeat("a", 80) + " and 1 more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestDays(t *testing.T) {
	now := time.Date(2026, 5, 15, 12, 0, 0, 0, time.UTC)
	for span, want := range map[config.Span]int{
		{Days: 30}:          30,
		{Hours: 1}:          1,
		{Months: 1}:         30,
		{Days: 1, Hours: 5}: 1,
		{Years: 1}:          365,
	} {
		if got := days(span, now); got != want {
			t.Errorf("days(%s) = %d, want %d", span, got, want)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	writeJSON(&b, "empty", nil)
	writeJSON(&b, "node", map[string]any{"path": "a<b>\xff", "tags": []string(nil), "roots": []string{"a", "\xfe"}, "n": 1, "text": "<&>"})
	want := `{"message_type":"empty","schema_version":1}
{"message_type":"node","schema_version":1,"n":1,"path64":"YTxiPv8=","roots64":["YQ==","/g=="],"tags":[],"text":"<&>"}
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}
