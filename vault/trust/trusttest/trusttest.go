// Package trusttest helps tests that need a trust, or want the word of the
// stock tools on what was signed and sealed. It holds the keys of an imagined
// vault; nothing here is for use outside tests.
package trusttest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/vault/trust"
)

// SignKey returns the same signing key for the same name.
func SignKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("signing key of " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Public returns the public half of SignKey(name) as text.
func Public(name string) string {
	return trust.PublicText(SignKey(name).Public().(ed25519.PublicKey))
}

// Identity makes an age identity.
func Identity(t testing.TB, classic bool) *seal.Identity {
	t.Helper()
	id, err := seal.Generate(classic)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// New returns a first trust for a vault with the given identity: one device
// with all roles.
func New(t testing.TB, vault, device *seal.Identity) *trust.Trust {
	t.Helper()
	data, err1 := chunk.NewKey()
	segment, err2 := chunk.NewKey()
	poly, err3 := chunk.NewPolynomial()
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	return &trust.Trust{
		Version: 1, Vault: "00112233445566778899aabbccddeeff", N: 1, Format: trust.Format,
		Time: "2026-11-22T03:00:00Z",
		Devices: []trust.Device{{
			ID: "d100000000000000", Label: "Anna's laptop", Sign: Public("laptop"), Age: device.Recipient(),
			Roles: []trust.Role{trust.Write, trust.Forget, trust.Maintain},
		}},
		Recipients: []string{vault.Recipient()},
		DataKey:    data.Text(), SegmentKey: segment.Text(), Polynomial: poly.Text(),
		Floor: trust.Floor{KeepLast: 3, KeepDays: 7},
	}
}

// Keygen asks the stock ssh-keygen whether sig is a signature of msg by
// principal, given the content of an allowed_signers file.
func Keygen(t testing.TB, allowed, principal, namespace string, msg, sig []byte) error {
	t.Helper()
	dir := t.TempDir()
	signers, sigFile := filepath.Join(dir, "allowed_signers"), filepath.Join(dir, "sig")
	Write(t, signers, []byte(allowed))
	Write(t, sigFile, sig)
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", signers, "-I", principal, "-n", namespace, "-s", sigFile)
	cmd.Stdin = bytes.NewReader(msg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	return nil
}

// Age builds the stock age tool and returns its path. It is built as its own
// main module, because it needs modules that Coffer does not.
func Age(t testing.TB) string {
	t.Helper()
	source := strings.TrimSpace(string(Run(t, nil, "go", "list", "-m", "-f", "{{.Dir}}", "filippo.io/age")))
	bin := filepath.Join(t.TempDir(), "age")
	Run(t, nil, "go", "-C", source, "build", "-o", bin, "./cmd/age")
	return bin
}

// Run runs a stock tool and returns what it prints.
func Run(t testing.TB, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, errs.Bytes())
	}
	return out
}

// Write writes a file that only its owner may read.
func Write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
