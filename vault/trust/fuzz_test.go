package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"flag"
	"os"
	"testing"

	"coffer/vault/trust/canon"
)

// Update is read by the tests of package trust_test too.
var Update = flag.Bool("update", false, "write the golden files anew")

// FuzzParse feeds lines that the root key signed: what is accepted must be
// what Seal would have signed.
func FuzzParse(f *testing.F) {
	seed := sha256.Sum256([]byte("root"))
	root := ed25519.NewKeyFromSeed(seed[:])
	example, err := os.ReadFile("testdata/trust.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("{\"v\":1}\n"))
	f.Add([]byte("{\"v\":2}\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		obj := append(append([]byte(nil), line...), Sign(root, NamespaceTrust, line)...)
		x, err := parse(obj, root.Public().(ed25519.PublicKey))
		if err != nil {
			return
		}
		if b, err := canon.Encode(x); err != nil || string(b) != string(line) {
			t.Errorf("%q was accepted and is written %q, %v", line, b, err)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(Name(1, sha256.Sum256(nil)))
	f.Add("trust/0000000001-")
	f.Fuzz(func(t *testing.T, s string) {
		n, hash, err := ParseName(s)
		if err != nil {
			return
		}
		if sum, err := canon.ParseSum(hash); err != nil || Name(n, sum) != s {
			t.Errorf("%q was accepted as %d, %s", s, n, hash)
		}
	})
}
