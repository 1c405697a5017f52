package prooftest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Kind is what a [Change] does.
type Kind string

const (
	Create   Kind = "create"   // a file, if there is none
	Truncate Kind = "truncate" // to Off bytes
	Write    Kind = "write"    // Data at Off
	Sync     Kind = "sync"     // a file's bytes, or a folder's names
	Rename   Kind = "rename"   // Path to To
	Link     Kind = "link"     // To is another name of Path
	Symlink  Kind = "symlink"  // To points to Path, which is taken as it is
	Remove   Kind = "remove"
	Folder   Kind = "folder"
	Times    Kind = "times" // the time of modification is Off nanoseconds since 1970
)

// A Change is one thing that a process did to a folder. Paths are relative to
// it.
type Change struct {
	Kind Kind
	Path string
	To   string
	Off  int64
	Data []byte
}

// A Loss is what a machine that stops does to what was not synced.
type Loss int

const (
	Nothing Loss = iota // only the process died
	Bytes               // the names are there, the bytes are not
	Zeros               // names and lengths are there, the bytes are zeros
	Names               // neither names nor bytes
)

// A Disk is a folder and what of it has been synced. What lies below Durable
// always has: that is a remote, which answers only when it keeps.
type Disk struct {
	Durable string
	names   map[string]*node
	synced  map[string]*node // the names that are sure to be there
}

// A node is a file, a folder or a link.
type node struct {
	folder bool
	link   string
	data   []byte
	synced []byte
	time   int64 // of modification; 0: that of the writing
}

// Load reads a folder, all of which is taken to be synced.
func Load(dir, durable string) (*Disk, error) {
	d := &Disk{Durable: durable, names: map[string]*node{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		n := &node{folder: e.IsDir(), time: info.ModTime().UnixNano()}
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			n.link, err = os.Readlink(path)
		case e.Type().IsRegular():
			n.data, err = os.ReadFile(path)
		}
		n.synced = n.data
		d.names[path[len(dir)+1:]] = n
		return err
	})
	d.synced = maps.Clone(d.names)
	return d, err
}

// Clone returns a copy that goes its own way.
func (d *Disk) Clone() *Disk {
	copied := map[*node]*node{}
	clone := func(names map[string]*node) map[string]*node {
		out := make(map[string]*node, len(names))
		for path, n := range names {
			if copied[n] == nil {
				c := *n
				copied[n] = &c
			}
			out[path] = copied[n]
		}
		return out
	}
	return &Disk{Durable: d.Durable, names: clone(d.names), synced: clone(d.synced)}
}

// Do does a change. Bytes are never changed in place: clones share them.
func (d *Disk) Do(c Change) {
	n := d.names[c.Path]
	switch c.Kind {
	case Create:
		if n == nil {
			d.names[c.Path] = &node{}
		}
	case Truncate:
		n.data = resize(n.data, c.Off)
	case Write:
		n.data = resize(n.data, max(int64(len(n.data)), c.Off+int64(len(c.Data))))
		copy(n.data[c.Off:], c.Data)
	case Sync:
		d.sync(c.Path, n)
	case Rename:
		d.move(c.Path, c.To)
	case Link:
		d.names[c.To] = n
	case Symlink:
		d.names[c.To] = &node{link: c.Path}
	case Remove:
		delete(d.names, c.Path)
	case Folder:
		d.names[c.Path] = &node{folder: true}
	case Times:
		if n != nil {
			n.time = c.Off
		}
	}
	if d.Durable != "" && strings.HasPrefix(c.Path, d.Durable) {
		d.harden(c.Path)
		d.harden(c.To)
	}
}

func resize(b []byte, n int64) []byte {
	out := make([]byte, n)
	copy(out, b)
	return out
}

// move moves a name, and those below it.
func (d *Disk) move(from, to string) {
	delete(d.names, to)
	for _, path := range slices.Collect(maps.Keys(d.names)) {
		if path == from || strings.HasPrefix(path, from+"/") {
			d.names[to+path[len(from):]] = d.names[path]
			delete(d.names, path)
		}
	}
}

// sync makes a file's bytes sure, or the names in a folder ("" is the folder
// itself).
func (d *Disk) sync(path string, n *node) {
	if n != nil && !n.folder {
		n.synced = n.data
		return
	}
	for name := range d.synced {
		if parent(name) == path && d.names[name] == nil {
			delete(d.synced, name)
		}
	}
	for name, n := range d.names {
		if parent(name) == path {
			d.synced[name] = n
		}
	}
}

// harden makes one name and its bytes sure.
func (d *Disk) harden(path string) {
	n := d.names[path]
	if n == nil {
		delete(d.synced, path)
		return
	}
	n.synced = n.data
	d.synced[path] = n
}

func parent(path string) string {
	if dir := filepath.Dir(path); dir != "." {
		return dir
	}
	return ""
}

// After returns the disk as a machine finds it that stopped now.
func (d *Disk) After(l Loss) *Disk {
	c := d.Clone()
	if l == Names {
		c.names = c.synced
		for path := range c.names { // a name needs its folder
			for dir := parent(path); dir != ""; dir = parent(dir) {
				if c.names[dir] == nil {
					delete(c.names, path)
				}
			}
		}
	}
	for _, n := range c.names {
		if n.folder || l == Nothing {
			continue
		}
		size := int64(len(n.data))
		n.data = n.synced
		if l == Zeros {
			n.data = resize(n.synced, size)
		}
		n.synced = n.data
	}
	c.synced = maps.Clone(c.names)
	return c
}

// Sum tells disks apart by what lies below a path, "" being all. Times do not
// count.
func (d *Disk) Sum(below string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		if !strings.HasPrefix(path, below) {
			continue
		}
		n := d.names[path]
		for _, b := range [][]byte{[]byte(path), []byte(n.link), n.data} {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
			h.Write(b)
		}
		if n.folder {
			h.Write([]byte{1})
		}
	}
	h.Sum(sum[:0])
	return sum
}

// Files yields the bytes of the regular files below a folder by what follows
// the folder in their paths.
func (d *Disk) Files(below string) map[string][]byte {
	out := map[string][]byte{}
	for path, n := range d.names {
		if rest, ok := strings.CutPrefix(path, below+"/"); ok && !n.folder && n.link == "" {
			out[rest] = bytes.Clone(n.data)
		}
	}
	return out
}

// Save writes the disk into a folder, which must be empty, for the owner alone.
func (d *Disk) Save(dir string) error {
	first := map[*node]string{}
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		n, to := d.names[path], filepath.Join(dir, path)
		var err error
		switch {
		case n.folder:
			err = os.Mkdir(to, 0o700)
		case n.link != "":
			err = os.Symlink(n.link, to)
		case first[n] != "":
			err = os.Link(first[n], to)
		default:
			first[n] = to
			if err = os.WriteFile(to, n.data, 0o600); err == nil && n.time != 0 {
				err = os.Chtimes(to, time.Time{}, time.Unix(0, n.time))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
