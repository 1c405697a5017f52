package seal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
)

// maxRecipients bounds a set: with eight post-quantum recipients the header is
// still under the 16 KiB that [Open] accepts. maxAudience bounds that of an
// object which is sealed to all devices too: its header is still under 64 KiB.
const (
	maxRecipients = 8
	maxAudience   = 36
)

// Recipients is a set of public keys, in canonical order and spelling, all post-quantum or all classic. The zero value is no recipients;
// nothing can be sealed to it.
//
// It holds the keys as text only. They are parsed anew for each object, so
// that what is sealed to is what [Recipients.Hash] covers: a bit flipped in
// memory is found, by the checksum of the key or by the hash.
type Recipients struct {
	texts []string
}

const (
	hybridPrefix  = "age1pq1"
	classicPrefix = "age1"
)

// ParseRecipients reads one to eight public keys: age1pq1... (post-quantum), age1...,
// ssh-ed25519 and ssh-rsa (classic). Blank lines, # comments and doubles are
// passed over. Keys that need a plugin are refused, because a stranger's
// machine has to open the objects too.
func ParseRecipients(lines []string) (Recipients, error) {
	return parseRecipients(lines, maxRecipients)
}

// ParseAudience is ParseRecipients for up to 36 keys. An object sealed to more
// than eight is opened with [OpenLimit].
func ParseAudience(lines []string) (Recipients, error) {
	return parseRecipients(lines, maxAudience)
}

func parseRecipients(lines []string, limit int) (Recipients, error) {
	var texts []string
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		text, _, err := parseRecipient(line)
		if err != nil {
			return Recipients{}, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	r := Recipients{slices.Compact(texts)}
	if r.Len() > limit {
		return Recipients{}, fmt.Errorf("%d recipients: at most %d", r.Len(), limit)
	}
	if err := r.check(); err != nil {
		return Recipients{}, err
	}
	return r, nil
}

// check makes sure that an object can be sealed to the set.
func (r Recipients) check() error {
	if len(r.texts) == 0 {
		return errors.New("no recipients")
	}
	for _, t := range r.texts {
		if isHybrid(t) != isHybrid(r.texts[0]) {
			return errors.New("post-quantum and classic recipients cannot be mixed: the object would be only as strong as the classic ones")
		}
	}
	return nil
}

func isHybrid(text string) bool { return strings.HasPrefix(text, hybridPrefix) }

// parseRecipient returns the canonical text of a public key, and the key.
// Its errors do not quote the line: it may be a secret key put in the wrong
// place.
func parseRecipient(line string) (string, age.Recipient, error) {
	switch {
	case strings.HasPrefix(line, "ssh-"):
		return parseSSHRecipient(line)
	case isHybrid(line):
		if r, err := age.ParseHybridRecipient(line); err == nil {
			return r.String(), r, nil
		}
		return "", nil, errors.New("not a post-quantum age public key, or damaged")
	case strings.HasPrefix(line, classicPrefix):
		return parseClassicRecipient(line)
	case strings.HasPrefix(strings.ToUpper(line), "AGE-"):
		return "", nil, errors.New("this is a secret key; give the public key that belongs to it (age1...)")
	}
	return "", nil, errors.New("unknown kind of public key: want age1..., ssh-ed25519 or ssh-rsa")
}

func parseClassicRecipient(line string) (string, age.Recipient, error) {
	if r, err := age.ParseX25519Recipient(line); err == nil {
		return r.String(), r, nil
	}
	if name, _, ok := strings.Cut(line[len(classicPrefix):], "1"); ok && name != "" {
		return "", nil, fmt.Errorf("keys of age plugins (age1%.20s...) are not supported", name)
	}
	return "", nil, errors.New("not an age public key, or damaged")
}

// Strings returns the keys in canonical spelling and order; [ParseRecipients]
// of it gives r.
func (r Recipients) Strings() []string { return slices.Clone(r.texts) }

// Len returns the number of keys.
func (r Recipients) Len() int { return len(r.texts) }

// PostQuantum reports whether the keys are post-quantum ones.
func (r Recipients) PostQuantum() bool { return len(r.texts) > 0 && isHybrid(r.texts[0]) }

// Contains reports whether every key of other is one of r.
func (r Recipients) Contains(other Recipients) bool {
	for _, t := range other.texts {
		if _, ok := slices.BinarySearch(r.texts, t); !ok {
			return false
		}
	}
	return true
}

// Hash returns the SHA-256 of the canonical lines, each closed by a newline.
func (r Recipients) Hash() [32]byte {
	h := sha256.New()
	for _, t := range r.texts {
		h.Write([]byte(t))
		h.Write([]byte{'\n'})
	}
	return [32]byte(h.Sum(nil))
}

// wrap is the one recipient that age sees. It keeps the file key, for the
// check of the finished object, and makes the stanzas.
type wrap struct {
	to  Recipients
	key *FileKey
}

var _ age.RecipientWithLabels = wrap{}

// Wrap satisfies age.Recipient; age calls WrapWithLabels.
func (w wrap) Wrap(key []byte) ([]*age.Stanza, error) {
	s, _, err := w.WrapWithLabels(key)
	return s, err
}

// WrapWithLabels makes a stanza for each recipient, and two for a single one.
// Because age sees but one recipient here, the rule that classes are not mixed
// is held by Recipients.check.
func (w wrap) WrapWithLabels(key []byte) (all []*age.Stanza, labels []string, err error) {
	if err := w.to.check(); err != nil {
		return nil, nil, err
	}
	if copy(w.key[:], key) != len(w.key) || len(key) != len(w.key) {
		return nil, nil, fmt.Errorf("file key of %d bytes, want %d", len(key), len(w.key))
	}
	texts := w.to.texts
	if len(texts) == 1 {
		texts = []string{texts[0], texts[0]}
	}
	for i, text := range texts {
		_, r, err := parseRecipient(text)
		if err != nil {
			return nil, nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		stanzas, err := r.Wrap(key)
		if err != nil {
			return nil, nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		all = append(all, stanzas...)
	}
	return all, nil, nil
}
