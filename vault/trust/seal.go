package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"coffer/chunk/seal"
	"coffer/vault/trust/canon"
)

// RootKey derives the root key from the vault's identity. It is derived from
// the parsed identity's own spelling, never from the line it was read from:
// there a stray blank would give another key.
func RootKey(id *seal.Identity) ed25519.PrivateKey {
	seed, err := hkdf.Key(sha256.New, []byte(id.String()), nil, "coffer root v1", ed25519.SeedSize)
	if err != nil {
		panic(err) // only a wrong length could be refused
	}
	return ed25519.NewKeyFromSeed(seed)
}

// Name returns the name of the object of trust n.
func Name(n uint64, sum [32]byte) string { return "trust/" + canon.Numbered(n, sum) }

// ParseName reads what [Name] gives. sum is in hex, as [Trust.Prev] has it.
func ParseName(name string) (n uint64, sum string, err error) {
	base, ok := strings.CutPrefix(name, "trust/")
	if !ok {
		return 0, "", fmt.Errorf("trust name %.90q: want trust/<n>-<sha256>", name)
	}
	n, raw, err := canon.ParseNumbered(base)
	if err != nil {
		return 0, "", err
	}
	if n == 0 {
		return 0, "", fmt.Errorf("trust name %.90q: trusts are numbered from 1", name)
	}
	return n, canon.Sum(raw), nil
}

// openers returns whom the trust is sealed to: the vault's recipients and the
// devices in good standing. A revoked device cannot read what follows.
func (t *Trust) openers() (seal.Recipients, error) {
	keys := append([]string(nil), t.Recipients...)
	for _, d := range t.Devices {
		if d.Until == nil {
			keys = append(keys, d.Age)
		}
	}
	r, err := seal.ParseAudience(keys)
	if err != nil {
		return r, fmt.Errorf("recipients and devices in good standing together: %w", err)
	}
	return r, nil
}

// Seal checks and signs t and returns its object, with its name and SHA-256.
// Sealing again gives other bytes: what was made must be kept until it is
// stored.
func Seal(t *Trust, root ed25519.PrivateKey) (name string, data []byte, sum [32]byte, err error) {
	fail := func(err error) (string, []byte, [32]byte, error) {
		return "", nil, sum, fmt.Errorf("seal trust %d: %w", t.N, err)
	}
	plain, err := t.sign(root)
	if err != nil {
		return fail(err)
	}
	to, err := t.openers()
	if err != nil {
		return fail(err)
	}
	if data, err = sealed(plain, to); err != nil {
		return fail(err)
	}
	sum = sha256.Sum256(data)
	return Name(t.N, sum), data, sum, nil
}

// sign returns what lies inside the seal: one line, then its signature.
func (t *Trust) sign(root ed25519.PrivateKey) ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	line, err := canon.Encode(t)
	if err != nil {
		return nil, err
	}
	if len(line) > MaxSize-MaxHeader-maxArmor {
		return nil, errors.New("too long")
	}
	return append(line, Sign(root, NamespaceTrust, line)...), nil
}

// sealed seals plain and opens it again in memory: a bit flipped while it was
// sealed would lock every device out.
func sealed(plain []byte, to seal.Recipients) ([]byte, error) {
	var b bytes.Buffer
	w, err := seal.NewWriter(&b, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	r, err := seal.OpenWithKey(b.Bytes(), w.FileKey())
	if err != nil {
		return nil, fmt.Errorf("check what was sealed: %w", err)
	}
	again, err := seal.ReadAll(r, nil, MaxSize)
	if err != nil || !bytes.Equal(again, plain) {
		return nil, fmt.Errorf("check what was sealed: it opens to something else (%v)", err)
	}
	return b.Bytes(), nil
}

// Open reads a trust from its object. It fails with ErrSignature if the root
// key did not sign it, and with seal.ErrNoIdentity if ids do not open it. The
// caller compares number and hash with the object's name; [OpenNamed] does.
func Open(data []byte, ids seal.Identities, root ed25519.PublicKey) (*Trust, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("open trust: %d bytes: larger than any trust", len(data))
	}
	r, err := seal.OpenLimit(data, ids, MaxHeader)
	if err != nil {
		return nil, fmt.Errorf("open trust: %w", err)
	}
	plain, err := seal.ReadAll(r, nil, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("open trust: %w", err)
	}
	t, err := parse(plain, root)
	if err != nil {
		return nil, fmt.Errorf("open trust: %w", err)
	}
	return t, nil
}

// OpenNamed is [Open] for the object stored under name: it also refuses bytes
// that do not have the hash in the name, and a trust with another number than
// the name says.
func OpenNamed(name string, data []byte, ids seal.Identities, root ed25519.PublicKey) (*Trust, error) {
	n, want, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); canon.Sum(sum) != want {
		return nil, fmt.Errorf("%s: bytes do not match the hash in the name", name)
	}
	t, err := Open(data, ids, root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if t.N != n {
		return nil, fmt.Errorf("%s: holds trust %d", name, t.N)
	}
	return t, nil
}

// parse reads what lies inside the seal: signature first, then the line.
func parse(plain []byte, root ed25519.PublicKey) (*Trust, error) {
	line, sig, err := Split(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := Verify(root, NamespaceTrust, line, sig); err != nil {
		return nil, err
	}
	t := new(Trust)
	if err := canon.DecodeFirst(line, t); err != nil {
		return nil, err
	}
	return t, t.Check()
}
