package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// schemaVersion is that of all JSON lines. It grows when a field changes its
// meaning or goes; new fields and new values of message_type may come at any
// time. Sizes are bytes, times RFC 3339 with zone. Text that is not UTF-8, as
// file names may be, is in base64 in a field of its own, whose name ends in
// 64; then the plain field is absent.
const schemaVersion = 1

// emit prints one JSON object as a line on the standard output.
func (d *door) emit(kind string, fields map[string]any) {
	d.printing.Lock()
	defer d.printing.Unlock()
	writeJSON(d.out, kind, fields)
}

// writeJSON writes one line, the kind first.
func writeJSON(w io.Writer, kind string, fields map[string]any) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"message_type":%q,"schema_version":%d`, kind, schemaVersion)
	var rest bytes.Buffer
	enc := json.NewEncoder(&rest)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(exact(fields)); err == nil && len(fields) > 0 {
		b.WriteByte(',')
		b.Write(bytes.TrimPrefix(rest.Bytes(), []byte("{")))
	} else {
		b.WriteString("}\n")
	}
	_, _ = w.Write(b.Bytes())
}

// exact moves text that JSON cannot hold into fields in base64.
func exact(fields map[string]any) map[string]any {
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		switch v := v.(type) {
		case string:
			if !utf8.ValidString(v) {
				out[k+"64"] = []byte(v)
				continue
			}
		case []string:
			if slices.ContainsFunc(v, func(s string) bool { return !utf8.ValidString(s) }) {
				out[k+"64"] = inBase64(v)
				continue
			}
			v = append([]string{}, v...) // none is [], not null
			out[k] = v
			continue
		}
		out[k] = v
	}
	return out
}

func inBase64(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return out
}
