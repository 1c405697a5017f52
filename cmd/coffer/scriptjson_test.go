package main

import (
	"encoding/json"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// ndjson [stdout|stderr] TYPE... wants the stream to be JSON objects, one a
// line and nothing else, each with a message_type and a schema_version; and
// wants each TYPE among them.
func ndjson(ts *testscript.TestScript, neg bool, args []string) {
	stream := "stdout"
	if len(args) > 0 && (args[0] == "stdout" || args[0] == "stderr") {
		stream, args = args[0], args[1:]
	}
	text := ts.ReadFile(stream)
	if text != "" && !strings.HasSuffix(text, "\n") {
		ts.Fatalf("%s does not end with a newline", stream)
	}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if text == "" {
			break
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			ts.Fatalf("%s is no JSON object: %q: %v", stream, line, err)
		}
		kind, _ := m["message_type"].(string)
		if kind == "" || m["schema_version"] != float64(schemaVersion) {
			ts.Fatalf("%s: no message_type or schema_version: %s", stream, line)
		}
		seen[kind] = true
	}
	for _, want := range args {
		if !seen[want] {
			ts.Fatalf("%s has no message of type %s: %s", stream, want, text)
		}
	}
}
