package config

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shipped is the copy of the example that is packaged.
const shipped = "../deploy/coffer.example.toml"

func TestExampleIsTheOneShipped(t *testing.T) {
	if *update {
		if err := os.WriteFile(shipped, []byte(Example()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Example(), string(got)); diff != "" {
		t.Errorf("config/example.toml and %s differ (-config +deploy)\n%s", shipped, diff)
	}
}

// uncomment turns on the keys that the example shows commented out.
func uncomment(s string) string {
	return regexp.MustCompile(`(?m)^#([a-z-]+ = )`).ReplaceAllString(s, "$1")
}

func TestExampleParses(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for name, text := range map[string]string{"as it is": Example(), "with all keys": uncomment(Example())} {
		if _, err := Parse([]byte(text), "example"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExampleShowsEveryKey keeps the example from falling behind, and the
// defaults it shows from being wrong.
func TestExampleShowsEveryKey(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	text := uncomment(Example())
	plain, err := Parse([]byte(Example()), "example")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Parse([]byte(text), "example")
	if err != nil {
		t.Fatal(err)
	}
	// What follows is shown as an example, not as the default.
	v, p := &all.Vaults[0], &all.Projects[0]
	v.Region, v.CAFile, v.CredentialsFile, v.Profile = "", "", "", ""
	v.UploadLimit, v.DownloadLimit, p.Tags = 0, 0, nil
	if diff := cmp.Diff(plain, all); diff != "" {
		t.Errorf("the example says something else than the defaults (-default +example)\n%s", diff)
	}
}
