package chunk

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// An ID names a chunk: HMAC-SHA-256 of its plaintext under the vault's key
// for that kind of chunk (see [Hasher]). It is never truncated. In text it is
// unpadded base64url, 43 characters.
type ID [32]byte

// String returns the text form of id.
func (id ID) String() string { return string(id.AppendText(nil)) }

// AppendText appends the text form of id to b. It allocates only when b has
// no room.
func (id ID) AppendText(b []byte) []byte { return base64.RawURLEncoding.AppendEncode(b, id[:]) }

// ParseID reads the text form. It refuses every other spelling of the same
// bytes, so that an encoding has one form only.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 43 {
		return id, fmt.Errorf("chunk ID %.60q: want 43 characters of base64url", s)
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(s)); err != nil || n != len(id) {
		return ID{}, fmt.Errorf("chunk ID %q: not base64url", s)
	}
	return id, nil
}

// Kind says what a chunk holds. Each kind has a key, a series and packs of
// its own, so that listing never fetches file data and one kind can never be
// taken for the other.
type Kind byte

const (
	Data    Kind = 'd' // a piece of file content
	Segment Kind = 's' // a piece of a manifest, a list of refs, or a large xattr
)

// A Series names a run of pack numbers: one device, one kind, one recipient
// set. In text it is 16 hex digits.
type Series [8]byte

// String returns the text form of s.
func (s Series) String() string { return hex.EncodeToString(s[:]) }

// ParseSeries reads the text form.
func ParseSeries(s string) (Series, error) {
	var v Series
	if len(s) != 2*len(v) {
		return v, fmt.Errorf("series %.40q: want 16 hex digits", s)
	}
	if _, err := hex.Decode(v[:], []byte(s)); err != nil || v.String() != s {
		return Series{}, fmt.Errorf("series %q: want 16 lower-case hex digits", s)
	}
	return v, nil
}

// A Ref says where a chunk is. Offset and Len count bytes in the pack's
// content, that is in what `age -d | zstd -d` of the pack gives. A Ref names
// the pack by series and number; which stored object that is, is said by the
// ledger of the snapshot.
type Ref struct {
	ID     ID
	Series Series
	Number uint32 // of the pack in its series
	Offset int64
	Len    int64
}
