package canon

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// MaxNumber is the largest number that a name can carry.
const MaxNumber = 9_999_999_999

// FolderSize is how many numbers share a folder.
const FolderSize = 1024

// Number returns n as names carry it: ten digits with leading zeros, so that
// names sort as numbers do.
func Number(n uint64) string { return fmt.Sprintf("%010d", n) }

// ParseNumber reads what [Number] gives.
func ParseNumber(s string) (uint64, error) {
	if len(s) != 10 || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("number %.20q: want ten digits", s)
	}
	return strconv.ParseUint(s, 10, 64)
}

// Sum returns a SHA-256 as lower-case hex.
func Sum(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

// ParseSum reads what [Sum] gives.
func ParseSum(s string) (sum [32]byte, err error) {
	if err := CheckHex(s, 64); err != nil {
		return sum, fmt.Errorf("SHA-256 %.70q: %w", s, err)
	}
	hex.Decode(sum[:], []byte(s))
	return sum, nil
}

// CheckHex reports whether s is n lower-case hex digits.
func CheckHex(s string, n int) error {
	if len(s) != n || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Errorf("want %d lower-case hex digits", n)
	}
	return nil
}

// Numbered returns the name `<number>-<sha256>`, the last component of most
// names.
func Numbered(n uint64, sum [32]byte) string { return Number(n) + "-" + Sum(sum) }

// ParseNumbered reads what [Numbered] gives.
func ParseNumbered(s string) (n uint64, sum [32]byte, err error) {
	number, hash, ok := strings.Cut(s, "-")
	if !ok {
		return 0, sum, fmt.Errorf("name %.90q: want <number>-<sha256>", s)
	}
	if n, err = ParseNumber(number); err != nil {
		return 0, sum, fmt.Errorf("name %.90q: %w", s, err)
	}
	if sum, err = ParseSum(hash); err != nil {
		return 0, sum, fmt.Errorf("name %.90q: %w", s, err)
	}
	return n, sum, nil
}

// CheckName reports whether s could name any object at all: at most 512
// bytes of a-z 0-9 . - _ and / without empty or dot components.
func CheckName(s string) error {
	if len(s) == 0 || len(s) > 512 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-_/") != "" {
		return fmt.Errorf("object name %.90q: want up to 512 characters of a-z 0-9 . - _ /", s)
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("object name %.90q: has an empty or dot component", s)
		}
	}
	return nil
}
