package trust

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
)

// PublicText returns pub as an SSH public key: "ssh-ed25519 AAAA...".
func PublicText(pub ed25519.PublicKey) string {
	return keyType + " " + base64.StdEncoding.EncodeToString(keyBlob(pub))
}

// ParsePublic reads what [PublicText] gives, and no other spelling of it:
// writing the key again and comparing is the strictest parser there is.
func ParsePublic(s string) (ed25519.PublicKey, error) {
	text, _ := strings.CutPrefix(s, keyType+" ")
	blob, _ := base64.StdEncoding.DecodeString(text)
	prefix := keyBlob(nil)
	if len(blob) != len(prefix)+ed25519.PublicKeySize || PublicText(blob[len(prefix):]) != s {
		return nil, fmt.Errorf("public key %.90q: want \"ssh-ed25519 AAAA...\" and nothing after it", s)
	}
	return blob[len(prefix):], nil
}

// AllowedSigners returns a line, without newline, for the file that
// `ssh-keygen -Y verify -f` reads: principal may sign with pub in namespaces.
func AllowedSigners(principal string, namespaces []string, pub ed25519.PublicKey) string {
	return fmt.Sprintf("%s namespaces=%q %s", principal, strings.Join(namespaces, ","), PublicText(pub))
}
