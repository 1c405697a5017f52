package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
)

// PublicText returns pub as an SSH public key: "ssh-ed25519 AAAA...".
func PublicText(pub ed25519.PublicKey) string {
	return keyType + " " + base64.StdEncoding.EncodeToString(keyBlob(pub))
}

// ParsePublic reads what [PublicText] gives, and no other spelling of it.
func ParsePublic(s string) (ed25519.PublicKey, error) {
	text, ok := strings.CutPrefix(s, keyType+" ")
	blob, err := base64.StdEncoding.Strict().DecodeString(text)
	prefix := keyBlob(nil)
	prefix[len(prefix)-1] = ed25519.PublicKeySize // the length field of the key that follows
	if !ok || err != nil || len(blob) != len(prefix)+ed25519.PublicKeySize || !bytes.HasPrefix(blob, prefix) {
		return nil, fmt.Errorf("public key %.90q: want \"ssh-ed25519 AAAA...\" and nothing after it", s)
	}
	pub := ed25519.PublicKey(blob[len(prefix):])
	if PublicText(pub) != s {
		return nil, fmt.Errorf("public key %.90q: not in canonical form", s)
	}
	return pub, nil
}

// AllowedSigners returns a line, without newline, for the file that
// `ssh-keygen -Y verify -f` reads: principal may sign with pub in namespaces.
func AllowedSigners(principal string, namespaces []string, pub ed25519.PublicKey) string {
	return fmt.Sprintf("%s namespaces=%q %s", principal, strings.Join(namespaces, ","), PublicText(pub))
}
