package seal

import (
	"bytes"
	"errors"
	"fmt"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// parseSSHRecipient returns the canonical text of an SSH public key, and the
// key as a recipient.
func parseSSHRecipient(line string) (string, age.Recipient, error) {
	text, err := canonicalSSH(line)
	if err != nil {
		return "", nil, err
	}
	r, err := agessh.ParseRecipient(text)
	if err != nil {
		return "", nil, errors.New("not a usable SSH public key")
	}
	return text, r, nil
}

// parseSSHIdentity reads an SSH private key file.
func parseSSHIdentity(pem string) (Identities, error) {
	b := bytes.ReplaceAll([]byte(pem+"\n"), []byte("\r\n"), []byte("\n"))
	id, err := agessh.ParseIdentity(b)
	if err != nil {
		return Identities{}, fmt.Errorf("read SSH private key: %w (it must be Ed25519 or RSA, and have no passphrase)", err)
	}
	return Identities{ssh: []age.Identity{id}}, nil
}
