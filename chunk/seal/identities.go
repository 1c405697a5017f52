package seal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Identities is what opens objects: native identities, or an SSH private key.
// The zero value opens nothing. A passphrase is never one of them: no object
// on a remote is sealed to one, and a forged one could cost much work.
type Identities struct {
	native []*Identity
	ssh    []age.Identity
}

// ErrWrapped says that what was given as identities is encrypted with a
// passphrase, see [UnwrapPassphrase].
var ErrWrapped = errors.New("the identity is wrapped with a passphrase")

// maxIdentityFile bounds what is read as identities, in bytes; maxIdentities
// how many an identity file may hold.
const (
	maxIdentityFile = 64 << 10
	maxIdentities   = 64
)

// NewIdentities returns the identities given.
func NewIdentities(ids ...*Identity) Identities {
	return Identities{native: slices.Clone(ids)}
}

// ParseIdentities reads an age identity file, which the recovery kit is too,
// or an SSH private key without a passphrase. In an identity file blank lines
// and # comments are passed over, and byte order marks and foreign line ends
// forgiven. The error wraps [ErrWrapped] if the file is encrypted with a
// passphrase.
func ParseIdentities(r io.Reader) (Identities, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxIdentityFile+1))
	if err != nil {
		return Identities{}, fmt.Errorf("read identities: %w", err)
	}
	text := trim(string(b))
	switch {
	case len(b) > maxIdentityFile:
		return Identities{}, fmt.Errorf("identity file is over %d bytes", maxIdentityFile)
	case strings.HasPrefix(text, armor.Header), strings.HasPrefix(text, intro[:len(intro)-1]):
		return Identities{}, ErrWrapped
	case strings.HasPrefix(text, "-----BEGIN"):
		return parseSSHIdentity(text)
	}
	return parseLines(text)
}

func parseLines(text string) (Identities, error) {
	var ids Identities
	n := 0
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "\n")) {
		n++
		if line = trim(line); line == "" || line[0] == '#' {
			continue
		}
		id, err := ParseIdentity(line)
		if err != nil {
			return Identities{}, fmt.Errorf("identity file line %d: %w", n, err)
		}
		if ids.native = append(ids.native, id); len(ids.native) > maxIdentities {
			return Identities{}, fmt.Errorf("identity file: more than %d identities", maxIdentities)
		}
	}
	if len(ids.native) == 0 {
		return Identities{}, errors.New("identity file: no identity in it")
	}
	return ids, nil
}

// Native returns the native identities.
func (i Identities) Native() []*Identity { return slices.Clone(i.native) }

// Len returns the number of identities.
func (i Identities) Len() int { return len(i.native) + len(i.ssh) }

// age returns the identities as package age wants them.
func (i Identities) age() []age.Identity {
	all := make([]age.Identity, 0, i.Len())
	for _, id := range i.native {
		all = append(all, id.id)
	}
	return append(all, i.ssh...)
}
