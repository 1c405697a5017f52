package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestBegin(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	c := Default()
	v := NewVault("cloud", Remote{Endpoint: "https://s3.example.com", Bucket: "backups", Prefix: "ada"})
	v.CredentialsFile = "/home/ada/keys"
	c.Vaults = []Vault{v, NewVault("disk", Remote{Dir: "/mnt/disk"})}
	p := NewProject("site", "/home/ada/work/site")
	p.Vault = "cloud"
	c.Projects = []Project{p}
	got := c.Begin("One line.\n\nAnd another.")
	want := `# One line.
#
# And another.

[vault.cloud]
remote = "s3:https://s3.example.com/backups/ada"
credentials-file = "/home/ada/keys"

[vault.disk]
remote = "/mnt/disk"

[project.site]
paths = ["/home/ada/work/site"]
vault = "cloud"
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestBeginParsesToTheSame holds with every key set that nothing is lost.
func TestBeginParsesToTheSame(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	c := fullValues()
	again, err := Parse([]byte(c.Begin("")), "begun")
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, c.Begin(""))
	}
	opts := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Project{}, "Keep", "Conditions", "Schedule", "Vault"), cmpopts.IgnoreFields(Vault{}, "Schedule")}
	if d := cmp.Diff(c.Vaults, again.Vaults, opts...); d != "" {
		t.Errorf("vaults (-was +is)\n%s", d)
	}
	if d := cmp.Diff(c.Projects, again.Projects, opts...); d != "" {
		t.Errorf("projects (-was +is)\n%s", d)
	}
}

func TestNameFor(t *testing.T) {
	taken := map[string]bool{"site": true, "site-2": true}
	for words, want := range map[string]string{
		"work": "work", "site": "site-3", "my projects": "my-projects", "büro": "b-ro", ".config": "config", "": "unnamed", "木": "unnamed",
		"_x_": "x", strings.Repeat("a", 80): strings.Repeat("a", 58),
	} {
		got := NameFor(words, func(n string) bool { return taken[n] })
		if got != want || !validName.MatchString(got) {
			t.Errorf("NameFor(%q) = %q, want %q", words, got, want)
		}
	}
}
