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

// uncomment turns on the tables and keys that the example shows commented out.
func uncomment(s string) string {
	return regexp.MustCompile(`(?m)^#([a-z.-]+ = |\[[a-z0-9.]+\]$)`).ReplaceAllString(s, "$1")
}

func TestExampleParses(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for name, text := range map[string]string{"as it is": Example(), "with all keys": uncomment(Example())} {
		if _, err := Parse([]byte(text), "example"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExampleShowsTheDefaults keeps the defaults that the example shows from
// being wrong. That it shows every key is held beside the schema.
func TestExampleShowsTheDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	plain, err := Parse([]byte(Example()), "example")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Parse([]byte(uncomment(Example())), "example")
	if err != nil {
		t.Fatal(err)
	}
	// What follows is shown as an example, not as the default.
	all.Timezone, all.Keep, all.Notify = "", Keep{}, nil
	d := &all.Daemon
	d.WebAddress, d.MetricsFile, d.Conditions.MaxAge = "", "", 0
	v, p := &all.Vaults[0], &all.Projects[0]
	v.Region, v.CAFile, v.CredentialsFile, v.Profile, v.MaintainProfile = "", "", "", "", ""
	v.UploadLimit, v.DownloadLimit, v.UploadTimes, v.DownloadTimes = 0, 0, nil, nil
	v.ObjectLock, v.ObjectLockMode, v.Price = Span{}, "", Price{}
	p.Tags, p.Keep, p.Schedule.Forget, p.Conditions.MaxAge = nil, Keep{}, "", 0
	p.RunBefore, p.RunAfter, p.RunFailed, p.RunFinally = Hook{}, Hook{}, Hook{}, Hook{}
	if diff := cmp.Diff(plain, all); diff != "" {
		t.Errorf("the example says something else than the defaults (-default +example)\n%s", diff)
	}
}
