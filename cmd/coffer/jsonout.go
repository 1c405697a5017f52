package main

import (
	"encoding/json"
	"maps"
)

// schemaVersion is that of all JSON lines. It grows when a field changes its
// meaning or goes; new fields may come at any time.
const schemaVersion = 1

// emit prints one JSON object as a line on the standard output.
func (d *door) emit(kind string, fields map[string]any) {
	all := map[string]any{"message_type": kind, "schema_version": schemaVersion}
	maps.Copy(all, fields)
	enc := json.NewEncoder(d.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(all)
}
