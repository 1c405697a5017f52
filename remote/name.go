package remote

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
)

// MaxName and MaxComponent bound a name and each part of it between slashes,
// in bytes. The second is what every usual file system takes.
const (
	MaxName      = 512
	MaxComponent = 255
)

// CheckName refuses what is not the name of an object, with an error that
// wraps [fs.ErrInvalid]. A component may not begin with a dot: those names
// belong to the stores themselves (temporary and pending files).
//
// One thing it cannot see: a name must not be the folder of another ("a" and
// "a/b"), because a directory cannot hold both.
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("check object name: empty: %w", fs.ErrInvalid)
	}
	if err := CheckPrefix(name); err != nil {
		return err
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || len(part) > MaxComponent {
			return badName(name)
		}
	}
	return nil
}

// CheckPrefix refuses what can neither begin nor be the name of an object. It
// is the check for what a listing is asked for; "" is fine.
func CheckPrefix(prefix string) error {
	if len(prefix) > MaxName {
		return badName(prefix)
	}
	for i := range len(prefix) {
		if !nameByte(prefix[i]) {
			return badName(prefix)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' || c == '/'
}

func badName(name string) error {
	if len(name) > 80 {
		name = name[:80] + "..."
	}
	return fmt.Errorf("check object name %q: %w", name, fs.ErrInvalid)
}

// CheckObject refuses an object that no store takes: a bad name, or more than
// [MaxObject] bytes.
func CheckObject(o Object) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if len(o.Data) > MaxObject {
		return fmt.Errorf("check object %s: %d bytes are too many: %w", o.Name, len(o.Data), fs.ErrInvalid)
	}
	return nil
}

// CheckSum takes the last look at the bytes of an object before they are on their
// way: what no longer has the hash it is named by changed in memory, and must not
// be stored. The error wraps [ErrDamaged].
func CheckSum(o Object) error {
	if sha256.Sum256(o.Data) != o.Sum {
		return fmt.Errorf("%w: %s changed in memory; nothing was stored", ErrDamaged, o.Name)
	}
	return nil
}

// CheckRange refuses what [Store.Get] cannot be asked for.
func CheckRange(name string, off int64) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if off < 0 {
		return fmt.Errorf("check range of %s: offset %d: %w", name, off, fs.ErrInvalid)
	}
	return nil
}
