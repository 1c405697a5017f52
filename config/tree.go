package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// The decoder of the TOML library stops at the first bad value. So its parser
// is used alone, and its nodes become a tree that knows where each thing
// stands; what that tree accepts is then shown to the decoder as well, which
// knows the finer rules of TOML.

// A kind is what a value is, as a message calls it.
type kind string

const (
	aString kind = "a string"
	aNumber kind = "a number"
	aFlag   kind = "true or false"
	aList   kind = "a list"
	aTable  kind = "a table"
	aDate   kind = "a date"

	// Of a field only.
	aTextList kind = "a list of strings"
	aHook     kind = "a command, or a table with one"
)

// A value is the right side of an equals sign; what is set depends on kind.
type value struct {
	kind  kind
	at    span
	text  string
	num   int64 // whole numbers only, see whole
	whole bool
	flag  bool
	list  []value
	table *table
}

// An entry is a key with its value.
type entry struct {
	key string
	at  span // of the key
	value
}

// A table is what a header, an inline table or a dotted key opens.
type table struct {
	at      span // of the name in the header or key that opened it
	opened  bool // by a header of its own
	entries []*entry
	byKey   map[string]*entry
}

func newTable(at span) *table { return &table{at: at, byKey: map[string]*entry{}} }

// put adds an entry. The caller has looked that the key is free.
func (t *table) put(e *entry) {
	t.entries = append(t.entries, e)
	t.byKey[e.key] = e
}

// A builder makes the tree and reports what does not fit into one.
type builder struct {
	*report
	root *table
}

// parseTree reads the text. ok is false if there is a syntax error, and then
// the tree ends before it.
func parseTree(r *report) (root *table, ok bool) {
	b := builder{r, newTable(span{})}
	var p unstable.Parser
	p.Reset(r.src.data)
	current := b.root
	for p.NextExpression() {
		switch n := p.Expression(); n.Kind {
		case unstable.Table:
			current = b.header(keysOf(n.Key()))
		case unstable.ArrayTable:
			keys := keysOf(n.Key())
			b.problem(keys[0].at, "use single brackets", "[[...]] makes a list of tables, and there is none in this file")
			current = newTable(keys[0].at)
		case unstable.KeyValue:
			b.keyValue(current, n)
		}
	}
	if err := p.Error(); err != nil {
		b.syntax(&p, err)
		return b.root, false
	}
	return b.root, true
}

// syntax reports the error that the parser stopped at.
func (b *builder) syntax(p *unstable.Parser, err error) {
	var e *unstable.ParserError
	if !errors.As(err, &e) {
		b.problem(span{}, "", "not TOML: %v", err)
		return
	}
	hint := "what stands behind it was not looked at"
	if strings.Contains(e.Message, "at start of value") {
		hint = "a string needs quotes; " + hint
	}
	b.problem(spanOf(p.Range(e.Highlight)), hint, "not TOML: %s", e.Message)
}

// A name is one part of a dotted key.
type name struct {
	text string
	at   span
}

// keysOf copies the parts of a key; there is always at least one.
func keysOf(it unstable.Iterator) []name {
	var names []name
	for it.Next() {
		names = append(names, name{string(it.Node().Data), spanOf(it.Node().Raw)})
	}
	return names
}

func spanOf(r unstable.Range) span { return span{int(r.Offset), int(r.Offset + r.Length)} }

// header opens the table of a header line.
func (b *builder) header(keys []name) *table {
	t := b.descend(b.root, keys)
	at := span{keys[0].at.from, keys[len(keys)-1].at.to}
	if t.opened {
		line, _ := b.src.position(t.at.from)
		b.problem(at, "put all of it below one of them", "[%s] is opened twice, first in line %d", dotted(keys), line)
		return newTable(at)
	}
	t.opened, t.at = true, at
	return t
}

// descend finds the table of a dotted key and makes what is missing.
func (b *builder) descend(t *table, keys []name) *table {
	for _, k := range keys {
		e := t.byKey[k.text]
		switch {
		case e == nil:
			e = &entry{key: k.text, at: k.at, value: value{kind: aTable, at: k.at, table: newTable(k.at)}}
			t.put(e)
		case e.kind != aTable:
			b.problem(k.at, "it cannot hold further keys as well", "%.40q is set to %s already", k.text, e.kind)
			return newTable(k.at)
		}
		t = e.table
	}
	return t
}

// keyValue puts one assignment into t.
func (b *builder) keyValue(t *table, n *unstable.Node) {
	keys := keysOf(n.Key())
	last := keys[len(keys)-1]
	t = b.descend(t, keys[:len(keys)-1])
	if old := t.byKey[last.text]; old != nil {
		line, _ := b.src.position(old.at.from)
		b.problem(last.at, "leave one out", "%.40q is set twice, first in line %d", last.text, line)
		return
	}
	t.put(&entry{key: last.text, at: last.at, value: b.value(n.Value(), last.at)})
}

// value copies a value. at is where it is said to stand if the parser does not
// tell, as of lists and tables.
func (b *builder) value(n *unstable.Node, at span) value {
	if n.Raw.Length > 0 && n.Kind != unstable.InlineTable {
		at = spanOf(n.Raw)
	}
	v := value{at: at}
	switch n.Kind {
	case unstable.String:
		v.kind, v.text = aString, string(n.Data)
	case unstable.Bool:
		v.kind, v.flag = aFlag, string(n.Data) == "true"
	case unstable.Integer:
		num, err := strconv.ParseInt(strings.ReplaceAll(string(n.Data), "_", ""), 0, 64)
		v.kind, v.num, v.whole = aNumber, num, err == nil
	case unstable.Float:
		v.kind = aNumber
	case unstable.Array:
		v.kind = aList
		for it := n.Children(); it.Next(); {
			v.list = append(v.list, b.value(it.Node(), at))
		}
	case unstable.InlineTable:
		v.kind, v.table = aTable, newTable(at)
		for it := n.Children(); it.Next(); {
			b.keyValue(v.table, it.Node())
		}
	default:
		v.kind = aDate
	}
	return v
}

// dotted joins the parts of a key for a message.
func dotted(keys []name) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = clip(k.text, 40, false)
	}
	return strings.Join(parts, ".")
}

// secondOpinion decodes the text again with the library, which refuses what
// the tree overlooks, such as a header that reopens an inline table.
func (r *report) secondOpinion() {
	var all map[string]any
	err := toml.Unmarshal(r.src.data, &all)
	if err == nil {
		return
	}
	var e *toml.DecodeError
	if !errors.As(err, &e) {
		r.problem(span{}, "", "not TOML: %v", err)
		return
	}
	line, column := e.Position()
	from := r.src.starts[min(max(line, 1), len(r.src.starts))-1] + max(column, 1) - 1
	r.problem(span{from, from + 1}, "coffer config example shows how it is written", "not TOML: %s", strings.TrimPrefix(e.Error(), "toml: "))
}
