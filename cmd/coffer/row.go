package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/vault"
	"coffer/vault/state"
)

// row is what a listing says of a snapshot.
type row struct {
	vault   string // its ID
	snap    *vault.Snapshot
	label   string
	roots   []string
	tags    []string
	files   int64
	bytes   int64
	stored  int64 // uploaded by its run; -1 if not known
	partial bool
	known   bool // the fields above are
	pinned  bool
	good    time.Time // in status: when the newest one was made that is not partial
}

// A book describes snapshots, from this machine's catalog or, with the kit,
// from their bodies.
type book struct {
	v    *vault.Vault
	own  map[string]state.Snapshot // by the last component of the commit's name
	pins map[string]bool           // likewise
}

func newBook(v *vault.Vault) *book {
	b := &book{v: v, own: map[string]state.Snapshot{}}
	b.pins, _ = v.Pins() // a listing goes on without
	if v.State() != nil {
		for s, err := range v.State().Snapshots() {
			if err == nil {
				b.own[s.Commit] = s
			}
		}
	}
	return b
}

// describe fills a row. A body that is damaged leaves it empty: the snapshot
// is listed all the same, and verify tells what is wrong with it.
func (b *book) describe(ctx context.Context, s *vault.Snapshot) (row, error) {
	r := row{vault: string(b.v.ID()), snap: s, stored: -1, pinned: b.pins[s.Name.Base()]}
	if c, ok := b.own[s.Name.Base()]; ok {
		r.label, r.tags, r.files, r.bytes, r.stored, r.partial, r.known = string(c.Label), c.Tags, c.Files, c.Bytes, c.NewBytes, c.Partial, true
		for _, root := range c.Roots {
			r.roots = append(r.roots, string(root))
		}
		return r, nil
	}
	if !b.v.HasIdentity() {
		return r, nil
	}
	body, err := b.v.Body(ctx, s)
	if err != nil {
		if vault.IsRemote(err) {
			return r, err
		}
		return r, nil
	}
	r.label, r.tags, r.files, r.bytes, r.partial, r.known = body.Label, body.Tags, body.Counts.Files, body.Counts.Bytes, body.Partial, true
	for _, root := range body.Roots {
		r.roots = append(r.roots, root.Path)
	}
	return r, nil
}

// describeTogether is how many bodies are fetched at a time.
const describeTogether = 8

// describeAll describes the snapshots of the vault that are wanted, oldest first.
func describeAll(ctx context.Context, v *vault.Vault, wanted func(*vault.Snapshot) bool) ([]row, error) {
	var snaps []*vault.Snapshot
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return nil, err
		}
		if wanted(s) {
			snaps = append(snaps, s)
		}
	}
	rows := make([]row, len(snaps))
	b := newBook(v)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(describeTogether)
	for i, s := range snaps {
		g.Go(func() (err error) {
			rows[i], err = b.describe(ctx, s)
			return err
		})
	}
	return rows, g.Wait()
}

// isOf tells whether a snapshot is of what people call a project: its name in
// the config, its ID, or a folder that is one of its roots.
func (r row) isOf(project string) bool {
	if string(r.snap.Commit.Project) == project || r.known && r.label == project && !filepath.IsAbs(r.label) {
		return true
	}
	abs, err := filepath.Abs(project)
	return err == nil && slices.Contains(r.roots, abs)
}

func (r row) json() map[string]any {
	m := map[string]any{
		"vault": r.vault,
		"id":    r.snap.ID(), "short_id": r.snap.Short(), "time": r.snap.Time().UTC(), "device": string(r.snap.Name.Device),
		"project_id": string(r.snap.Commit.Project), "forgotten": r.snap.Forgotten, "pinned": r.pinned,
	}
	if r.snap.Forgotten {
		m["goes"] = r.snap.Goes.UTC()
	}
	if r.known {
		m["project"], m["roots"], m["tags"], m["files"], m["bytes"], m["partial"] = r.label, r.roots, r.tags, r.files, r.bytes, r.partial
	}
	if r.stored >= 0 {
		m["bytes_stored"] = r.stored
	}
	return m
}

func (r row) notes(v *vault.Vault) string {
	var out []string
	if r.partial {
		out = append(out, "partial")
	}
	if r.snap.Forgotten {
		out = append(out, "forgotten, goes "+timeText(r.snap.Goes))
	}
	if r.pinned {
		out = append(out, "pinned")
	}
	if r.snap.Name.Device != v.Device() {
		out = append(out, "by "+deviceLabel(v, string(r.snap.Name.Device)))
	}
	for _, t := range r.tags {
		out = append(out, "#"+t)
	}
	return strings.Join(out, ", ")
}

func deviceLabel(v *vault.Vault, id string) string {
	for _, dev := range v.Trust().Devices {
		if string(dev.ID) == id && dev.Label != "" {
			return dev.Label
		}
	}
	return id
}

// projectID finds the project of the newest snapshot that people mean by a
// name, reading each project's newest body at most.
func projectID(ctx context.Context, v *vault.Vault, project string) (vault.Filter, error) {
	newest := map[string]*vault.Snapshot{}
	var order []string
	for s, err := range v.Snapshots(ctx) {
		if err != nil {
			return vault.Filter{}, err
		}
		id := string(s.Commit.Project)
		order = append(slices.DeleteFunc(order, func(o string) bool { return o == id }), id)
		newest[id] = s
	}
	b := newBook(v)
	for _, id := range slices.Backward(order) {
		r, err := b.describe(ctx, newest[id])
		if err != nil {
			return vault.Filter{}, err
		}
		if r.isOf(project) {
			return vault.Filter{Project: r.snap.Commit.Project}, nil
		}
	}
	return vault.Filter{}, hinted(fmt.Errorf("no snapshot is of a project %q", project), "coffer snapshots  lists all projects")
}
