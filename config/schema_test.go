package config

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"
)

// shippedSchema is the copy of the schema that is packaged.
const shippedSchema = "../deploy/coffer.schema.json"

func TestSchemaIsTheOneShipped(t *testing.T) {
	if *update {
		if err := os.WriteFile(shippedSchema, []byte(Schema()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(shippedSchema)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Schema(), string(got)); diff != "" {
		t.Errorf("the schema and %s differ (-config +deploy)\n%s", shippedSchema, diff)
	}
}

// schemaOf is the schema as an editor reads it.
func schemaOf(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(Schema()), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// tomlOf is a file as an editor reads it.
func tomlOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := toml.Unmarshal([]byte(strings.TrimPrefix(text, "\uFEFF")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for name, text := range map[string]string{
		"the example": Example(), "the example with all keys": uncomment(Example()), "full": full, "nothing": "",
		"full as shown": fullValues().Show(), "the defaults as shown": Default().Show(),
	} {
		for _, complaint := range violations(schemaOf(t), tomlOf(t, text), "") {
			t.Errorf("%s: %s", name, complaint)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`compresion = "default"`:                     ".compresion is unknown",
		`compression = "zip"`:                        ".compression is none of [adaptive fastest default better]",
		`dedup-memory = 30`:                          ".dedup-memory is no string",
		`dedup-memory = ""`:                          ".dedup-memory is too short",
		`vault.home.region = "eu"`:                   ".vault.home has no remote",
		`project.site.vault = "home"`:                ".project.site has no paths",
		`project.site.paths = []`:                    ".project.site.paths is too short",
		`project.site.paths = [1]`:                   ".project.site.paths[0] is no string",
		`project."my site".paths = ["/a"]`:           ".project.my site is unknown",
		`keep.last = -1`:                             ".keep.last is not from 0 to 9999",
		`keep.last = 1.5`:                            ".keep.last is no integer",
		`daemon.web-allow-remote = "yes"`:            ".daemon.web-allow-remote is no boolean",
		`schedule = "@daily"`:                        ".schedule is no object",
		`notify.a.events = ["failed", "fire"]`:       ".notify.a.events[1] is none of [failed partial stale recovered damage kit]",
		`project.a = {paths=["/a"], run-after = 1}`:  ".project.a.run-after fits no form",
		`project.a = {paths=["/a"], run-after = {}}`: ".project.a.run-after fits no form",
	} {
		got := violations(schemaOf(t), tomlOf(t, text), "")
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// violations says where a value departs from a schema, as far as our schema
// goes: an independent, small reading of JSON Schema.
func violations(s map[string]any, v any, at string) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, at+fmt.Sprintf(format, args...)) }
	switch s["type"] {
	case "string":
		text, ok := v.(string)
		words, few := s["enum"].([]any)
		least, _ := s["minLength"].(float64)
		switch {
		case !ok:
			complain(" is no string")
		case few && !slices.Contains(words, any(text)):
			complain(" is none of %v", words)
		case len(text) < int(least):
			complain(" is too short")
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			complain(" is no boolean")
		}
	case "integer":
		n, ok := v.(int64)
		low, high := s["minimum"].(float64), s["maximum"].(float64)
		switch {
		case !ok:
			complain(" is no integer")
		case float64(n) < low || float64(n) > high:
			complain(" is not from %v to %v", low, high)
		}
	case "array":
		complaints = violationsOfList(s, v, at)
	case "object":
		complaints = violationsOfTable(s, v, at)
	default:
		fits := func(form any) bool { return len(violations(form.(map[string]any), v, at)) == 0 }
		if !slices.ContainsFunc(s["oneOf"].([]any), fits) {
			complain(" fits no form")
		}
	}
	return complaints
}

func violationsOfList(s map[string]any, v any, at string) (complaints []string) {
	list, ok := v.([]any)
	if !ok {
		return []string{at + " is no list"}
	}
	if len(list) < int(s["minItems"].(float64)) {
		return []string{at + " is too short"}
	}
	for i, item := range list {
		complaints = append(complaints, violations(s["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
	}
	return complaints
}

func violationsOfTable(s map[string]any, v any, at string) (complaints []string) {
	table, ok := v.(map[string]any)
	if !ok {
		return []string{at + " is no object"}
	}
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, set := table[key.(string)]; !set {
			complaints = append(complaints, fmt.Sprintf("%s has no %s", at, key))
		}
	}
	for key, value := range table {
		of := subschema(s, key)
		switch {
		case of != nil:
			complaints = append(complaints, violations(of, value, at+"."+key)...)
		case s["additionalProperties"] == false:
			complaints = append(complaints, at+"."+key+" is unknown")
		}
	}
	return complaints
}

// subschema is the schema of a key of a table, or nil.
func subschema(s map[string]any, key string) map[string]any {
	if properties, _ := s["properties"].(map[string]any); properties[key] != nil {
		return properties[key].(map[string]any)
	}
	patterns, _ := s["patternProperties"].(map[string]any)
	for pattern, of := range patterns {
		if regexp.MustCompile(pattern).MatchString(key) {
			return of.(map[string]any)
		}
	}
	return nil
}

// TestExampleShowsEveryKey keeps the example from falling behind the schema,
// and the schema behind the example.
func TestExampleShowsEveryKey(t *testing.T) {
	inSchema := map[string]bool{}
	schemaKeys(schemaOf(t), "", inSchema)
	inExample := map[string]bool{}
	tomlKeys(tomlOf(t, uncomment(Example())), schemaOf(t), "", inExample)
	if diff := cmp.Diff(inSchema, inExample); diff != "" {
		t.Errorf("(-schema +example)\n%s", diff)
	}
	if len(inSchema) < 70 {
		t.Errorf("only %d keys were seen", len(inSchema))
	}
}

// schemaKeys collects the keys of a schema that hold no further ones.
func schemaKeys(s map[string]any, at string, keys map[string]bool) {
	properties, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	for key, of := range properties {
		schemaKeys(of.(map[string]any), at+"."+key, keys)
	}
	for _, of := range patterns {
		schemaKeys(of.(map[string]any), at+".NAME", keys)
	}
	if properties == nil && patterns == nil {
		keys[at] = true
	}
}

// tomlKeys does the same for a file.
func tomlKeys(v map[string]any, s map[string]any, at string, keys map[string]bool) {
	for key, value := range v {
		of, name := subschema(s, key), key
		if s["patternProperties"] != nil {
			name = "NAME"
		}
		if table, ok := value.(map[string]any); ok && of["type"] == "object" {
			tomlKeys(table, of, at+"."+name, keys)
			continue
		}
		keys[at+"."+name] = true
	}
}

// around is a file without mistakes in which a key of a table can be set. %s
// is where.
var around = map[string]string{
	"":         "%s\nvault.home.remote = '/v'\n",
	"schedule": "[schedule]\n%s\n",
	"keep":     "[keep]\n%s\n",
	"daemon":   "[daemon]\n%s\n",
	"vault":    "[vault.home]\nremote = 's3://bucket'\nobject-lock = '1d'\n%s\n",
	"project":  "vault.home.remote = '/v'\n[project.site]\npaths = ['/p']\nkeep.last = 1\n%s\n",
	"notify":   "vault.home.remote = '/v'\nproject.site.paths = ['/p']\n[notify.a]\ndesktop = true\n%s\n",
}

// everyKey visits the keys of all tables. key has a dot if it is in a table
// within a table.
func everyKey(visit func(table, key string, f field)) {
	for _, f := range append(fileFields(Default()), namedFields(Default())...) {
		if f.kind != aTable {
			visit("", f.key, f)
		}
		for _, sub := range f.fields {
			if sub.kind != aTable {
				visit(f.key, sub.key, sub)
				continue
			}
			for _, under := range sub.fields {
				visit(f.key, sub.key+"."+under.key, under)
			}
		}
	}
}

// TestSchemaSaysTheDefaults holds of every key that its default in the schema
// is what Parse fills in, and that its example is no mistake.
func TestSchemaSaysTheDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	defaults := 0
	everyKey(func(table, key string, f field) {
		base := around[table]
		if table == "notify" && key != "events" && key != "projects" {
			base = strings.Replace(base, "desktop = true", "", 1)
		}
		base = regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(key)+` = .*$`).ReplaceAllString(base, "")
		parse := func(line string) (*Config, error) { return Parse(fmt.Appendf(nil, base, line), "coffer.toml") }
		if _, err := parse(key + " = " + f.example); err != nil || f.doc == "" {
			t.Errorf("the example of %s %s, %q: %v", table, key, f.doc, err)
		}
		now, set := f.schema()["default"].(json.RawMessage)
		if !set {
			return
		}
		defaults++
		without, err := parse("")
		with, errWith := parse(key + " = " + string(now))
		if diff := cmp.Diff(without, with, cmpopts.EquateEmpty()); diff != "" || err != nil || errWith != nil {
			t.Errorf("the default of %s %s: %v, %v (-without +with)\n%s", table, key, err, errWith, diff)
		}
	})
	if defaults < 25 {
		t.Errorf("%d defaults", defaults)
	}
}
