package drill

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
)

// A pick is what of one root is restored.
type pick struct {
	root    manifest.BodyRoot
	all     bool
	paths   map[string]bool // relative, unless all
	include []string        // the same as patterns
	first   string          // the absolute path of a file with content, or ""
}

func (p *pick) has(path string) bool { return p.all || p.paths[path] }

// literal makes a path a pattern that matches just that path.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, " ", `\ `, "!", `\!`, "#", `\#`)

// candidate is a file that may be drawn.
type candidate struct {
	root  int
	entry *manifest.Entry
}

// choose draws the files to be restored, in one walk, and counts the packs that
// they need.
func (d *drill) choose(ctx context.Context, src *vault.Source) ([]*pick, error) {
	picks := make([]*pick, len(src.Body().Roots))
	for i, root := range src.Body().Roots {
		picks[i] = &pick{root: root, all: d.o.All, paths: map[string]bool{}}
	}
	l := lot{o: d.o}
	for i, p := range picks {
		for e, err := range manifest.Walk(ctx, p.root.Root, src.Segment, manifest.WalkOptions{}) {
			if err != nil {
				if vault.IsRemote(err) {
					return nil, err
				}
				d.rep.unlisted(err)
				d.problem(p.root.Path, err)
				continue
			}
			if e.Type != files.Regular || e.Err != "" {
				continue
			}
			d.rep.Snapshot.Files++
			d.rep.Snapshot.Bytes += e.Size
			if p.first == "" && e.Size > 0 {
				p.first = filepath.Join(p.root.Path, e.Path)
			}
			if !d.o.All {
				l.offer(i, e)
			}
		}
	}
	if d.o.All {
		return picks, d.countAll(ctx, src)
	}
	used := new(ledger.Set)
	for _, c := range l.drawn() {
		p := picks[c.root]
		if p.paths[c.entry.Path] {
			continue
		}
		p.paths[c.entry.Path] = true
		if c.entry.Path != "" { // else the root is that file
			p.include = append(p.include, "/"+literal.Replace(c.entry.Path))
		}
		if err := needs(ctx, src, c.entry, used); err != nil {
			return nil, err
		}
	}
	picks = slices.DeleteFunc(picks, func(p *pick) bool { return len(p.paths) == 0 })
	return picks, d.countPacks(ctx, src, used)
}

// A lot draws files: by chance, and the oldest and largest that fit.
type lot struct {
	o       *Options
	n       int
	chance  []candidate
	oldest  candidate
	largest candidate
}

// offer considers a file. Those drawn by chance are each as likely (a
// reservoir), whatever their number.
func (l *lot) offer(root int, e *manifest.Entry) {
	if e.Size > l.o.MaxBytes {
		return
	}
	var c candidate
	take := func(to *candidate) {
		if c.entry == nil {
			c = candidate{root, e.Clone()}
		}
		*to = c
	}
	if l.oldest.entry == nil || e.Mtime.Time().Before(l.oldest.entry.Mtime.Time()) {
		take(&l.oldest)
	}
	if l.largest.entry == nil || e.Size > l.largest.entry.Size {
		take(&l.largest)
	}
	l.n++
	if len(l.chance) < l.o.Files {
		l.chance = append(l.chance, candidate{})
		take(&l.chance[len(l.chance)-1])
	} else if i := rand.IntN(l.n); i < len(l.chance) {
		take(&l.chance[i])
	}
}

// drawn returns the files drawn, as many as MaxBytes has room for.
func (l *lot) drawn() (out []candidate) {
	room := l.o.MaxBytes
	for _, c := range append([]candidate{l.oldest, l.largest}, l.chance...) {
		if c.entry != nil && c.entry.Size <= room {
			room -= c.entry.Size
			out = append(out, c)
		}
	}
	return out
}

// needs adds the packs of a file's content. Of list chunks that cannot be read
// the restore tells.
func needs(ctx context.Context, src *vault.Source, e *manifest.Entry, used *ledger.Set) error {
	for ref, err := range manifest.Refs(ctx, e, src.Segment) {
		if vault.IsRemote(err) {
			return err
		}
		if err != nil {
			return nil
		}
		used.Add(ref.Series, ref.Number)
	}
	return nil
}

// countPacks counts packs and their bytes.
func (d *drill) countPacks(ctx context.Context, src *vault.Source, used *ledger.Set) error {
	for series, number := range used.All() {
		p, err := src.PackName(ctx, series, number)
		if vault.IsRemote(err) {
			return err
		}
		d.rep.Packs++
		d.rep.PackBytes += p.Size
	}
	return nil
}

// countAll counts all packs of the snapshot.
func (d *drill) countAll(ctx context.Context, src *vault.Source) error {
	used := new(ledger.Set)
	for p, err := range d.packs(ctx, src.Ledger()) {
		if vault.IsRemote(err) {
			return err
		}
		if err == nil {
			used.Add(p.Series, p.Number)
		}
	}
	return d.countPacks(ctx, src, used)
}
