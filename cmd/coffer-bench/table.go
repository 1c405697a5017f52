package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// A table is what came out.
type table struct {
	Files    int64    `json:"files"`
	Bytes    int64    `json:"bytes"`
	Rounds   int      `json:"rounds"`
	Machine  string   `json:"machine"`
	Programs []string `json:"programs"` // with their versions
	S3       bool     `json:"s3"`
	Rows     []row    `json:"rows"`
}

// A row is one program, or limit of the machine, in one phase.
type row struct {
	Phase  string   `json:"phase"`
	Name   string   `json:"name"`
	Limit  bool     `json:"limit,omitempty"`
	Median sample   `json:"median"`
	All    []sample `json:"all"`
	// Coffer's medians by this one's; 0 where there is none.
	WallRatio   float64 `json:"wall_ratio,omitempty"`
	CPURatio    float64 `json:"cpu_ratio,omitempty"`
	MemoryRatio float64 `json:"memory_ratio,omitempty"`
	StoredRatio float64 `json:"stored_ratio,omitempty"`
}

func (b *bench) table() table {
	t := table{Files: b.files, Bytes: b.bytes, Rounds: b.rounds, S3: b.proxy != nil,
		Machine: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	var names []string
	for _, f := range b.programs {
		t.Programs = append(t.Programs, f.version)
		names = append(names, f.name)
	}
	for _, ph := range phases() {
		ours := b.samples[ph.name][coffer().name]
		for _, name := range append(slices.Clone(names), b.order...) {
			all := b.samples[ph.name][name]
			if len(all) == 0 {
				continue
			}
			r := row{Phase: ph.name, Name: name, Limit: slices.Contains(b.order, name), Median: median(all), All: all}
			if len(ours) > 0 && name != coffer().name {
				r.compare(median(ours))
			}
			t.Rows = append(t.Rows, r)
		}
	}
	return t
}

func (r *row) compare(ours sample) {
	r.WallRatio, r.CPURatio = ratio(ours.Wall, r.Median.Wall), ratio(ours.CPU, r.Median.CPU)
	if !r.Limit {
		r.MemoryRatio, r.StoredRatio = ratio(ours.Memory, r.Median.Memory), ratio(ours.Stored, r.Median.Stored)
	}
}

func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// median is that of each value by itself.
func median(all []sample) sample {
	return sample{
		Wall: middle(all, func(s sample) float64 { return s.Wall }), CPU: middle(all, func(s sample) float64 { return s.CPU }),
		Memory: middle(all, func(s sample) float64 { return s.Memory }), Stored: middle(all, func(s sample) float64 { return s.Stored }),
		Requests: middle(all, func(s sample) int64 { return s.Requests }), Puts: middle(all, func(s sample) int64 { return s.Puts }),
	}
}

func middle[N cmp.Ordered](all []sample, of func(sample) N) N {
	var values []N
	for _, s := range all {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

func (t table) write(w io.Writer, o options) error {
	switch {
	case o.json:
		return t.writeJSON(w)
	case o.markdown:
		return t.writeMarkdown(w)
	}
	return t.writeText(w)
}

func (t table) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(t)
}

func (t table) head() string {
	return fmt.Sprintf("%d files, %.2f GB, %s; medians of %d; ratios: coffer by the program of the line\n%s\n",
		t.Files, float64(t.Bytes)/1e9, t.Machine, t.Rounds, strings.Join(t.Programs, "\n"))
}

func (t table) columns() []string {
	c := []string{"phase", "program", "wall s", "ratio", "CPU s", "ratio", "memory MB", "ratio", "stored MB", "ratio"}
	if t.S3 {
		c = append(c, "requests", "PUTs")
	}
	return c
}

func (t table) cells(r row) []string {
	m := r.Median
	c := []string{
		r.Phase, r.Name, fmt.Sprintf("%.2f", m.Wall), times(r.WallRatio), fmt.Sprintf("%.2f", m.CPU), times(r.CPURatio),
		fmt.Sprintf("%.0f", m.Memory), times(r.MemoryRatio), fmt.Sprintf("%.1f", m.Stored), times(r.StoredRatio),
	}
	if r.Limit {
		c[8] = ""
	}
	if t.S3 {
		c = append(c, fmt.Sprint(m.Requests), fmt.Sprint(m.Puts))
	}
	return c
}

func times(r float64) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

func (t table) writeText(w io.Writer) error {
	fmt.Fprintln(w, t.head())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(t.columns(), "\t"))
	for _, r := range t.Rows {
		fmt.Fprintln(tw, strings.Join(t.cells(r), "\t"))
	}
	return tw.Flush()
}

func (t table) writeMarkdown(w io.Writer) error {
	columns := t.columns()
	fmt.Fprintf(w, "%s\n| %s |\n|%s\n", t.head(), strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, r := range t.Rows {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(t.cells(r), " | ")); err != nil {
			return err
		}
	}
	return nil
}
