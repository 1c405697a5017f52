package kit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"coffer/chunk/seal"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// Principal is who the root key is in the kit's allowed_signers line.
const Principal = "coffer-root"

// MaxSize bounds a kit, in bytes.
const MaxSize = 64 << 10

// maxValue bounds the remote and the label, in bytes.
const maxValue = 4 << 10

// A Kit is what the file says. Of a plain age identity file only Identity and
// Root are set.
type Kit struct {
	// Identity is the SECRET that opens the vault.
	Identity *seal.Identity

	Remote   string            // where the vault is
	Vault    trust.VaultID     // which one it is
	Root     ed25519.PublicKey // who signs its trust; always derived from Identity
	TrustN   uint64            // the newest trust when the kit was written
	TrustSum string            // SHA-256 of that trust's object, in hex
	Created  time.Time         // when it was written; UTC, whole seconds
	Label    string            // the device it was written on; may be empty
}

// String names the kit without its secret.
func (k Kit) String() string { return "recovery kit of vault " + string(k.Vault) }

// GoString is String.
func (k Kit) GoString() string { return k.String() }

// Write writes the text of k. k.Root may be nil; if it is not, it must be the
// root key of k.Identity.
func Write(w io.Writer, k Kit) error {
	if err := k.check(); err != nil {
		return fmt.Errorf("write recovery kit: %w", err)
	}
	var b bytes.Buffer
	b.WriteString(before)
	b.WriteString("\n" + k.Identity.String() + "\n\n")
	b.WriteString(after)
	for _, f := range k.facts() {
		if f.value != "" {
			f.write(&b)
		}
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write recovery kit: %w", err)
	}
	return nil
}

// check reports whether a kit with all its facts can be made of k.
func (k *Kit) check() error {
	if k.Identity == nil {
		return errors.New("it has no identity")
	}
	if root := rootOf(k.Identity); k.Root != nil && !root.Equal(k.Root) {
		return errors.New("the root key is not that of the identity")
	}
	if k.Remote == "" || len(k.Remote) > maxValue || len(k.Label) > maxValue {
		return fmt.Errorf("the remote, or the label, is missing or longer than %d bytes", maxValue)
	}
	if _, err := trust.ParseVaultID(string(k.Vault)); err != nil {
		return err
	}
	if k.TrustN < 1 || k.TrustN > canon.MaxNumber {
		return fmt.Errorf("trust %d: number out of range", k.TrustN)
	}
	if _, err := canon.ParseSum(k.TrustSum); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	if y := k.Created.UTC().Year(); y < 1970 || y > 9999 {
		return fmt.Errorf("created %s: out of range", k.Created)
	}
	return nil
}

// facts returns the lines for the machine.
func (k *Kit) facts() []fact {
	return []fact{
		{"remote", k.Remote},
		{"vault", string(k.Vault)},
		{"root", rootLine(rootOf(k.Identity))},
		{"trust", fmt.Sprintf("%d %s", k.TrustN, k.TrustSum)},
		{"written", k.Created.UTC().Format(time.RFC3339)},
		{"label", k.Label},
	}
}

func rootOf(id *seal.Identity) ed25519.PublicKey {
	return trust.RootKey(id).Public().(ed25519.PublicKey)
}

func rootLine(root ed25519.PublicKey) string {
	return trust.AllowedSigners(Principal, []string{trust.NamespaceTrust}, root)
}

// Parse reads a kit, or any age identity file that holds one identity. What it
// says beside the secret must be right; a file with the secret alone is right
// too.
func Parse(r io.Reader) (Kit, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return Kit{}, fmt.Errorf("read recovery kit: %w", err)
	}
	if len(b) > MaxSize {
		return Kit{}, fmt.Errorf("read recovery kit: larger than %d bytes", MaxSize)
	}
	k, err := parse(string(b))
	if err != nil {
		return Kit{}, fmt.Errorf("read recovery kit: %w", err)
	}
	return k, nil
}

func parse(text string) (k Kit, err error) {
	facts, rest := sortLines(text)
	if k.Identity, err = findIdentity(rest); err != nil {
		return Kit{}, err
	}
	k.Root = rootOf(k.Identity)
	for _, name := range factNames {
		if err := k.take(name, facts[name]); err != nil {
			return Kit{}, fmt.Errorf("its line %q: %w; if it cannot be mended, a file with nothing but the line of the secret works too", "# "+name+":", err)
		}
	}
	return k, nil
}

// take sets what a fact says, if it is there.
func (k *Kit) take(name string, values []string) error {
	switch values = slices.Compact(values); len(values) {
	case 0:
		return nil
	case 1:
		value, err := unquote(values[0])
		if err != nil {
			return err
		}
		return k.set(name, value)
	}
	return errors.New("it is there twice and says different things")
}

func (k *Kit) set(name, value string) (err error) {
	switch name {
	case "remote":
		k.Remote, err = value, checkValue(value)
	case "label":
		k.Label, err = value, checkValue(value)
	case "vault":
		k.Vault, err = trust.ParseVaultID(value)
	case "trust":
		k.TrustN, k.TrustSum, err = parseTrust(value)
	case "written":
		k.Created, err = parseTime(value)
	case "root":
		if value != rootLine(k.Root) {
			err = errors.New("the root key does not belong to the secret: the kit is put together from two, or altered")
		}
	}
	return err
}

func checkValue(s string) error {
	if s == "" || len(s) > maxValue {
		return fmt.Errorf("want 1 to %d bytes", maxValue)
	}
	return nil
}

func parseTrust(s string) (n uint64, sum string, err error) {
	number, sum, _ := strings.Cut(s, " ")
	if _, err := fmt.Sscanf(number, "%d", &n); err != nil || fmt.Sprint(n) != number || n < 1 || n > canon.MaxNumber {
		return 0, "", fmt.Errorf("number %.20q: want a whole number from 1 on", number)
	}
	if _, err := canon.ParseSum(sum); err != nil {
		return 0, "", err
	}
	return n, sum, nil
}

func parseTime(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || at.UTC().Format(time.RFC3339) != s || at.Year() < 1970 {
		return time.Time{}, fmt.Errorf("time %.40q: want RFC 3339 in UTC", s)
	}
	return at.UTC(), nil
}
