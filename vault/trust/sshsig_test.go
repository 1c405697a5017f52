package trust_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/vault/trust"
	"coffer/vault/trust/trusttest"
)

var (
	key = trusttest.SignKey("laptop")
	pub = key.Public().(ed25519.PublicKey)
)

// What we sign, the stock tool verifies, and it refuses what it should.
func TestStockToolVerifiesOurs(t *testing.T) {
	msg := []byte(`{"v":1}` + "\n")
	sig := trust.Sign(key, trust.NamespaceCommit, msg)
	allowed := trust.AllowedSigners("laptop", []string{trust.NamespaceCommit, trust.NamespaceCondemned}, pub) + "\n"
	if err := trusttest.Keygen(t, allowed, "laptop", trust.NamespaceCommit, msg, sig); err != nil {
		t.Error(err)
	}
	if trusttest.Keygen(t, allowed, "laptop", trust.NamespaceCommit, []byte(`{"v":2}`+"\n"), sig) == nil {
		t.Error("another message was accepted")
	}
	if trusttest.Keygen(t, allowed, "laptop", trust.NamespaceCondemned, msg, sig) == nil {
		t.Error("another namespace was accepted")
	}
	if sig := trust.Sign(key, trust.NamespaceTrust, msg); trusttest.Keygen(t, allowed, "laptop", trust.NamespaceTrust, msg, sig) == nil {
		t.Error("a namespace that the allowed_signers line does not give was accepted")
	}
}

// What the stock tool signs, we verify, and would have written the same.
func TestWeVerifyStockTool(t *testing.T) {
	dir := t.TempDir()
	keyFile, msgFile := filepath.Join(dir, "key"), filepath.Join(dir, "msg")
	msg := []byte("what is signed\n")
	trusttest.Run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", keyFile)
	trusttest.Write(t, msgFile, msg)
	trusttest.Run(t, nil, "ssh-keygen", "-q", "-Y", "sign", "-f", keyFile, "-n", trust.NamespaceTrust, msgFile)
	text, err := os.ReadFile(keyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	stock, err := trust.ParsePublic(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := os.ReadFile(msgFile + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Verify(stock, trust.NamespaceTrust, msg, sig); err != nil {
		t.Error(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	msg := []byte("message\n")
	sig := trust.Sign(key, trust.NamespaceCommit, msg)
	if err := trust.Verify(pub, trust.NamespaceCommit, msg, sig); err != nil {
		t.Fatal(err)
	}
	other := trusttest.SignKey("other").Public().(ed25519.PublicKey)
	block, _ := pem.Decode(sig)
	for why, check := range map[string]func() error{
		"another key":       func() error { return trust.Verify(other, trust.NamespaceCommit, msg, sig) },
		"no key":            func() error { return trust.Verify(nil, trust.NamespaceCommit, msg, sig) },
		"another namespace": func() error { return trust.Verify(pub, trust.NamespaceCondemned, msg, sig) },
		"another message":   func() error { return trust.Verify(pub, trust.NamespaceCommit, []byte("messagE\n"), sig) },
		"nothing":           func() error { return trust.Verify(pub, trust.NamespaceCommit, msg, nil) },
		"nothing in it": func() error {
			return trust.Verify(pub, trust.NamespaceCommit, msg, []byte("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"))
		},
		"blank after": func() error { return trust.Verify(pub, trust.NamespaceCommit, msg, append(bytes.Clone(sig), '\n')) },
		"line ends of another system": func() error {
			return trust.Verify(pub, trust.NamespaceCommit, msg, bytes.ReplaceAll(sig, []byte("\n"), []byte("\r\n")))
		},
		"lines of another length": func() error {
			return trust.Verify(pub, trust.NamespaceCommit, msg, pem.EncodeToMemory(block))
		},
		"too long": func() error {
			return trust.Verify(pub, trust.NamespaceCommit, msg, append(bytes.Clone(sig), make([]byte, 1<<20)...))
		},
	} {
		if err := check(); !errors.Is(err, trust.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", why, err)
		}
	}
}

// Each single flipped bit of a signature is noticed.
func TestVerifyNoticesEachBit(t *testing.T) {
	msg := []byte("message\n")
	sig := trust.Sign(key, trust.NamespaceCommit, msg)
	for i := range sig {
		for bit := range 8 {
			bad := bytes.Clone(sig)
			bad[i] ^= 1 << bit
			if trust.Verify(pub, trust.NamespaceCommit, msg, bad) == nil {
				t.Fatalf("bit %d of byte %d: accepted", bit, i)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	msg := []byte("one\ntwo\n")
	sig := trust.Sign(key, trust.NamespaceCondemned, msg)
	gotMsg, gotSig, err := trust.Split(append(bytes.Clone(msg), sig...))
	if err != nil || !bytes.Equal(gotMsg, msg) || !bytes.Equal(gotSig, sig) {
		t.Errorf("got %q, %q, %v", gotMsg, gotSig, err)
	}
	if gotMsg, gotSig, err := trust.Split(append([]byte("\n"), sig...)); err != nil || string(gotMsg) != "\n" || !bytes.Equal(gotSig, sig) {
		t.Errorf("an empty line: got %q, %q, %v", gotMsg, gotSig, err)
	}
	for _, bad := range [][]byte{nil, msg, []byte("x" + string(sig))} {
		if _, _, err := trust.Split(bad); err == nil {
			t.Errorf("%.20q: split", bad)
		}
	}
}

func TestPublicText(t *testing.T) {
	text := trust.PublicText(pub)
	got, err := trust.ParsePublic(text)
	if err != nil || !got.Equal(pub) {
		t.Errorf("%q gives %x, %v", text, got, err)
	}
	for _, bad := range []string{"", "ssh-ed25519", "ssh-ed25519 ", text + " comment", text + "\n", " " + text,
		strings.Replace(text, "ssh-ed25519", "ssh-rsa", 1), text[:len(text)-1], text[:len(text)-2] + "=="} {
		if _, err := trust.ParsePublic(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func FuzzVerify(f *testing.F) {
	msg := []byte("message\n")
	f.Add(msg, trust.Sign(key, trust.NamespaceCommit, msg))
	f.Add([]byte{}, trust.Sign(key, trust.NamespaceCommit, nil))
	f.Add(msg, trust.Sign(key, trust.NamespaceTrust, msg))
	f.Fuzz(func(t *testing.T, msg, sig []byte) {
		if trust.Verify(pub, trust.NamespaceCommit, msg, sig) != nil {
			return
		}
		// Ed25519 signs without randomness: there is one signature by us.
		if !bytes.Equal(trust.Sign(key, trust.NamespaceCommit, msg), sig) {
			t.Errorf("accepted a second spelling of a signature: %q", sig)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	f.Add(trust.PublicText(pub))
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := trust.ParsePublic(s); err == nil && trust.PublicText(k) != s {
			t.Errorf("%q was accepted and is written %q", s, trust.PublicText(k))
		}
	})
}
