package seal

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"filippo.io/age"
)

// An Identity is one native age secret key: post-quantum, or classic
// (X25519).
type Identity struct {
	id        age.Identity
	secret    string
	recipient string
}

// Generate makes a new identity, post-quantum unless classic is set.
func Generate(classic bool) (*Identity, error) {
	if classic {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, fmt.Errorf("make identity: %w", err)
		}
		return newClassic(id), nil
	}
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	return newHybrid(id), nil
}

func newHybrid(id *age.HybridIdentity) *Identity {
	return &Identity{id, id.String(), id.Recipient().String()}
}

func newClassic(id *age.X25519Identity) *Identity {
	return &Identity{id, id.String(), id.Recipient().String()}
}

// ParseIdentity reads an age secret key. It forgives what happens to a line
// that is copied about: blanks and byte order marks around it, and lower case.
// Its errors do not quote the line.
func ParseIdentity(s string) (*Identity, error) {
	s = strings.ToUpper(trim(s))
	if strings.HasPrefix(s, "AGE-PLUGIN-") {
		return nil, errors.New("identities of age plugins are not supported: open the object with the age tool")
	}
	if id, err := age.ParseHybridIdentity(s); err == nil {
		return newHybrid(id), nil
	}
	if id, err := age.ParseX25519Identity(s); err == nil {
		return newClassic(id), nil
	}
	return nil, errors.New("not an age secret key (AGE-SECRET-KEY-...), or a character of it is wrong or missing")
}

// trim cuts off blanks of all kinds, among them the invisible ones that
// editors and mail programs leave at the ends of lines.
func trim(s string) string {
	return strings.Trim(s, " \t\r\n\v\f\u0085\u00a0\u2028\u2029\u200b\u200c\u200d\u2060\ufeff")
}

// String returns the SECRET key in its canonical spelling, upper case. Keys
// derived from an identity are derived from this.
func (i *Identity) String() string { return i.secret }

// LogValue keeps the secret out of logs.
func (i *Identity) LogValue() slog.Value { return slog.StringValue("(secret)") }

// Recipient returns the public key.
func (i *Identity) Recipient() string { return i.recipient }

// PostQuantum reports whether the key is a post-quantum one.
func (i *Identity) PostQuantum() bool { return isHybrid(i.recipient) }
