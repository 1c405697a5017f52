// Package treecmp compares two trees on disk: names, content and every kind of
// metadata that a backup keeps. It is the judge of end-to-end tests, so it
// shares no code with package files: it lists, stats and reads by the standard
// library alone (and extended attributes by a library that package files does
// not use).
//
//	for _, d := range diffs { t.Error(d) }
//
// It promises to report each difference in type, permissions, owner, time of
// modification, size, content, symlink target, device number, extended
// attributes (access control lists among them), hard-link groups and, roughly,
// holes. It follows no symlink below the two roots.
package treecmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pkg/xattr"
)

// Options say what to pass over. The zero value compares everything.
type Options struct {
	// Ignore, if set, is asked for each difference.
	Ignore func(d Difference) bool
	// Limit ends the comparison after so many differences. 0: 1,000.
	Limit int
}

// A Difference is one thing that is not the same. Path is relative to the
// roots ("" are the roots themselves). Kind is "only in a", "only in b", "type",
// "mode", "owner", "mtime", "size", "content", "target", "device",
// "xattr " and a name, "hard link", "holes" or "error".
type Difference struct {
	Path, Kind string
	A, B       string
}

func (d Difference) String() string {
	return fmt.Sprintf("%q: %s: %s != %s", d.Path, d.Kind, d.A, d.B)
}

var errLimit = errors.New("more differences than the limit")

// Compare compares the tree at a with the tree at b. A symlink given as a root
// is followed. Differences come in the order they are met.
func Compare(a, b string, o Options) []Difference {
	c := &comparison{o: o, groups: [2]map[inode][]string{{}, {}}}
	if c.o.Limit == 0 {
		c.o.Limit = 1000
	}
	if err := c.roots(a, b); err == nil {
		c.compareGroups()
	}
	return c.diffs
}

type inode struct{ dev, ino uint64 }

type comparison struct {
	o      Options
	diffs  []Difference
	groups [2]map[inode][]string // paths of things with several names
}

// A side is one of two folders that are compared.
type side struct {
	root *os.Root
	dir  *os.File
}

// report records a difference; its error ends the comparison.
func (c *comparison) report(path, kind string, a, b any) error {
	d := Difference{path, kind, fmt.Sprint(a), fmt.Sprint(b)}
	if c.o.Ignore != nil && c.o.Ignore(d) {
		return nil
	}
	c.diffs = append(c.diffs, d)
	if len(c.diffs) >= c.o.Limit {
		return errLimit
	}
	return nil
}

func (c *comparison) roots(a, b string) error {
	var paths, names [2]string
	isDir := true
	for i, p := range []string{a, b} {
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			return errors.Join(c.report("", "error", err, ""), err)
		}
		fi, err := os.Lstat(real)
		if err != nil {
			return errors.Join(c.report("", "error", err, ""), err)
		}
		isDir = isDir && fi.IsDir()
		paths[i], names[i] = real, "."
	}
	if !isDir { // by way of their folders
		for i := range paths {
			paths[i], names[i] = filepath.Dir(paths[i]), filepath.Base(paths[i])
		}
	}
	var sides [2]side
	for i, p := range paths {
		root, err := os.OpenRoot(p)
		if err != nil {
			return errors.Join(c.report("", "error", err, ""), err)
		}
		defer root.Close()
		sides[i].root = root
	}
	if err := c.open(&sides); err != nil {
		return errors.Join(c.report("", "error", err, ""), err)
	}
	_, err := c.entry(sides, names, "")
	closeDirs(sides)
	if err == nil && isDir {
		err = c.folder([2]*os.Root{sides[0].root, sides[1].root}, "")
	}
	return err
}

func (c *comparison) open(sides *[2]side) error {
	for i := range sides {
		dir, err := sides[i].root.Open(".")
		if err != nil {
			return err
		}
		sides[i].dir = dir
	}
	return nil
}

func closeDirs(sides [2]side) {
	for _, s := range sides {
		if s.dir != nil {
			s.dir.Close()
		}
	}
}

// folder compares what two folders hold, then the folders in them. It keeps
// one descriptor a side for each level.
func (c *comparison) folder(roots [2]*os.Root, path string) error {
	sides := [2]side{{root: roots[0]}, {root: roots[1]}}
	dirs, err := c.names(&sides, path)
	closeDirs(sides)
	if err != nil {
		return err
	}
	for _, name := range dirs {
		if err := c.below(roots, name, join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) below(roots [2]*os.Root, name, path string) error {
	var subs [2]*os.Root
	for i, r := range roots {
		sub, err := r.OpenRoot(name)
		if err != nil {
			return c.report(path, "error", err, "")
		}
		defer sub.Close()
		subs[i] = sub
	}
	return c.folder(subs, path)
}

// names compares the entries of two folders and returns the folders that both have.
func (c *comparison) names(sides *[2]side, path string) (dirs []string, err error) {
	if err := c.open(sides); err != nil {
		return nil, c.report(path, "error", err, "")
	}
	var lists [2][]string
	for i, s := range sides {
		if lists[i], err = s.dir.Readdirnames(-1); err != nil {
			return nil, c.report(path, "error", err, "")
		}
		slices.Sort(lists[i])
	}
	for _, name := range lists[0] {
		if _, ok := slices.BinarySearch(lists[1], name); !ok {
			if err := c.report(join(path, name), "only in a", "there", "missing"); err != nil {
				return nil, err
			}
			continue
		}
		isDir, err := c.entry(*sides, [2]string{name, name}, join(path, name))
		if err != nil {
			return nil, err
		}
		if isDir {
			dirs = append(dirs, name)
		}
	}
	for _, name := range lists[1] {
		if _, ok := slices.BinarySearch(lists[0], name); !ok {
			if err := c.report(join(path, name), "only in b", "missing", "there"); err != nil {
				return nil, err
			}
		}
	}
	return dirs, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// entry compares two things of one name and tells whether both are folders.
func (c *comparison) entry(sides [2]side, names [2]string, path string) (bool, error) {
	var fi [2]fs.FileInfo
	var st [2]*syscall.Stat_t
	for i, s := range sides {
		var err error
		if fi[i], err = s.root.Lstat(names[i]); err != nil {
			return false, c.report(path, "error", err, "")
		}
		st[i] = fi[i].Sys().(*syscall.Stat_t)
	}
	if a, b := fi[0].Mode().Type(), fi[1].Mode().Type(); a != b {
		return false, c.report(path, "type", a, b)
	}
	if err := c.metadata(fi, st, path); err != nil {
		return false, err
	}
	if err := c.xattrs(sides, names, path); err != nil {
		return false, err
	}
	c.group(fi, st, path)
	switch fi[0].Mode().Type() {
	case 0:
		return false, c.content(sides, names, fi, path)
	case fs.ModeSymlink:
		return false, c.target(sides, names, path)
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		if a, b := st[0].Rdev, st[1].Rdev; a != b {
			return false, c.report(path, "device", a, b)
		}
	}
	return fi[0].IsDir(), nil
}

func (c *comparison) metadata(fi [2]fs.FileInfo, st [2]*syscall.Stat_t, path string) error {
	if a, b := st[0].Mode&0o7777, st[1].Mode&0o7777; a != b && fi[0].Mode()&fs.ModeSymlink == 0 {
		if err := c.report(path, "mode", fmt.Sprintf("%04o", a), fmt.Sprintf("%04o", b)); err != nil {
			return err
		}
	}
	if st[0].Uid != st[1].Uid || st[0].Gid != st[1].Gid {
		a, b := fmt.Sprint(st[0].Uid, ":", st[0].Gid), fmt.Sprint(st[1].Uid, ":", st[1].Gid)
		if err := c.report(path, "owner", a, b); err != nil {
			return err
		}
	}
	if a, b := fi[0].ModTime(), fi[1].ModTime(); !a.Equal(b) {
		return c.report(path, "mtime", a.UTC().Format("2006-01-02T15:04:05.999999999Z"), b.UTC().Format("2006-01-02T15:04:05.999999999Z"))
	}
	return nil
}

func (c *comparison) target(sides [2]side, names [2]string, path string) error {
	var t [2]string
	for i, s := range sides {
		var err error
		if t[i], err = s.root.Readlink(names[i]); err != nil {
			return c.report(path, "error", err, "")
		}
	}
	if t[0] != t[1] {
		return c.report(path, "target", strconv.Quote(t[0]), strconv.Quote(t[1]))
	}
	return nil
}

func (c *comparison) xattrs(sides [2]side, names [2]string, path string) error {
	var all [2]map[string][]byte
	for i, s := range sides {
		var err error
		if all[i], err = attributes(s, names[i]); err != nil {
			return c.report(path, "error", err, "")
		}
	}
	for name, a := range all[0] {
		b, ok := all[1][name]
		if !ok || !bytes.Equal(a, b) {
			if err := c.report(path, "xattr "+name, show(a, true), show(b, ok)); err != nil {
				return err
			}
		}
	}
	for name, b := range all[1] {
		if _, ok := all[0][name]; !ok {
			if err := c.report(path, "xattr "+name, show(nil, false), show(b, true)); err != nil {
				return err
			}
		}
	}
	return nil
}

func show(value []byte, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%.60q", value)
}

// attributes returns the extended attributes of a thing itself.
func attributes(s side, name string) (map[string][]byte, error) {
	at := filepath.Join(s.root.Name(), name)
	if runtime.GOOS == "linux" {
		at = fmt.Sprintf("/proc/self/fd/%d/%s", s.dir.Fd(), name)
	}
	list, err := xattr.LList(at)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, n := range list {
		if out[n], err = xattr.LGet(at, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// content compares two regular files byte by byte.
func (c *comparison) content(sides [2]side, names [2]string, fi [2]fs.FileInfo, path string) error {
	if a, b := fi[0].Size(), fi[1].Size(); a != b {
		return c.report(path, "size", a, b)
	}
	var f [2]*os.File
	for i, s := range sides {
		var err error
		if f[i], err = s.root.OpenFile(names[i], os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
			return c.report(path, "error", err, "")
		}
		defer f[i].Close()
	}
	if err := c.holes(f, fi[0].Size(), path); err != nil {
		return err
	}
	at, err := firstDifference(f[0], f[1])
	if err != nil {
		return c.report(path, "error", err, "")
	}
	if at >= 0 {
		return c.report(path, "content", fmt.Sprint("at byte ", at), "differs")
	}
	return nil
}

// firstDifference returns where two streams differ, or -1.
func firstDifference(a, b io.Reader) (int64, error) {
	bufA, bufB := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(a, bufA)
		m, err2 := io.ReadFull(b, bufB)
		for _, e := range []error{err, err2} {
			if e != nil && e != io.EOF && e != io.ErrUnexpectedEOF {
				return 0, e
			}
		}
		for i := range min(n, m) {
			if bufA[i] != bufB[i] {
				return at + int64(i), nil
			}
		}
		if n != m {
			return at + int64(min(n, m)), nil
		}
		if n < len(bufA) {
			return -1, nil
		}
		at += int64(n)
	}
}

const countedHole = 64 << 10 // smaller ones may come and go

// holes compares how much of two files is in holes: an eighth, or four small
// ones, is not told.
func (c *comparison) holes(f [2]*os.File, size int64, path string) error {
	a, b := inHoles(f[0], size), inHoles(f[1], size)
	if gap := max(a, b) - min(a, b); gap > max(4*countedHole, max(a, b)/8) {
		return c.report(path, "holes", fmt.Sprint(a, " bytes"), fmt.Sprint(b, " bytes"))
	}
	return nil
}

func inHoles(f *os.File, size int64) (sum int64) {
	seekData, seekHole := 3, 4
	if runtime.GOOS == "darwin" {
		seekData, seekHole = 4, 3
	}
	fd := int(f.Fd())
	for at := int64(0); at < size; {
		hole, err := syscall.Seek(fd, at, seekHole)
		if err != nil || hole >= size {
			break
		}
		data, err := syscall.Seek(fd, hole, seekData)
		if err != nil {
			data = size
		}
		if data-hole >= countedHole {
			sum += data - hole
		}
		at = max(data, at+1)
	}
	_, _ = syscall.Seek(fd, 0, io.SeekStart)
	return sum
}

// group notes things that have several names.
func (c *comparison) group(fi [2]fs.FileInfo, st [2]*syscall.Stat_t, path string) {
	if fi[0].IsDir() {
		return
	}
	for i := range st {
		id := inode{uint64(st[i].Dev), st[i].Ino}
		c.groups[i][id] = append(c.groups[i][id], path)
	}
}

// compareGroups compares which of the common paths are names of one thing.
func (c *comparison) compareGroups() {
	var leaders [2]map[string]string
	for i, groups := range c.groups {
		leaders[i] = map[string]string{}
		for _, paths := range groups {
			slices.Sort(paths)
			for _, p := range paths {
				leaders[i][p] = paths[0]
			}
		}
	}
	paths := make([]string, 0, len(leaders[0]))
	for p := range leaders[0] {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, strings.Compare)
	for _, p := range paths {
		if a, b := leaders[0][p], leaders[1][p]; a != b {
			if c.report(p, "hard link", "of "+strconv.Quote(a), "of "+strconv.Quote(b)) != nil {
				return
			}
		}
	}
}
