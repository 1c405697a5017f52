package seal

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestRecipients(t *testing.T) {
	a, b, c := generate(t, false).Recipient(), generate(t, false).Recipient(), generate(t, true).Recipient()
	r := recipients(t, " "+b+"\r", "# a comment", "", a, b)
	want := []string{a, b}
	slices.Sort(want)
	if !slices.Equal(r.Strings(), want) || r.Len() != 2 || !r.PostQuantum() {
		t.Errorf("not in canonical form: %d keys", r.Len())
	}
	if r.Hash() != sha256.Sum256([]byte(want[0]+"\n"+want[1]+"\n")) {
		t.Error("hash is not that of the lines")
	}
	if one := recipients(t, a); !r.Contains(one) || one.Contains(r) || !r.Contains(r) || !one.Contains(Recipients{}) {
		t.Error("Contains")
	}
	if classic := recipients(t, c); classic.PostQuantum() || r.Contains(classic) {
		t.Error("a classic key is taken for a post-quantum one")
	}
}

func TestRecipientsRefused(t *testing.T) {
	hybrid, classic := generate(t, false), generate(t, true)
	spoiled := []byte(classic.Recipient())
	spoiled[20] ^= 1
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"none":      {nil, "no recipients"},
		"comment":   {[]string{"# age1"}, "no recipients"},
		"mixed":     {[]string{hybrid.Recipient(), classic.Recipient()}, "cannot be mixed"},
		"secret":    {[]string{hybrid.String()}, "secret key"},
		"lower":     {[]string{strings.ToLower(classic.String())}, "secret key"},
		"plugin":    {[]string{"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"}, "plugin"},
		"tag":       {[]string{"age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e"}, "plugin"},
		"damaged":   {[]string{string(spoiled)}, "damaged"},
		"truncated": {[]string{hybrid.Recipient()[:1000]}, "damaged"},
		"upper":     {[]string{strings.ToUpper(classic.Recipient())}, "unknown kind"},
		"mail":      {[]string{"me@example.org"}, "unknown kind"},
		"ssh dsa":   {[]string{"ssh-dss AAAAB3NzaC1kc3MAAAAA"}, "only ssh-ed25519 and ssh-rsa"},
	} {
		r, err := ParseRecipients(c.lines)
		if err == nil || !strings.Contains(err.Error(), c.want) || r.Len() != 0 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		for _, line := range c.lines {
			if strings.Contains(err.Error(), line[len(line)/2:]) {
				t.Errorf("%s: the error quotes the line", name)
			}
		}
	}
}

func TestIdentity(t *testing.T) {
	for _, classic := range []bool{false, true} {
		id := generate(t, classic)
		if id.PostQuantum() == classic {
			t.Error("wrong kind")
		}
		for _, s := range []string{id.String(), "\ufeff " + id.String() + "\u00a0\r\n", strings.ToLower(id.String()), "\u200b" + id.String() + "\t"} {
			got, err := ParseIdentity(s)
			if err != nil || got.String() != id.String() || got.Recipient() != id.Recipient() {
				t.Errorf("%d characters around the key are not forgiven: %v", len(s)-len(id.String()), err)
			}
		}
		bad := []byte(id.String())
		for at := range bad {
			bad[at] ^= 1
			if _, err := ParseIdentity(string(bad)); err == nil {
				t.Fatalf("a wrong character at %d passed", at)
			} else if strings.Contains(err.Error(), id.String()[30:40]) {
				t.Fatal("the error quotes the key")
			}
			bad[at] ^= 1
		}
	}
	if _, err := ParseIdentity("AGE-PLUGIN-YUBIKEY-1QYPQXPQ9QCRSSZG2PVXQ6RS0ZQG3YYC5Z5TPWXQERGD3C8G7RUSQXU5EQ6"); err == nil || !strings.Contains(err.Error(), "plugin") {
		t.Errorf("plugin: %v", err)
	}
}

func TestIdentityFiles(t *testing.T) {
	a, b := generate(t, false), generate(t, true)
	for name, text := range map[string]string{
		"plain":   "# comment\n" + a.String() + "\n" + b.String() + "\n",
		"windows": "\ufeff# comment\r\n\r\n  " + a.String() + " \r\n# x\r\n" + b.String(),
		"mac":     "# comment\r" + a.String() + "\r" + b.String() + "\r",
	} {
		ids, err := ParseIdentities(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := ids.Native(); ids.Len() != 2 || n[0].String() != a.String() || n[1].String() != b.String() {
			t.Errorf("%s: other identities", name)
		}
	}
	for name, text := range map[string]string{
		"empty":     "",
		"comments":  "# nothing\n",
		"junk":      "# x\nAGE-SECRET-KEY-1AAAA\n",
		"too long":  strings.Repeat("# x\n", 20000),
		"too many":  strings.Repeat(b.String()+"\n", maxIdentities+1),
		"public":    a.Recipient(),
		"wrong PEM": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
	} {
		if ids, err := ParseIdentities(strings.NewReader(text)); err == nil || ids.Len() != 0 {
			t.Errorf("%s passed", name)
		}
	}
	for _, wrapped := range []string{"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA", intro + "-> scrypt"} {
		if _, err := ParseIdentities(strings.NewReader(wrapped)); !errors.Is(err, ErrWrapped) {
			t.Errorf("wrapped: %v", err)
		}
	}
}

// sshKeys returns a private key file and a public key line.
func sshKeys(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "me@host")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), string(ssh.MarshalAuthorizedKey(pub))
}

func TestSSH(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	native := generate(t, true)
	for _, key := range []crypto.Signer{ed, rs} {
		private, public := sshKeys(t, key)
		want := strings.TrimSpace(public)
		r := recipients(t, want+" me@host with a comment", native.Recipient())
		if !slices.Contains(r.Strings(), want) || r.PostQuantum() {
			t.Errorf("canonical form of %T: %q", key, r.Strings())
		}
		ids, err := ParseIdentities(strings.NewReader(strings.ReplaceAll(private, "\n", "\r\n")))
		if err != nil || ids.Len() != 1 || len(ids.Native()) != 0 {
			t.Fatalf("%T: %v", key, err)
		}
		obj, _ := sealed(t, []byte("hello"), r)
		if got, err := openAll(Open(obj, ids)); err != nil || string(got) != "hello" {
			t.Errorf("%T: %q, %v", key, got, err)
		}
		if _, err := ParseRecipients([]string{want, generate(t, false).Recipient()}); err == nil {
			t.Error("SSH and post-quantum keys mixed")
		}
	}
	private, public := sshKeys(t, ed)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(ed, "", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseIdentities(bytes.NewReader(pem.EncodeToMemory(locked))); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("key with a passphrase: %v", err)
	}
	if _, err := ParseRecipients([]string{private}); err == nil {
		t.Error("a private key passed as a recipient")
	}
	refuseRespelled(t, strings.TrimSpace(public))
}

// refuseRespelled makes sure that one key cannot be written in two ways.
func refuseRespelled(t *testing.T, public string) {
	t.Helper()
	kind, text, _ := strings.Cut(public, " ")
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"bytes after": append(bytes.Clone(blob), 0),
		"cut":         blob[:len(blob)-1],
		"other kind":  append([]byte{0, 0, 0, 11}, append([]byte("ssh-ed25518"), blob[15:]...)...),
		"empty":       nil,
		"long number": append([]byte("\x00\x00\x00\x07ssh-rsa\x00\x00\x00\x04\x00\x01\x00\x01"), "\x00\x00\x00\x01\x05"...),
	} {
		k := kind
		if name == "long number" {
			k = "ssh-rsa"
		}
		if _, err := ParseRecipients([]string{k + " " + base64.StdEncoding.EncodeToString(bad)}); err == nil {
			t.Errorf("SSH key with %s passed", name)
		}
	}
}

func TestPassphrase(t *testing.T) {
	secret := generate(t, false).String()
	wrapped, err := WrapPassphrase([]byte(secret), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(wrapped), "-----BEGIN AGE ENCRYPTED FILE-----\n") {
		t.Error("not armored")
	}
	windows := bytes.ReplaceAll(wrapped, []byte("\n"), []byte("\r\n"))
	if got, err := UnwrapPassphrase(windows, "correct horse"); err != nil || string(got) != secret {
		t.Errorf("unwrap: %v", err)
	}
	if _, err := UnwrapPassphrase(wrapped, "wrong"); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := WrapPassphrase(nil, ""); err == nil {
		t.Error("wrapped with nothing")
	}
	if _, err := UnwrapPassphrase(wrapped, ""); err == nil {
		t.Error("unwrapped with nothing")
	}
	if _, err := UnwrapPassphrase(make([]byte, maxWrapped+1), "x"); err == nil {
		t.Error("a long file passed")
	}
	obj, _ := sealed(t, []byte("x"), recipients(t, generate(t, true).Recipient()))
	if _, err := UnwrapPassphrase(obj, "x"); err == nil {
		t.Error("an object passed")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	key := FileKey{1, 2, 3}
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(f, key); !strings.Contains(s, "secret") {
			t.Errorf("%s prints the file key as %s", f, s)
		}
	}
	if v := generate(t, true).LogValue().String(); v != "(secret)" {
		t.Errorf("identity logs as %s", v)
	}
}
