package config

import (
	"slices"
	"strings"
)

// A home is a place of the file where keys may stand.
type home struct {
	where  string
	fields []field
}

// homeOf says where a key that is unknown at place belongs, or "" if nowhere.
// What is a table where it stands must be one where it belongs.
func homeOf(e *entry, place string) string {
	for _, h := range homes(strings.Contains(place, ".")) {
		if i := find(h.fields, e.key); i >= 0 && h.fields[i].fits(e.kind) {
			if strings.HasSuffix(h.where, ".") {
				return h.where + e.key
			}
			return h.where
		}
	}
	return ""
}

// fits reports whether a value of that kind may be meant for f, if not well
// written.
func (f *field) fits(k kind) bool { return f.kind == aHook || (f.kind == aTable) == (k == aTable) }

// homes lists the places, the likeliest first: who writes within a name means
// that name, and who does not means all.
func homes(within bool) []home {
	var file, tables, names, inNames []home
	top := fileFields(Default())
	for _, f := range top {
		if f.kind == aTable {
			tables = append(tables, home{"in [" + f.key + "]", f.fields})
		}
	}
	alone := slices.DeleteFunc(top, func(f field) bool { return f.kind == aTable })
	file = append(file, home{"at the top of the file, before the first [table]", alone})
	for _, f := range namedFields(Default()) {
		where := "in a [" + f.key + ".NAME]"
		names = append(names, home{where, f.fields})
		for _, sub := range f.fields {
			if sub.kind == aTable {
				inNames = append(inNames, home{where + ", as " + sub.key + ".", sub.fields})
			}
		}
	}
	if within {
		return slices.Concat(file, names, inNames, tables)
	}
	daemon := tables[len(tables)-1:] // the other tables have keys that sound like those of a name
	return slices.Concat(file, daemon, names, tables, inNames)
}
