package commit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coffer/vault/commit"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
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

// Each rule of a list is held when it is signed and when it is read: the lines
// here are signed by the right device all the same.
func TestCondemnedRules(t *testing.T) {
	good, key := condemnedList(t)
	obj, err := good.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	lines, _, err := trust.Split(obj)
	if err != nil {
		t.Fatal(err)
	}
	open := func(lines string, change func(name string) string) error {
		obj := append([]byte(lines), trust.Sign(key, trust.NamespaceCondemned, []byte(lines))...)
		_, err := commit.OpenCondemned(change(commit.ObjectName(commit.Condemned, good.Device, good.Seq, sha256.Sum256(obj))), obj, key.Public().(ed25519.PublicKey))
		return err
	}
	same := func(name string) string { return name }
	if err := open(string(lines), same); err != nil {
		t.Fatal(err)
	}
	for why, change := range map[string]func(c *commit.CondemnedList){
		"vault":             func(c *commit.CondemnedList) { c.Vault = "x" },
		"device":            func(c *commit.CondemnedList) { c.Device = "x" },
		"nothing":           func(c *commit.CondemnedList) { c.Objects = nil },
		"number":            func(c *commit.CondemnedList) { c.Seq = 1e10 },
		"parts of a second": func(c *commit.CondemnedList) { c.Time = c.Time.Add(1) },
		"zone":              func(c *commit.CondemnedList) { c.Time = c.Time.In(time.FixedZone("", 3600)) },
		"order":             func(c *commit.CondemnedList) { slices.Reverse(c.Objects) },
		"twice":             func(c *commit.CondemnedList) { c.Objects[0] = c.Objects[1] },
		"name":              func(c *commit.CondemnedList) { c.Objects[0] = "ledgers/../x" },
	} {
		c := *good
		c.Objects = slices.Clone(good.Objects)
		change(&c)
		if _, err := c.Sign(key); err == nil {
			t.Errorf("%s: signed", why)
		}
	}
	text := string(lines)
	for why, bad := range map[string]string{
		"one less than it says": text[:strings.LastIndex(text[:len(text)-1], "\n")+1],
		"order":                 strings.NewReplacer("ledgers/", "packs/", "packs/", "ledgers/").Replace(text),
		"another device":        strings.Replace(text, string(good.Device), string(trust.NewDeviceID()), 1),
		"another number":        strings.Replace(text, `"seq":7`, `"seq":8`, 1),
		"spelling":              strings.Replace(text, `{"name"`, `{ "name"`, 1),
		"not JSON":              "x\n",
	} {
		if bad == text || open(bad, same) == nil {
			t.Errorf("%s: accepted %q", why, bad)
		}
	}
	most := *good
	most.Seq = canon.MaxNumber
	if _, err := most.Sign(key); err != nil {
		t.Errorf("a number of ten digits: %v", err)
	}
	huge, name := make([]byte, commit.MaxCondemned+1), commit.ObjectName(commit.Condemned, good.Device, good.Seq, sha256.Sum256(obj))
	if _, err := commit.OpenCondemned(name, huge, key.Public().(ed25519.PublicKey)); err == nil || errors.Is(err, commit.ErrHash) {
		t.Errorf("a huge list: got %v, want that it is not even hashed", err)
	}
	if _, err := commit.OpenCondemned(name, huge[1:], key.Public().(ed25519.PublicKey)); !errors.Is(err, commit.ErrHash) {
		t.Errorf("as large as any: got %v, want ErrHash", err)
	}
	other := sha256.Sum256(nil)
	if err := open(text, func(string) string { return commit.ObjectName(commit.Condemned, good.Device, good.Seq, other) }); !errors.Is(err, commit.ErrHash) {
		t.Errorf("bytes of another name: %v", err)
	}
	if err := open(text, func(name string) string { return "x" + name }); err == nil {
		t.Error("a name of another kind: accepted")
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
