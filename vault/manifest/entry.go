package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"coffer/chunk"
	"coffer/files"
)

// Limits of the format. What is larger is not encoded, and refused when read.
const (
	MaxLine        = 256 << 10 // bytes of a line without its newline
	MaxSegment     = 2 << 20   // bytes of a segment, a list chunk or a large xattr
	MaxItems       = 4096      // lines of a segment after its series table
	MaxLevel       = 12        // of a segment; 4 levels are 10^10 entries
	MaxPath        = 32 << 10  // bytes of a path
	MaxInlineXattr = 4 << 10   // bytes of an xattr's value in the line
	MaxHoles       = 4096      // of one file
	MaxInlineRefs  = 64        // refs in a line, of content or of list chunks
	MaxListRefs    = 1024      // refs in a list chunk
	MaxListDepth   = 4         // 64 * 1024^4 refs
)

// ErrTooLarge says that an entry cannot be stored as it is: its path, its
// attributes or its line exceed a limit. The rest of the tree can.
var ErrTooLarge = errors.New("too large for the manifest")

// An Entry is one file system object of a snapshot, with the places of its
// content.
type Entry struct {
	Path string // relative to the root, components joined by '/'; "" is the root itself

	// Of Stat, the fields for change detection (Ctime to Blocks) are not
	// stored. Size is the length of the content that was read, which the refs
	// add up to: if the file changed meanwhile, not what stat said.
	files.Stat

	// Xattrs ascend by name and hold what stands in the line; see BigXattrs.
	files.Detail
	BigXattrs []BigXattr // ascending by name, none of them in Xattrs

	Link [8]byte // hard-link group (see LinkGroup); zero: none

	Refs        []chunk.Ref // of the content, or of list chunks if ListDepth > 0
	ListDepth   int
	ContentHash chunk.ID // only if ListDepth > 0; see ContentHash

	Changed bool   // the content changed while it was read
	Err     string // what could not be read of it

	scratch []byte // backs the strings that do not stand in the line as they are
}

// A BigXattr is an extended attribute whose value is a chunk of its own.
type BigXattr struct {
	Name string
	Ref  chunk.Ref
}

// Clone returns a copy of e that shares no memory with it or with the line it
// was parsed from.
func (e *Entry) Clone() *Entry {
	c := *e
	c.scratch = nil
	for _, s := range []*string{&c.Path, &c.User, &c.Group, &c.Target, &c.Err} {
		*s = strings.Clone(*s)
	}
	c.Holes = slices.Clone(e.Holes)
	c.Refs = slices.Clone(e.Refs)
	c.Xattrs = slices.Clone(e.Xattrs)
	for i, x := range c.Xattrs {
		c.Xattrs[i] = files.Xattr{Name: strings.Clone(x.Name), Value: slices.Clone(x.Value)}
	}
	c.BigXattrs = slices.Clone(e.BigXattrs)
	for i := range c.BigXattrs {
		c.BigXattrs[i].Name = strings.Clone(c.BigXattrs[i].Name)
	}
	return &c
}

// Check says whether e can be encoded, that is whether its line will be
// accepted by ParseEntry as long as it is not longer than MaxLine.
func (e *Entry) Check() error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	return e.checkFields()
}

// checkFields is Check for all but the path.
func (e *Entry) checkFields() error {
	if err := e.checkStat(); err != nil {
		return err
	}
	if err := e.checkContent(); err != nil {
		return err
	}
	if len(e.Holes) > 0 {
		if err := checkHoles(e.Holes, e.Size); err != nil {
			return err
		}
	}
	if len(e.Xattrs)+len(e.BigXattrs) > 0 {
		return e.checkXattrs()
	}
	return nil
}

func (e *Entry) checkStat() error {
	switch e.Type {
	case files.Regular:
	case files.Dir, files.Symlink, files.FIFO, files.Char, files.Block, files.Socket:
		if e.Size != 0 {
			return fmt.Errorf("size %d in an entry of type %c", e.Size, e.Type)
		}
	default:
		return fmt.Errorf("unknown type %q", rune(e.Type))
	}
	switch {
	case e.Mode > 07777:
		return fmt.Errorf("mode %#o is more than permissions", e.Mode)
	case e.Size < 0:
		return fmt.Errorf("negative size %d", e.Size)
	case e.Mtime.Nsec < 0 || e.Mtime.Nsec >= 1e9:
		return fmt.Errorf("mtime with %d nanoseconds", e.Mtime.Nsec)
	case e.Rdev != 0 && e.Type != files.Char && e.Type != files.Block:
		return fmt.Errorf("device number in an entry of type %c", e.Type)
	case e.Target != "" && e.Type != files.Symlink:
		return fmt.Errorf("target in an entry of type %c", e.Type)
	case e.Link != [8]byte{} && e.Type == files.Dir:
		return errors.New("link group in a folder")
	}
	return nil
}

func (e *Entry) checkContent() error {
	switch {
	case e.Type != files.Regular && len(e.Refs)+len(e.Holes) > 0:
		return fmt.Errorf("content in an entry of type %c", e.Type)
	case e.ListDepth < 0 || e.ListDepth > MaxListDepth:
		return fmt.Errorf("list of depth %d", e.ListDepth)
	case len(e.Refs) > MaxInlineRefs:
		return fmt.Errorf("%d refs in one line", len(e.Refs))
	case e.ListDepth > 0 && len(e.Refs) == 0:
		return errors.New("empty list")
	case (e.ListDepth > 0) != (e.ContentHash != chunk.ID{}):
		return errors.New("content hash without list, or list without content hash")
	}
	var sum int64
	for i := range e.Refs {
		if err := checkRef(&e.Refs[i]); err != nil {
			return err
		}
		if sum += e.Refs[i].Len; e.ListDepth == 0 && (sum < 0 || sum > e.Size) {
			return fmt.Errorf("more content than its size of %d bytes", e.Size)
		}
	}
	return nil
}

// checkRef refuses what no pack can hold, and so keeps Offset+Len from
// overflowing for all who read it.
func checkRef(r *chunk.Ref) error {
	if r.Offset < 0 || r.Len < 1 || r.Offset+r.Len < 0 {
		return fmt.Errorf("ref to %d bytes at offset %d", r.Len, r.Offset)
	}
	return nil
}

func checkHoles(holes []files.Hole, size int64) error {
	if len(holes) > MaxHoles {
		return fmt.Errorf("%w: %d holes", ErrTooLarge, len(holes))
	}
	end := int64(-1)
	for _, h := range holes {
		if h.Off <= end || h.Len < 1 || h.Off+h.Len < 0 || h.Off+h.Len > size {
			return fmt.Errorf("hole of %d bytes at offset %d in a file of %d", h.Len, h.Off, size)
		}
		end = h.Off + h.Len
	}
	return nil
}

func (e *Entry) checkXattrs() error {
	last := ""
	for small, big := e.Xattrs, e.BigXattrs; len(small)+len(big) > 0; {
		name := ""
		if smallFirst(small, big) {
			if name = small[0].Name; len(small[0].Value) > MaxInlineXattr {
				return fmt.Errorf("%w: xattr %q of %d bytes in the line", ErrTooLarge, name, len(small[0].Value))
			}
			small = small[1:]
		} else {
			name = big[0].Name
			if err := checkRef(&big[0].Ref); err != nil || big[0].Ref.Len > MaxSegment {
				return fmt.Errorf("xattr %q: ref to %d bytes at offset %d", name, big[0].Ref.Len, big[0].Ref.Offset)
			}
			big = big[1:]
		}
		if name <= last { // also refuses ""
			return fmt.Errorf("xattr %q is out of order", name)
		}
		last = name
	}
	return nil
}

// smallFirst says which of two sorted lists, not both empty, has the next
// xattr of the line.
func smallFirst(small []files.Xattr, big []BigXattr) bool {
	return len(big) == 0 || len(small) > 0 && small[0].Name < big[0].Name
}
