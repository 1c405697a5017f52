package main

import (
	"fmt"
	"strings"

	"coffer/remote"
)

// A diagnosis is told part by part, and counted.
type diagnosis struct {
	d      *door
	counts map[remote.Grade]int
}

// tellPart tells the findings about one thing, which is this machine or the
// remote.
func (t *diagnosis) tellPart(what string, found []remote.Finding) {
	if t.counts == nil {
		t.counts = map[remote.Grade]int{}
	}
	if !t.d.json {
		fmt.Fprintln(t.d.out, what)
	}
	part, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(what, "this "), "the "), " ")
	for _, f := range found {
		t.counts[f.Grade]++
		t.tell(part, f)
	}
}

func (t *diagnosis) tell(part string, f remote.Finding) {
	if t.d.json {
		t.d.emit("finding", map[string]any{"part": part, "check": f.Check, "grade": string(f.Grade), "found": f.Found, "means": f.Means, "do": f.Do})
		return
	}
	w := t.d.out
	fmt.Fprintf(w, "  %-4s  %-18s  %s\n", f.Grade, f.Check, safeName(f.Found))
	if f.Means != "" {
		fmt.Fprintf(w, "%28smeans: %s\n", "", safeName(f.Means))
	}
	if f.Do != "" {
		fmt.Fprintf(w, "%28sdo:    %s\n", "", safeName(f.Do))
	}
}

func (t *diagnosis) end() {
	ok, weak, bad := t.counts[remote.OK], t.counts[remote.Weak], t.counts[remote.Bad]
	if t.d.json {
		t.d.emit("summary", map[string]any{"ok": ok, "weak": weak, "bad": bad})
		return
	}
	fmt.Fprintf(t.d.out, "%d ok, %d weak, %d bad\n", ok, weak, bad)
}
