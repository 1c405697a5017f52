package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
)

// How Coffer does on very many files: -entries takes it alone through trees of
// ever more tiny files. What matters is how time grows with them, and that
// memory does not. On ext4, tiny files take no room but their inodes:
//
//	truncate -s 12G image && mkfs.ext4 -O inline_data -I 256 -N 11000000 image
//	mount -o loop image DIR && coffer-bench -entries 100000,1000000,10000000 -scratch DIR -home ELSEWHERE

// entryFolder is the n-th folder of such a tree: its place says its number in
// base 12, so that folders lie in folders, some six deep among a million.
func entryFolder(root string, n int) string {
	parts := []string{root}
	for _, digit := range strconv.FormatInt(int64(n), 12) {
		parts = append(parts, "folder-"+string(digit))
	}
	return filepath.Join(parts...)
}

// eachEntry yields n files in an order and in folders that depend on n and seed
// alone: most folders hold some thirty files, one in a hundred a thousand.
func eachEntry(root string, n int, seed uint64, do func(path string, data []byte) error) error {
	rnd := rand.New(rand.NewPCG(seed, 21))
	var data []byte
	for folder, made := 0, 0; made < n; folder++ {
		size := 1 + rnd.IntN(60)
		if rnd.IntN(100) == 0 {
			size = 500 + rnd.IntN(1000)
		}
		dir := entryFolder(root, folder)
		for range min(size, n-made) {
			data = fmt.Appendf(data[:0], "%08d %016x %013x\n", made, rnd.Uint64(), rnd.Uint64()>>12)
			if err := do(filepath.Join(dir, fmt.Sprintf("file-%x.txt", made)), data); err != nil {
				return err
			}
			made++
		}
	}
	return nil
}

// makeEntries makes the files.
func makeEntries(root string, n int, seed uint64) error { return eachEntry(root, n, seed, write) }

// changeEntries writes one in a hundred anew.
func changeEntries(root string, n int, seed uint64) error {
	return eachEntry(root, n, seed, func(path string, data []byte) error {
		h := fnv.New32a()
		h.Write(data)
		if h.Sum32()%100 != 0 {
			return nil
		}
		return write(path, append([]byte("changed "), data...))
	})
}

// entryPhases are what is measured on each tree, in order.
func entryPhases(b *bench, t tool, p place, n int) []struct {
	name, change string
	args         []string
} {
	size := strconv.Itoa(n)
	backup := t.backup(p)
	kit := []string{"--quiet", "--remote", p.remote(), "--kit"}
	kits, _ := filepath.Glob(p.home + "/data/coffer/coffer-kit-*.txt")
	kit = append(kit, strings.Join(kits, ""))
	_, walk := b.walk()
	return []struct {
		name, change string
		args         []string
	}{
		{"first backup", "", backup},
		{"find -printf", "", walk},
		{"no change", "", backup},
		{"1 % changed", size, backup},
		{"list all", "", append([]string{"ls", "latest"}, kit...)},
		{"restore a folder", "", append([]string{"restore", "latest:folder-1/folder-0", "--target", p.target}, kit...)},
	}
}

// An entryRow is one phase on one tree.
type entryRow struct {
	Entries int    `json:"entries"`
	Phase   string `json:"phase"`
	sample
}

// runEntries measures Coffer on trees of that many files.
func (b *bench) runEntries(ctx context.Context, sizes []int) (rows []entryRow, err error) {
	for _, n := range sizes {
		more, err := b.oneSize(ctx, n)
		rows = append(rows, more...)
		if err != nil {
			return rows, fmt.Errorf("%d entries: %w", n, err)
		}
	}
	return rows, nil
}

func (b *bench) oneSize(ctx context.Context, n int) (rows []entryRow, err error) {
	seed := strconv.FormatUint(b.o.seed, 10)
	defer func(home string) { b.home = home }(b.home)
	b.home = filepath.Join(b.home, strconv.Itoa(n))
	b.source = filepath.Join(b.scratch, "entries-"+strconv.Itoa(n))
	if err := b.inner(ctx, "entries", b.source, seed, strconv.Itoa(n)); err != nil {
		return nil, err
	}
	f := b.programs[0]
	p, err := b.begin(ctx, f, 0)
	if err != nil {
		return nil, err
	}
	if !b.o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(p.home)), os.RemoveAll(b.source)) }()
	}
	for _, ph := range entryPhases(b, f.tool, p, n) {
		if ph.change != "" {
			if err := b.inner(ctx, "change-entries", b.source, seed, ph.change); err != nil {
				return rows, err
			}
		}
		s, err := b.measureEntries(ctx, f, p, ph.args)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", ph.name, err)
		}
		rows = append(rows, entryRow{n, ph.name, s})
		fmt.Fprintf(b.log, "%10d %-18s %8.2f s  cpu %8.2f s  %7.0f MB  %9.1f MB stored\n", n, ph.name, s.Wall, s.CPU, s.Memory, s.Stored)
	}
	return rows, os.RemoveAll(p.target)
}

// measureEntries runs one command, of Coffer unless it says another program.
func (b *bench) measureEntries(ctx context.Context, f found, p place, args []string) (sample, error) {
	if !filepath.IsAbs(args[0]) && args[0] != "find" {
		args = append([]string{f.path}, args...)
	}
	if err := settle(ctx); err != nil {
		return sample{}, err
	}
	before, err := b.used(p)
	if err != nil {
		return sample{}, err
	}
	s, err := childTo(ctx, io.Discard, p.home, f.env(p), args)
	if err != nil {
		return s, err
	}
	after, err := b.used(p)
	s.Stored = after.Stored - before.Stored
	return s, err
}

// writeEntries prints what came out.
func writeEntries(w io.Writer, rows []entryRow, markdown bool) error {
	begin, between, end := "", "\t", "\n"
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var out io.Writer = t
	if markdown {
		begin, between, end, out = "| ", " | ", " |\n", w
	}
	line := func(cells ...string) {
		fmt.Fprint(out, begin+strings.Join(cells, between)+end)
	}
	line("files", "phase", "wall s", "CPU s", "peak MB", "stored MB", "wall µs a file")
	if markdown {
		line("---:", "---", "---:", "---:", "---:", "---:", "---:")
	}
	for _, r := range rows {
		line(strconv.Itoa(r.Entries), r.Phase, fmt.Sprintf("%.2f", r.Wall), fmt.Sprintf("%.2f", r.CPU),
			fmt.Sprintf("%.0f", r.Memory), fmt.Sprintf("%.1f", r.Stored), fmt.Sprintf("%.2f", r.Wall*1e6/float64(r.Entries)))
	}
	_, err := fmt.Fprintf(out, "\n%s/%s, %d cores\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	return errors.Join(err, t.Flush())
}

// parseSizes reads the numbers of -entries.
func parseSizes(s string) (sizes []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-entries: %q is no number of files", part)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}
