package vaulttest_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/commit"
	"coffer/vault/restore"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// A town is a vault of two devices. The first has three snapshots, each with a
// file more than the one before, and each file is in a pack of its own; the
// second has one.
type town struct {
	t         *testing.T
	first     *vaulttest.Room
	second    *vaulttest.Room
	store     *mem.Store
	older     *mem.Store // the store before the first device's last snapshot
	dir       string
	forgetful bool     // the devices are lost, only the kit is left
	snaps     []string // names of the commits, oldest first; the second device's last
}

func newTown(t *testing.T) *town {
	w := &town{t: t, store: mem.New(), dir: vaulttest.Folder(t)}
	w.first = vaulttest.On(t, w.store)
	w.second, _ = w.first.Enrol(t, vault.EnrolOptions{Label: "second"})
	must(t, os.Mkdir(w.folder("a"), 0o755))
	must(t, os.Mkdir(w.folder("b"), 0o755))
	w.write("b/four", 4)
	w.write("a/one", 1)
	w.backUp(w.first, "a")
	w.write("a/two", 2)
	w.backUp(w.first, "a")
	w.backUp(w.second, "b")
	w.older = w.store.Clone()
	w.write("a/three", 3)
	w.backUp(w.first, "a")
	w.backUp(w.second, "b") // it has seen all that the first has made
	me := "commits/" + string(w.first.Reopen(t).Device()) + "/"
	w.snaps = append(w.under(me), w.under("commits/" + string(w.second.Reopen(t).Device()) + "/")[0])
	return w
}

func (w *town) folder(name string) string { return filepath.Join(w.dir, name) }

// write makes a file that does not compress, of the length that all have.
func (w *town) write(name string, seed uint64) {
	w.t.Helper()
	b := make([]byte, 200<<10)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	must(w.t, os.WriteFile(w.folder(name), b, 0o644))
	time.Sleep(100 * time.Millisecond) // past the grain of its time
}

func (w *town) backUp(r *vaulttest.Room, folder string) {
	w.t.Helper()
	_, err := backup.Run(w.t.Context(), r.Reopen(w.t), w.options(folder))
	must(w.t, err)
}

func (w *town) options(folder string) backup.Options {
	return backup.Options{Project: projectOf[folder], Label: folder, Roots: []string{w.folder(folder)}, Host: "h"}
}

var projectOf = map[string]trust.ProjectID{"a": "00112233445566aa", "b": "00112233445566bb"}

// under lists names.
func (w *town) under(prefix string) (out []string) {
	w.t.Helper()
	for i, err := range w.store.List(w.t.Context(), prefix, "") {
		must(w.t, err)
		out = append(out, i.Name)
	}
	return out
}

func (w *town) get(name string) []byte {
	w.t.Helper()
	b, err := w.store.Get(w.t.Context(), nil, name, 0, -1)
	must(w.t, err)
	return b
}

// copy is the town on a store of its own, as the devices are.
func (w *town) copy(t *testing.T) *town {
	c := *w
	c.t, c.store = t, w.store.Clone()
	c.first, c.second = w.first.Image(t).With(c.store), w.second.Image(t).With(c.store)
	return &c
}

// parts are the objects of the first device's n-th snapshot.
func (w *town) parts(n int) *commit.Commit {
	w.t.Helper()
	c, _, err := commit.Parse(w.get(w.snaps[n]))
	must(w.t, err)
	return c
}

// dataPack is the pack that holds the file which the n-th snapshot added.
func (w *town) dataPack(n int) string {
	w.t.Helper()
	var large []string
	for i, err := range w.store.List(w.t.Context(), "packs/", "") {
		must(w.t, err)
		if i.Size > 200<<10 {
			large = append(large, i.Name)
		}
	}
	// Of the second device there is one, and numbers rise.
	first := large[0][:len("packs/")+16]
	if strings.HasPrefix(large[1], first) {
		return large[n]
	}
	return large[1+n]
}

// flip, cut, swap and the like are what a disk or a provider does.
func (w *town) flip(name string) {
	b := w.get(name)
	b[len(b)/2] ^= 1
	w.store.Overwrite(name, b)
}

func (w *town) cut(name string) { b := w.get(name); w.store.Overwrite(name, b[:len(b)/2]) }

func (w *town) remove(name string) { must(w.t, w.store.Delete(w.t.Context(), name)) }

func (w *town) swap(a, b string) {
	x, y := w.get(a), w.get(b)
	w.store.Overwrite(a, y)
	w.store.Overwrite(b, x)
}

// replay puts the older object in the place of the newer.
func (w *town) replay(older, newer string) { w.store.Overwrite(newer, w.get(older)) }

// forge adds a commit after the first device's newest, signed by key.
func (w *town) forge(key ed25519.PrivateKey, change func(*commit.Commit)) string {
	w.t.Helper()
	return w.forgeAfter(w.snaps[2], key, change)
}

func (w *town) forgeAfter(name string, key ed25519.PrivateKey, change func(*commit.Commit)) string {
	w.t.Helper()
	n, err := commit.ParseName(name)
	must(w.t, err)
	dev, ok := w.first.Reopen(w.t).Trust().Device(n.Device)
	if !ok {
		w.t.Fatal("no device ", n.Device)
	}
	pub, err := trust.ParsePublic(dev.Sign)
	must(w.t, err)
	last, err := commit.Open(n, w.get(name), pub)
	must(w.t, err)
	c := &commit.Commit{
		Version: 1, Vault: last.Vault, Device: last.Device, Project: last.Project, Kind: commit.Snapshot,
		Time: last.Time.Add(time.Second), Body: last.Body, Ledger: last.Ledger, Trust: last.Trust,
	}
	must(w.t, c.Follow(last))
	change(c)
	obj, err := c.Sign(key)
	must(w.t, err)
	w.store.Overwrite(c.Name().String(), obj)
	return c.Name().String()
}

func key(t *testing.T, r *vaulttest.Room) ed25519.PrivateKey {
	dev, err := r.Dir(t).Device()
	must(t, err)
	return dev.SignKey()
}

func stranger() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

// look tells all that verify says, on the device and with the kit alone, and
// what the device's next backup says; a line each.
func (w *town) look() (lines []string) {
	w.t.Helper()
	ctx := w.t.Context()
	say := func(who, object string, err error) {
		lines = append(lines, fmt.Sprintf("%s: %s: %v", who, object, err))
	}
	verified := func(who string, v *vault.Vault, err error, o verify.Options) {
		if err != nil {
			say(who, "open", err)
			return
		}
		res, err := verify.Run(ctx, v, o)
		if err != nil {
			say(who, "verify", err)
		}
		for _, p := range res.Problems {
			say(who, p.Object, p.Err)
		}
		for _, p := range v.Problems() {
			say(who, p.Object, p.Err)
		}
	}
	if !w.forgetful {
		v, err := vault.Open(ctx, w.store, vault.OpenOptions{State: w.first.Dir(w.t)})
		verified("device", v, err, verify.Options{ReadData: 1})
		lines = append(lines, w.lookByBackup()...)
	}
	v, err := vault.Open(ctx, w.store, vault.OpenOptions{Kit: w.first.Kit})
	verified("kit", v, err, verify.Options{Deep: true})
	return lines
}

func (w *town) lookByBackup() (lines []string) {
	image := w.first.Image(w.t).With(w.store.Clone())
	v, err := vault.Open(w.t.Context(), image.Store, vault.OpenOptions{State: image.Dir(w.t)})
	if err != nil {
		return []string{"backup: open: " + err.Error()}
	}
	res, err := backup.Run(w.t.Context(), v, w.options("a"))
	if err != nil {
		lines = append(lines, "backup: "+err.Error())
	}
	for _, err := range res.Warnings {
		lines = append(lines, "backup: warning: "+err.Error())
	}
	return lines
}

// restored restores every snapshot that can be found with the kit alone, and
// lists what is whole: "number of the snapshot/file".
func (w *town) restored() (whole []string) {
	w.t.Helper()
	v, err := vault.Open(w.t.Context(), w.store, vault.OpenOptions{Kit: w.first.Kit})
	if err != nil {
		return nil
	}
	for s, err := range v.Snapshots(w.t.Context()) {
		must(w.t, err)
		n := slices.Index(w.snaps, s.Name.String())
		src, err := v.Source(w.t.Context(), s)
		if n < 0 || err != nil {
			continue
		}
		to := vaulttest.Folder(w.t)
		if _, err := restore.Run(w.t.Context(), src, restore.Options{Target: to, Overwrite: restore.Always}); err != nil && !errors.Is(err, vault.ErrDamaged) {
			w.t.Errorf("restore snapshot %d: %v", n, err)
		}
		whole = append(whole, w.same(n, to)...)
	}
	slices.Sort(whole)
	return whole
}

// same lists the files of a folder. Each must be what was backed up.
func (w *town) same(n int, dir string) (names []string) {
	files, err := os.ReadDir(dir)
	must(w.t, err)
	from := "a"
	if n == 3 {
		from = "b"
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(w.t, err)
		want, err := os.ReadFile(filepath.Join(w.folder(from), f.Name()))
		must(w.t, err)
		if !bytes.Equal(got, want) {
			w.t.Errorf("snapshot %d: %s is not what was backed up", n, f.Name())
			continue
		}
		names = append(names, fmt.Sprintf("%d/%s", n, f.Name()))
	}
	return names
}

// allFiles are those of the four snapshots.
var allFiles = []string{"0/one", "1/one", "1/two", "2/one", "2/three", "2/two", "3/four"}

// An attack is what somebody does to the bytes on the remote.
type attack struct {
	name  string
	do    func(*town) (object string) // what is to be named; "" if something else is
	says  string                      // what is said of it: a pattern, and nothing of the kind is said of the others
	harms []string                    // files that cannot be restored
}

func attacks(w *town) []attack {
	pack, second := w.dataPack(1), []string{"1/two", "2/two"}
	third := []string{"2/one", "2/three", "2/two"}
	body, ledger, middle, last := w.parts(2).Body, w.parts(2).Ledger, w.snaps[1], w.snaps[2]
	trusts := w.under("trust/")
	before, now := trusts[0], trusts[1]
	other := []string{"3/four"} // by the kit alone; the devices have their own copy of the trust
	flipped, cut := `its bytes do not match its name$`, `bytes, not|its bytes do not match its name$`
	others := `they are those of ` // another object
	on := func(object string, do func(w *town, name string)) func(*town) string {
		return func(w *town) string { do(w, object); return object }
	}
	return []attack{
		{"a pack has a flipped bit", on(pack, (*town).flip), flipped, second},
		{"a pack is gone", on(pack, (*town).remove), `missing`, second},
		{"a pack is cut", on(pack, (*town).cut), cut, second},
		{"two packs are swapped", func(w *town) string { w.swap(pack, w.dataPack(0)); return pack }, others, []string{"0/one", "1/one", "1/two", "2/one", "2/two"}},

		{"a body has a flipped bit", on(body, (*town).flip), flipped, third},
		{"a body is gone", on(body, (*town).remove), `missing`, third},
		{"a body is cut", on(body, (*town).cut), cut, third},
		{"an older body is in the place of a newer", func(w *town) string { w.replay(w.parts(1).Body, body); return body }, others, third},

		{"a ledger has a flipped bit", on(ledger, (*town).flip), flipped, nil},
		{"a ledger is gone", on(ledger, (*town).remove), `missing`, nil},
		{"a ledger is cut", on(ledger, (*town).cut), cut, nil},
		{"two ledgers are swapped", func(w *town) string { w.swap(ledger, w.parts(0).Ledger); return ledger }, others, nil},

		{"a commit has a flipped bit", on(last, (*town).flip), flipped, third},
		{"the newest commit is gone", on(last, (*town).remove), `this commit was seen`, third},
		{"a commit in between is gone", func(w *town) string { w.remove(middle); return path.Dir(middle) }, `missing: commit 2`, []string{"1/one", "1/two"}},
		{"a commit is cut", on(last, (*town).cut), cut, third},
		{"an older commit is in the place of a newer", func(w *town) string { w.replay(middle, last); return last }, others, third},

		{"the trust has a flipped bit", on(now, (*town).flip), flipped, other},
		{"the trust is gone", on(now, (*town).remove), `this trust was seen`, other},
		{"the trust is gone, and the machine too", func(w *town) string { w.remove(now); w.forgetful = true; return now }, `was made under this trust`, other},
		{"an older trust is in the place of a newer", func(w *town) string { w.replay(before, now); return now }, flipped, other},
		{"an older state of the whole remote is back", func(w *town) string { *w.store = *w.older.Clone(); return last }, `this commit was seen`, third},

		{"a commit is forged with an unknown key", func(w *town) string { return w.forge(stranger(), func(*commit.Commit) {}) }, `signature does not verify`, nil},
		{"a commit is forged for an unknown device", func(w *town) string {
			return w.forge(stranger(), func(c *commit.Commit) { c.Device = "0123456789abcdef" })
		}, `is no device of this vault`, nil},
		{"a revoked device commits", func(w *town) string {
			v, err := vault.Open(w.t.Context(), w.store, vault.OpenOptions{State: w.first.Dir(w.t), Kit: w.first.Kit})
			must(w.t, err)
			must(w.t, v.Revoke(w.t.Context(), w.first.Kit, w.second.Reopen(w.t).Device(), false))
			dev, err := w.second.Dir(w.t).Device()
			must(w.t, err)
			names := w.under("commits/" + dev.Device + "/")
			return w.forgeAfter(names[len(names)-1], key(w.t, w.second), func(*commit.Commit) {})
		}, `signed by a device after it was revoked`, nil},
		{"a snapshot comes from another vault", func(w *town) string {
			return w.forge(key(w.t, w.first), func(c *commit.Commit) { c.Vault = trust.NewVaultID() })
		}, `another vault`, nil},
	}
}

// Whatever is done to the objects of a vault, it is told, by the name of the
// object and with words of its own; and all that it does not touch restores.
func TestAttacks(t *testing.T) {
	calm := newTown(t)
	if lines := calm.copy(t).look(); len(lines) != 0 {
		t.Fatalf("of a sound vault: %q", lines)
	}
	if got := calm.restored(); !slices.Equal(got, allFiles) {
		t.Fatalf("a sound vault: %q", got)
	}
	for _, a := range attacks(calm) {
		t.Run(a.name, func(t *testing.T) {
			w := calm.copy(t)
			object := a.do(w)
			lines := w.look()
			t.Log(strings.Join(lines, "\n"))
			is := regexp.MustCompile(a.says)
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, object) && is.MatchString(l) }) {
				t.Errorf("%s is not told", object)
			}
			var want []string
			for _, f := range allFiles {
				if !slices.Contains(a.harms, f) {
					want = append(want, f)
				}
			}
			if got := w.restored(); !slices.Equal(got, want) {
				t.Errorf("restored %q, want %q", got, want)
			}
		})
	}
}
