package config

import "encoding/json"

// Schema returns a JSON Schema of the file, for editors that complete keys and
// mark mistakes while somebody writes. It knows names, kinds, words and
// bounds; what values say to each other only Parse knows.
func Schema() string {
	c := Default()
	s := objectSchema(append(fileFields(c), namedFields(c)...))
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "Coffer's config file"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return string(text) + "\n"
}

// A schema is a node of a JSON Schema.
type schema map[string]any

// objectSchema is the schema of a table.
func objectSchema(fields []field) schema {
	properties, required := schema{}, []string{}
	for _, f := range fields {
		properties[f.key] = f.schema()
		if f.needed {
			required = append(required, f.key)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// schema is that of a key.
func (f *field) schema() schema {
	s := f.valueSchema()
	s["description"] = f.doc
	if f.kind == aTable {
		return s
	}
	// The little TOML that examples and defaults are written in is JSON, too.
	s["examples"] = []json.RawMessage{json.RawMessage(f.example)}
	if now := f.show(); now != "" && !f.varies && !f.needed {
		s["default"] = json.RawMessage(now)
	}
	return s
}

// valueSchema says what values a key may have.
func (f *field) valueSchema() schema {
	switch f.kind {
	case aFlag:
		return schema{"type": "boolean"}
	case aNumber:
		return schema{"type": "integer", "minimum": f.low, "maximum": f.high}
	case aTextList:
		return schema{"type": "array", "items": f.textSchema(), "minItems": f.low}
	case aHook:
		return schema{"oneOf": []schema{f.textSchema(), objectSchema(f.fields)}}
	case aTable:
		if !f.named {
			return objectSchema(f.fields)
		}
		return schema{"type": "object", "additionalProperties": false, "patternProperties": schema{validName.String(): objectSchema(f.fields)}}
	}
	return f.textSchema()
}

// textSchema is that of a string.
func (f *field) textSchema() schema {
	if f.words == nil {
		return schema{"type": "string", "minLength": 1}
	}
	return schema{"type": "string", "enum": f.words}
}
