package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"coffer/vault/commit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// forge VAULT puts a commit into a vault in a folder that its device never
// signed: the newest one with another number.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	vault := ts.MkAbs(args[0])
	name, obj := newestCommit(ts, vault)
	next := bytes.Replace(obj, fmt.Appendf(nil, `"seq":%d,`, name.Seq), fmt.Appendf(nil, `"seq":%d,`, name.Seq+1), 1)
	if bytes.Equal(next, obj) {
		ts.Fatalf("the commit does not say its seq: %s", obj)
	}
	name.Seq++
	name.Sum = sha256.Sum256(next)
	ts.Check(os.WriteFile(filepath.Join(vault, filepath.FromSlash(name.String())), next, 0o600))
}

// twins VAULT adds two snapshots, signed by the device whose local state is in
// HOME, whose IDs begin with the same four digits, and sets TWIN to these.
func twins(ts *testscript.TestScript, neg bool, args []string) {
	vault := ts.MkAbs(args[0])
	name, obj := newestCommit(ts, vault)
	dev := deviceOf(ts)
	pub, err := trust.ParsePublic(trust.PublicText(dev.SignKey().Public().(ed25519.PublicKey)))
	ts.Check(err)
	head, err := commit.Open(name, obj, pub)
	ts.Check(err)
	made := map[string]string{} // the first digits of an ID, and the name
	objects := map[string][]byte{}
	for i := 1; ; i++ {
		c := *head
		ts.Check(c.Follow(head))
		c.Time = head.Time.Add(time.Duration(i) * time.Second)
		obj, err := c.Sign(dev.SignKey())
		ts.Check(err)
		digits := c.Name().Hash()[:4]
		objects[c.Name().String()] = obj
		if other, ok := made[digits]; ok {
			for _, n := range []string{other, c.Name().String()} {
				ts.Check(os.WriteFile(filepath.Join(vault, filepath.FromSlash(n)), objects[n], 0o600))
			}
			ts.Setenv("TWIN", digits)
			return
		}
		made[digits] = c.Name().String()
	}
}

// late VAULT adds a snapshot that the device whose local state is in HOME has
// signed, whatever the vault thinks of that device: its newest one once more.
func late(ts *testscript.TestScript, neg bool, args []string) {
	vault, dev := ts.MkAbs(args[0]), deviceOf(ts)
	found, err := filepath.Glob(filepath.Join(vault, "commits", dev.Device, "*", "*-s*"))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("device %s has no snapshot in %s", dev.Device, vault)
	}
	rel, err := filepath.Rel(vault, slices.Max(found))
	ts.Check(err)
	name, err := commit.ParseName(filepath.ToSlash(rel))
	ts.Check(err)
	head, err := commit.Open(name, []byte(ts.ReadFile(slices.Max(found))), dev.SignKey().Public().(ed25519.PublicKey))
	ts.Check(err)
	c := *head
	ts.Check(c.Follow(head))
	c.Time = head.Time.Add(time.Second)
	obj, err := c.Sign(dev.SignKey())
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(vault, filepath.FromSlash(c.Name().String())), obj, 0o600))
}

// newestCommit reads the newest commit of a vault in a folder.
func newestCommit(ts *testscript.TestScript, vault string) (commit.Name, []byte) {
	found, err := filepath.Glob(filepath.Join(vault, "commits", "*", "*", "*"))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("%s has no commit", vault)
	}
	path := slices.Max(found)
	rel, err := filepath.Rel(vault, path)
	ts.Check(err)
	name, err := commit.ParseName(filepath.ToSlash(rel))
	ts.Check(err)
	return name, []byte(ts.ReadFile(path))
}

func deviceOf(ts *testscript.TestScript) *state.Device {
	dev, err := stateOf(ts).Device()
	ts.Check(err)
	return dev
}

// stateOf opens the one local state in HOME.
func stateOf(ts *testscript.TestScript) *state.Dir {
	found, err := filepath.Glob(filepath.Join(ts.Getenv("HOME"), ".local", "state", "coffer", "*"))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("want one local state, found %v", found)
	}
	dir, err := state.Open(found[0])
	ts.Check(err)
	return dir
}

// waited lets a day pass by the clock that counts since the machine was started,
// as far as the local state in HOME knows of it: a prune of a folder waits by
// that clock too.
func waited(ts *testscript.TestScript, neg bool, args []string) {
	type sighting struct {
		Boot string        `json:"boot"`
		On   time.Duration `json:"on"`
	}
	type expiry struct {
		Location string    `json:"location"`
		Enforced bool      `json:"enforced"`
		At       time.Time `json:"at"`
	}
	type memory struct {
		Version int                 `json:"v"`
		Ends    []string            `json:"ends,omitempty"`
		Expiry  *expiry             `json:"expiry,omitempty"`
		Lists   map[string]sighting `json:"lists,omitempty"`
	}
	dir := stateOf(ts)
	m, err := state.ReadSmall[memory](dir, "prune.json")
	ts.Check(err)
	for name, s := range m.Lists {
		s.On -= 25 * time.Hour
		m.Lists[name] = s
	}
	ts.Check(dir.WriteSmall("prune.json", m))
}
