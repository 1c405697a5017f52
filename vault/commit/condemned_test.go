package commit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coffer/vault/commit"
	"coffer/vault/trust"
)

func condemnedList(t testing.TB) (*commit.CondemnedList, ed25519.PrivateKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &commit.CondemnedList{
		Vault: trust.NewVaultID(), Device: trust.NewDeviceID(), Seq: 7, Time: time.Unix(1_790_000_000, 0).UTC(),
		Objects: []string{"ledgers/0123456789abcdef/x", "packs/0123456789abcdef/0000000000/y"},
	}, key
}

func TestCondemnedRoundTrip(t *testing.T) {
	list, key := condemnedList(t)
	obj, err := list.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	name := commit.ObjectName(commit.Condemned, list.Device, list.Seq, sha256.Sum256(obj))
	got, err := commit.OpenCondemned(name, obj, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(list, got); d != "" {
		t.Error(d)
	}
}

// A writer relies on these lists to know what it must not rely on: a name
// taken out of one would let a snapshot keep a pack that is about to go.
func TestCondemnedNoticesEachByte(t *testing.T) {
	list, key := condemnedList(t)
	obj, err := list.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range obj {
		bad := append([]byte(nil), obj...)
		bad[i] ^= 1
		name := commit.ObjectName(commit.Condemned, list.Device, list.Seq, sha256.Sum256(bad))
		if _, err := commit.OpenCondemned(name, bad, key.Public().(ed25519.PublicKey)); err == nil {
			t.Fatalf("byte %d flipped: accepted", i)
		}
	}
}

func TestCondemnedRefusesWhatIsNeverDeleted(t *testing.T) {
	for _, name := range []string{"commits/0123456789abcdef/x", "trust/0000000001-x", "coffer.json", "../packs/x"} {
		list, key := condemnedList(t)
		list.Objects = []string{name}
		if _, err := list.Sign(key); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpenCondemned(f *testing.F) {
	list, key := condemnedList(f)
	obj, err := list.Sign(key)
	if err != nil {
		f.Fatal(err)
	}
	msg, _, _ := trust.Split(obj)
	f.Add(msg)
	f.Fuzz(func(t *testing.T, lines []byte) {
		obj := append(append([]byte(nil), lines...), trust.Sign(key, trust.NamespaceCondemned, lines)...)
		name := commit.ObjectName(commit.Condemned, list.Device, list.Seq, sha256.Sum256(obj))
		got, err := commit.OpenCondemned(name, obj, key.Public().(ed25519.PublicKey))
		if err != nil {
			return
		}
		again, err := got.Sign(key)
		if err != nil || string(again) != string(obj) {
			t.Fatalf("accepted %q, wrote %q (%v)", obj, again, err)
		}
	})
}
