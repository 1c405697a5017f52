package chunk

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// A Key is a secret under which chunks are named and other values hashed. A
// vault has one for data and one for segments. It prints as a placeholder, so
// that no log or error can carry it; its text form is given by [Key.Text].
type Key [32]byte

// NewKey returns a random key.
func NewKey() (Key, error) {
	var k Key
	_, err := rand.Read(k[:])
	return k, err
}

// Text returns the secret as unpadded base64url, 43 characters.
func (k Key) Text() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

// ParseKey reads what [Key.Text] gives and refuses every other spelling of
// the same bytes. Its errors do not quote the input.
func ParseKey(s string) (Key, error) {
	var k Key
	if len(s) != 43 {
		return k, errors.New("chunk key: want 43 characters of base64url")
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(k[:], []byte(s)); err != nil || n != len(k) {
		return Key{}, errors.New("chunk key: not base64url")
	}
	return k, nil
}

// String hides the key.
func (k Key) String() string { return "(secret)" }

// GoString hides the key.
func (k Key) GoString() string { return "chunk.Key(secret)" }
