package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestShow(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	got := fullValues().Show()
	golden := filepath.Join("testdata", "show.toml")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestShowParsesToTheSame(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for name, c := range map[string]*Config{"full": fullValues(), "default": Default()} {
		if diff := reparse(t, c); diff != "" {
			t.Errorf("%s (-was +is)\n%s", name, diff)
		}
	}
}

// reparse tells how Parse of Show differs from c.
func reparse(t *testing.T, c *Config) string {
	t.Helper()
	again, err := Parse([]byte(c.Show()), "shown")
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, c.Show())
	}
	// A list that is empty and one that is missing mean the same.
	return cmp.Diff(c, again, cmpopts.EquateEmpty())
}
