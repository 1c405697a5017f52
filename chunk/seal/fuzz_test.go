package seal

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// What is accepted as recipients or identities has one spelling, and reading
// that gives the same again.
func FuzzKeys(f *testing.F) {
	hybrid, classic := generate(f, false), generate(f, true)
	f.Add(hybrid.Recipient() + "\n" + generate(f, false).Recipient())
	f.Add(classic.Recipient() + "\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN me")
	f.Add("# kit\r\n" + hybrid.String())
	f.Add(classic.String())
	f.Add("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA")
	f.Add("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecipients(strings.Split(text, "\n")); err == nil {
			again, err := ParseRecipients(r.Strings())
			if err != nil || again.Hash() != r.Hash() {
				t.Fatalf("recipients came back as others: %v", err)
			}
		}
		ids, err := ParseIdentities(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, id := range ids.Native() {
			if again, err := ParseIdentity(id.String()); err != nil || again.String() != id.String() {
				t.Fatalf("identity came back as another: %v", err)
			}
		}
	})
}

// Nobody but the Writer can make an object that its key opens.
func FuzzOpen(f *testing.F) {
	id := generate(f, true)
	ids := NewIdentities(id)
	obj, key := sealed(f, []byte("hello"), recipients(f, id.Recipient()))
	f.Add(obj)
	f.Add(obj[:len(obj)/2])
	f.Add([]byte(intro + "--- \n"))
	f.Add([]byte(intro + "-> X25519 abc\n\n--- abc\n"))
	long, _ := sealed(f, random(1, piece+1), recipients(f, id.Recipient()))
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Equal(b, obj) || bytes.Equal(b, long) {
			return
		}
		if plain, err := openAll(Open(b, ids)); err == nil {
			t.Errorf("opened %d bytes", len(plain))
		} else if plain != nil && !errors.Is(err, ErrNoIdentity) {
			t.Error("plaintext beside an error")
		}
		if _, err := openAll(OpenWithKey(b, key)); err == nil {
			t.Error("opened with the key")
		}
	})
}
