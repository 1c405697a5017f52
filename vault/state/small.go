package state

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

const maxSmallName = 100 // bytes

// ownNames are the entries of the folder that callers cannot name.
var ownNames = []string{
	deviceFile, formerFile, projectsFile, catalogFile, "index", "packs", "projects", woundsFolder, repackingFolder, "run.lock", "write.lock",
}

// checkSmallName lets a caller name a file of its own, and nothing else:
// neither a path nor what this package keeps. Case does not count, because on
// some disks it does not.
func checkSmallName(name string) error {
	// Behind a dot are temporary files, which the next run removes.
	if name == "" || len(name) > maxSmallName || name[0] == '.' {
		return fmt.Errorf("file name %.100q is not in its form", name)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return fmt.Errorf("file name %q is not in its form", name)
		}
	}
	if slices.ContainsFunc(ownNames, func(own string) bool { return strings.EqualFold(own, name) }) {
		return fmt.Errorf("file name %s is taken", name)
	}
	return nil
}

// ReadSmall reads a file that [Dir.WriteSmall] wrote: [fs.ErrNotExist] where
// there is none, [ErrDamaged] where it is not what was written, or not a T.
func ReadSmall[T any](d *Dir, name string) (*T, error) {
	if err := checkSmallName(name); err != nil {
		return nil, fmt.Errorf("read small file: %w", err)
	}
	return readSealed[T](d.file(name))
}

// WriteSmall puts v, a struct with at least one member, in place of the file
// of that name, durably. The name is of letters, digits, dots and dashes. A
// string in v that may not be UTF-8 must be a [Text].
func (d *Dir) WriteSmall(name string, v any) error {
	s, err := EncodeSmall(name, v)
	if err != nil {
		return err
	}
	return d.PutSmall(s, true)
}

// A Small is a small file as it is written. The zero value is none.
type Small struct {
	name string
	data []byte
}

// EncodeSmall makes of v what [Dir.WriteSmall] writes.
func EncodeSmall(name string, v any) (Small, error) {
	if err := checkSmallName(name); err != nil {
		return Small{}, fmt.Errorf("write small file: %w", err)
	}
	data, err := sealLine(v)
	if err != nil {
		return Small{}, fmt.Errorf("write %s: %w", name, err)
	}
	return Small{name, data}, nil
}

// Equal tells whether both are the same file with the same content.
func (s Small) Equal(o Small) bool { return s.name == o.name && bytes.Equal(s.data, o.data) }

// PutSmall puts s in place of the file of its name. After a crash either the
// former one or s is there, whole; after a return with durable it is s.
func (d *Dir) PutSmall(s Small, durable bool) error {
	replace := exchangeFile
	if durable {
		replace = replaceFile
	}
	if err := d.change(func() error { return replace(d.file(s.name), s.data) }); err != nil {
		return fmt.Errorf("write %s: %w", s.name, err)
	}
	return nil
}
