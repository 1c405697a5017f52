package trust_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk/seal"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
	"coffer/vault/trust/trusttest"
)

// A room is a vault's trust with all keys at hand.
type room struct {
	vault, laptop *seal.Identity
	root          ed25519.PrivateKey
	trust         *trust.Trust
}

func newRoom(t testing.TB, classic bool) room {
	r := room{vault: trusttest.Identity(t, classic), laptop: trusttest.Identity(t, classic)}
	r.root = trust.RootKey(r.vault)
	r.trust = trusttest.New(t, r.vault, r.laptop)
	return r
}

func (r room) public() ed25519.PublicKey { return r.root.Public().(ed25519.PublicKey) }

func mustSeal(t testing.TB, tr *trust.Trust, root ed25519.PrivateKey) (string, []byte) {
	t.Helper()
	name, data, sum, err := trust.Seal(tr, root)
	if err != nil {
		t.Fatal(err)
	}
	if sum != sha256.Sum256(data) || name != trust.Name(tr.N, sum) {
		t.Fatalf("name %s and sum %x are not those of the object", name, sum)
	}
	return name, data
}

func TestSealOpen(t *testing.T) {
	for _, classic := range []bool{true, false} {
		r := newRoom(t, classic)
		name, data := mustSeal(t, r.trust, r.root)
		for who, id := range map[string]*seal.Identity{"kit": r.vault, "laptop": r.laptop} {
			got, err := trust.OpenNamed(name, data, seal.NewIdentities(id), r.public())
			if err != nil {
				t.Errorf("%s: %v", who, err)
				continue
			}
			if a, b := text(t, got), text(t, r.trust); a != b {
				t.Errorf("%s: got %s, want %s", who, a, b)
			}
		}
	}
}

func text(t testing.TB, tr *trust.Trust) string {
	b, err := canon.Encode(tr)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A stranger with the kit reads and verifies a trust with stock tools.
func TestStockTools(t *testing.T) {
	r := newRoom(t, false)
	_, data := mustSeal(t, r.trust, r.root)
	dir := t.TempDir()
	kit, obj := filepath.Join(dir, "kit"), filepath.Join(dir, "trust")
	trusttest.Write(t, kit, []byte(r.vault.String()+"\n"))
	trusttest.Write(t, obj, data)
	plain := trusttest.Run(t, nil, trusttest.Age(t), "-d", "-i", kit, obj)

	stmt := trusttest.Run(t, plain, "sed", "1q")
	sig := trusttest.Run(t, plain, "sed", "1d")
	allowed := trust.AllowedSigners("coffer-root", []string{trust.NamespaceTrust}, r.public())
	if err := trusttest.Keygen(t, allowed, "coffer-root", trust.NamespaceTrust, stmt, sig); err != nil {
		t.Error(err)
	}
	label := trusttest.Run(t, stmt, "jq", "-r", `.devices[] | select(.id == "d100000000000000") | .label`)
	if string(label) != "Anna's laptop\n" {
		t.Errorf("jq reads the label %q", label)
	}
}

func TestOpenRefuses(t *testing.T) {
	r := newRoom(t, true)
	name, data := mustSeal(t, r.trust, r.root)
	kit := seal.NewIdentities(r.vault)
	stranger := seal.NewIdentities(trusttest.Identity(t, true))
	otherRoot := trusttest.SignKey("other root").Public().(ed25519.PublicKey)

	if _, err := trust.Open(data, stranger, r.public()); !errors.Is(err, seal.ErrNoIdentity) {
		t.Errorf("a stranger's identity: got %v, want ErrNoIdentity", err)
	}
	if _, err := trust.Open(data, kit, otherRoot); !errors.Is(err, trust.ErrSignature) {
		t.Errorf("another root key: got %v, want ErrSignature", err)
	}
	for size, want := range map[int]bool{trust.MaxSize: false, trust.MaxSize + 1: true} { // judged by its size before it is parsed
		if _, err := trust.Open(make([]byte, size), kit, r.public()); err == nil || strings.Contains(err.Error(), "larger than any trust") != want {
			t.Errorf("%d bytes of nothing: %v", size, err)
		}
	}
	for _, i := range []int{0, len(data) / 2, len(data) - 1} {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, err := trust.Open(bad, kit, r.public()); err == nil || errors.Is(err, trust.ErrSignature) {
			t.Errorf("flipped bit in byte %d: got %v, want that its seal is broken", i, err)
		}
		for under, name := range map[string]string{"its name": name, "a name that fits": trust.Name(1, sha256.Sum256(bad))} {
			if _, err := trust.OpenNamed(name, bad, kit, r.public()); err == nil {
				t.Errorf("flipped bit in byte %d: opened under %s", i, under)
			}
		}
	}
	_, again := mustSeal(t, r.trust, r.root) // as good, and yet not what the next trust or a kit vouches for
	if _, err := trust.OpenNamed(name, again, kit, r.public()); err == nil {
		t.Error("another sealing of it was opened under its name")
	}
	replayed := strings.Replace(name, "trust/0000000001", "trust/0000000007", 1)
	if _, err := trust.OpenNamed(replayed, data, kit, r.public()); err == nil {
		t.Error("trust 1 was opened as trust 7")
	}
	if _, err := trust.OpenNamed("packs/x", data, kit, r.public()); err == nil {
		t.Error("opened under a name that is none of a trust")
	}
}

// Whatever one recipient of a trust re-seals with a change, the root's
// signature no longer fits.
func TestOpenRefusesForgeries(t *testing.T) {
	r := newRoom(t, true)
	line := text(t, r.trust)
	forge := func(line string, sig []byte) []byte {
		to, err := seal.ParseRecipients([]string{r.vault.Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := seal.NewWriter(&b, to)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(append([]byte(line), sig...))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	kit := seal.NewIdentities(r.vault)
	good := trust.Sign(r.root, trust.NamespaceTrust, []byte(line))
	if _, err := trust.Open(forge(line, good), kit, r.public()); err != nil {
		t.Fatalf("the forger's tools do not work: %v", err)
	}
	for why, obj := range map[string][]byte{
		"changed line":      forge(strings.Replace(line, `"last":3`, `"last":0`, 1), good),
		"no signature":      forge(line, nil),
		"another namespace": forge(line, trust.Sign(r.root, trust.NamespaceCommit, []byte(line))),
		"a device's key":    forge(line, trust.Sign(trusttest.SignKey("laptop"), trust.NamespaceTrust, []byte(line))),
	} {
		if _, err := trust.Open(obj, kit, r.public()); !errors.Is(err, trust.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", why, err)
		}
	}
	// Signed by the root, but not what Seal writes: refused all the same.
	for why, line := range map[string]string{
		"two lines":     line + "\n",
		"unknown field": strings.Replace(line, `{"v":1,`, `{"v":1,"x":1,`, 1),
		"broken rule":   strings.Replace(line, `"n":1,`, `"n":2,`, 1),
	} {
		if _, err := trust.Open(forge(line, trust.Sign(r.root, trust.NamespaceTrust, []byte(line))), kit, r.public()); err == nil {
			t.Errorf("%s: opened", why)
		}
	}
	newer := strings.Replace(line, `"v":1,`, `"v":2,`, 1)
	if _, err := trust.Open(forge(newer, trust.Sign(r.root, trust.NamespaceTrust, []byte(newer))), kit, r.public()); !errors.Is(err, canon.ErrVersion) {
		t.Errorf("a newer version: got %v, want ErrVersion", err)
	}
}

// grown returns r's trust with a revoked device and one that replaces it.
func (r room) grown(t testing.TB) *trust.Trust {
	g := clone(t, r.trust)
	old := trust.Device{
		ID: "d200000000000000", Label: "old desktop", Sign: trusttest.Public("old"), Age: trusttest.Identity(t, true).Recipient(),
		Roles: []trust.Role{trust.Write}, Until: &trust.Until{Seq: 12, Hash: strings.Repeat("ab", 32)},
	}
	desk := trust.Device{
		ID: "d300000000000000", Label: "Büro", Sign: trusttest.Public("desk"), Age: trusttest.Identity(t, true).Recipient(),
		Roles: []trust.Role{trust.Write, trust.Maintain}, Inherits: []trust.DeviceID{"d200000000000000"},
	}
	g.Devices = append(g.Devices, old, desk)
	return g
}

func clone(t testing.TB, tr *trust.Trust) *trust.Trust {
	c := new(trust.Trust)
	if err := json.Unmarshal([]byte(text(t, tr)), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Each rule of Check, broken alone, is noticed.
func TestCheck(t *testing.T) {
	r := newRoom(t, true)
	grown := r.grown(t)
	if err := grown.Check(); err != nil {
		t.Fatal(err)
	}
	pq := trusttest.Identity(t, false).Recipient()
	for why, spoil := range map[string]func(*trust.Trust){
		"version":                  func(x *trust.Trust) { x.Version = 2 },
		"format":                   func(x *trust.Trust) { x.Format = 2 },
		"number 0":                 func(x *trust.Trust) { x.N = 0 },
		"number of eleven digits":  func(x *trust.Trust) { x.N, x.Prev = 1e10, strings.Repeat("0", 64) },
		"second without prev":      func(x *trust.Trust) { x.N = 2 },
		"first with prev":          func(x *trust.Trust) { x.Prev = strings.Repeat("0", 64) },
		"prev no hash":             func(x *trust.Trust) { x.N, x.Prev = 2, "x" },
		"vault":                    func(x *trust.Trust) { x.Vault = "x" },
		"time":                     func(x *trust.Trust) { x.Time = "yesterday" },
		"time zone":                func(x *trust.Trust) { x.Time = "2026-11-22T03:00:00+01:00" },
		"fraction of a second":     func(x *trust.Trust) { x.Time = "2026-11-22T03:00:00.5Z" },
		"data key":                 func(x *trust.Trust) { x.DataKey = "x" },
		"segment key":              func(x *trust.Trust) { x.SegmentKey = "" },
		"one key for both":         func(x *trust.Trust) { x.SegmentKey = x.DataKey },
		"polynomial":               func(x *trust.Trust) { x.Polynomial = "20000000000002" },
		"no recipient":             func(x *trust.Trust) { x.Recipients = nil },
		"recipient twice":          func(x *trust.Trust) { x.Recipients = append(x.Recipients, x.Recipients[0]) },
		"recipient no key":         func(x *trust.Trust) { x.Recipients[0] = "age1x" },
		"recipient with blank":     func(x *trust.Trust) { x.Recipients[0] += " " },
		"recipients of two kinds":  func(x *trust.Trust) { x.Recipients = append(x.Recipients, pq) },
		"recipient is a device":    func(x *trust.Trust) { x.Recipients[0] = x.Devices[0].Age },
		"no device":                func(x *trust.Trust) { x.Devices = nil },
		"device ID":                func(x *trust.Trust) { x.Devices[0].ID = "D1" },
		"device ID twice":          func(x *trust.Trust) { x.Devices[2].ID = x.Devices[0].ID },
		"signing key twice":        func(x *trust.Trust) { x.Devices[2].Sign = x.Devices[1].Sign },
		"age key twice":            func(x *trust.Trust) { x.Devices[2].Age = x.Devices[1].Age },
		"no label":                 func(x *trust.Trust) { x.Devices[0].Label = "" },
		"label with escape":        func(x *trust.Trust) { x.Devices[0].Label = "a\x1b[2J" },
		"label not UTF-8":          func(x *trust.Trust) { x.Devices[0].Label = "\xff" },
		"long label":               func(x *trust.Trust) { x.Devices[0].Label = strings.Repeat("x", 101) },
		"signing key":              func(x *trust.Trust) { x.Devices[0].Sign += " x" },
		"age key":                  func(x *trust.Trust) { x.Devices[0].Age = "age1x" },
		"age key of SSH":           func(x *trust.Trust) { x.Devices[0].Age = trusttest.Public("x") },
		"age key of another kind":  func(x *trust.Trust) { x.Devices[0].Age = pq },
		"no role":                  func(x *trust.Trust) { x.Devices[0].Roles = nil },
		"unknown role":             func(x *trust.Trust) { x.Devices[0].Roles[0] = "admin" },
		"role twice":               func(x *trust.Trust) { x.Devices[0].Roles = []trust.Role{trust.Write, trust.Write} },
		"roles out of order":       func(x *trust.Trust) { slices.Reverse(x.Devices[0].Roles) },
		"until without hash":       func(x *trust.Trust) { x.Devices[1].Until.Hash = "" },
		"until without number":     func(x *trust.Trust) { x.Devices[1].Until.Seq = 0 },
		"until with a bad hash":    func(x *trust.Trust) { x.Devices[1].Until.Hash = strings.Repeat("AB", 32) },
		"until beyond ten digits":  func(x *trust.Trust) { x.Devices[1].Until.Seq = canon.MaxNumber + 1 },
		"too many ends":            func(x *trust.Trust) { x.Devices[1].Until.Also = ends(16) },
		"ends out of order":        func(x *trust.Trust) { x.Devices[1].Until.Also = ends(2); slices.Reverse(x.Devices[1].Until.Also) },
		"an end twice":             func(x *trust.Trust) { x.Devices[1].Until.Also = slices.Repeat(ends(1), 2) },
		"an end that is no hash":   func(x *trust.Trust) { x.Devices[1].Until.Also = []string{"x"} },
		"inherits nobody":          func(x *trust.Trust) { x.Devices[2].Inherits[0] = "d900000000000000" },
		"inherits itself":          func(x *trust.Trust) { x.Devices[2].Inherits[0] = x.Devices[2].ID },
		"inherits a later device":  func(x *trust.Trust) { x.Devices[1].Inherits = []trust.DeviceID{x.Devices[2].ID} },
		"inherits an active one":   func(x *trust.Trust) { x.Devices[2].Inherits[0] = x.Devices[0].ID },
		"inherits twice":           func(x *trust.Trust) { x.Devices[2].Inherits = append(x.Devices[2].Inherits, x.Devices[1].ID) },
		"floor below nothing":      func(x *trust.Trust) { x.Floor.KeepLast = -1 },
		"floor above all":          func(x *trust.Trust) { x.Floor.KeepDays = 1e6 },
		"too many devices to seal": func(x *trust.Trust) { crowd(t, x, 50, false) },
		"too many devices at all":  func(x *trust.Trust) { crowd(t, x, trust.MaxDevices, true) },
	} {
		x := clone(t, grown)
		spoil(x)
		if err := x.Check(); err == nil {
			t.Errorf("%s: accepted", why)
		}
		if _, _, _, err := trust.Seal(x, r.root); err == nil {
			t.Errorf("%s: sealed", why)
		}
	}
}

// What is just within its bounds is good.
func TestCheckAtTheBounds(t *testing.T) {
	for why, change := range map[string]func(x *trust.Trust){
		"number": func(x *trust.Trust) { x.N, x.Prev = canon.MaxNumber, strings.Repeat("ab", 32) },
		"label":  func(x *trust.Trust) { x.Devices[0].Label = strings.Repeat("x", 100) },
		"floor":  func(x *trust.Trust) { x.Floor = trust.Floor{KeepLast: 100_000, KeepDays: 100_000} },
		"none":   func(x *trust.Trust) { x.Floor = trust.Floor{} },
		"until, and inherits the first": func(x *trust.Trust) {
			x.Devices[0].Until = &trust.Until{Seq: canon.MaxNumber, Hash: strings.Repeat("ab", 32), Also: ends(15)}
			crowd(t, x, 1, false)
			x.Devices[1].Inherits = []trust.DeviceID{x.Devices[0].ID}
		},
	} {
		x := newRoom(t, true).trust
		change(x)
		if err := x.Check(); err != nil {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// ends returns the hashes of n further ends of a history, sorted.
func ends(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%064x", i)
	}
	return out
}

// What keeps every rule and yet does not fit into an object is not sealed: no
// device could open it.
func TestSealRefusesWhatIsTooLong(t *testing.T) {
	r := newRoom(t, true)
	crowd(t, r.trust, trust.MaxDevices-1, true)
	for i := range r.trust.Devices {
		d := &r.trust.Devices[i]
		d.Until = &trust.Until{Seq: 1, Hash: strings.Repeat("ab", 32), Also: ends(15)}
		for _, old := range r.trust.Devices[:i] {
			d.Inherits = append(d.Inherits, old.ID)
		}
		if i < 190 {
			d.Age = trusttest.Identity(t, false).Recipient() // some 2,000 bytes
		}
	}
	if err := r.trust.Check(); err != nil {
		t.Fatal(err)
	}
	if long := text(t, r.trust); len(long) > trust.MaxSize-2000 {
		t.Fatalf("%d bytes: what is not sealed must be good to open but for its length", len(long))
	}
	if _, _, _, err := trust.Seal(r.trust, r.root); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("%d bytes, sealed, or: %v", len(text(t, r.trust)), err)
	}
}

// crowd adds n devices.
func crowd(t testing.TB, x *trust.Trust, n int, revoked bool) {
	for i := range n {
		d := trust.Device{
			ID: trust.DeviceID(fmt.Sprintf("e%015d", i)), Label: "x", Sign: trusttest.Public(fmt.Sprint(i)),
			Age: trusttest.Identity(t, true).Recipient(), Roles: []trust.Role{trust.Write},
		}
		if revoked {
			d.Until = &trust.Until{}
		}
		x.Devices = append(x.Devices, d)
	}
}

// As many devices as can be in good standing, post-quantum all: the seal's
// header stays within its bound.
func TestManyDevices(t *testing.T) {
	r := newRoom(t, false)
	for i := range 34 {
		r.trust.Devices = append(r.trust.Devices, trust.Device{
			ID: trust.DeviceID(fmt.Sprintf("e%015d", i)), Label: "x", Sign: trusttest.Public(fmt.Sprint(i)),
			Age: trusttest.Identity(t, false).Recipient(), Roles: []trust.Role{trust.Write},
		})
	}
	name, data := mustSeal(t, r.trust, r.root)
	for _, id := range []*seal.Identity{r.vault, r.laptop} {
		if _, err := trust.OpenNamed(name, data, seal.NewIdentities(id), r.public()); err != nil {
			t.Error(err)
		}
	}
	more := r.trust.Devices[34]
	more.ID, more.Sign, more.Age = "f000000000000000", trusttest.Public("more"), trusttest.Identity(t, false).Recipient()
	r.trust.Devices = append(r.trust.Devices, more)
	if err := r.trust.Check(); err == nil || !strings.Contains(err.Error(), "36") {
		t.Errorf("one device more than can be sealed to: %v", err)
	}
	r.trust.Devices[35].Until = &trust.Until{}
	if err := r.trust.Check(); err != nil {
		t.Errorf("with that one revoked: %v", err)
	}
}

func TestManyRevokedDevices(t *testing.T) {
	r := newRoom(t, true)
	crowd(t, r.trust, trust.MaxDevices-1, true)
	name, data := mustSeal(t, r.trust, r.root)
	if _, err := trust.OpenNamed(name, data, seal.NewIdentities(r.laptop), r.public()); err != nil {
		t.Error(err)
	}
}

func TestRevokedDeviceCannotReadWhatFollows(t *testing.T) {
	r := newRoom(t, true)
	r.trust.Devices[0].Until = &trust.Until{}
	_, data := mustSeal(t, r.trust, r.root)
	if _, err := trust.Open(data, seal.NewIdentities(r.laptop), r.public()); !errors.Is(err, seal.ErrNoIdentity) {
		t.Errorf("got %v, want ErrNoIdentity", err)
	}
}

func TestRoles(t *testing.T) {
	x := newRoom(t, true).grown(t)
	for _, c := range []struct {
		id   trust.DeviceID
		role trust.Role
		want bool
	}{
		{"d100000000000000", trust.Write, true},
		{"d100000000000000", trust.Forget, true},
		{"d200000000000000", trust.Write, false}, // revoked
		{"d300000000000000", trust.Write, true},
		{"d300000000000000", trust.Forget, false}, // never given
		{"d300000000000000", trust.Maintain, true},
		{"d900000000000000", trust.Write, false}, // nobody
	} {
		if got := x.Allows(c.id, c.role); got != c.want {
			t.Errorf("%s, %s: got %v", c.id, c.role, got)
		}
	}
	if d, ok := x.Device("d200000000000000"); !ok || !d.Has(trust.Write) {
		t.Error("what a revoked device signed before cannot be judged by its role")
	}
}

func TestLineage(t *testing.T) {
	x := newRoom(t, true).grown(t)
	x.Devices[2].Until = &trust.Until{Seq: 1, Hash: strings.Repeat("0", 64)}
	crowd(t, x, 1, false)
	last := &x.Devices[3]
	last.Inherits = []trust.DeviceID{"d300000000000000", "d200000000000000"}
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
	if got, want := x.Lineage(last.ID), []trust.DeviceID{last.ID, "d300000000000000", "d200000000000000"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := x.Lineage("d100000000000000"); len(got) != 1 {
		t.Errorf("who inherits nothing: %v", got)
	}
	if got := x.Lineage("d900000000000000"); got != nil {
		t.Errorf("nobody's: %v", got)
	}
}

func TestFollows(t *testing.T) {
	r := newRoom(t, true)
	prev := r.grown(t)
	sum := strings.Repeat("cd", 32)
	good := func() *trust.Trust {
		x := clone(t, prev)
		x.N, x.Prev = 2, sum
		return x
	}
	for why, change := range map[string]func(*trust.Trust){
		"nothing":      func(*trust.Trust) {},
		"a new device": func(x *trust.Trust) { crowd(t, x, 1, false) },
		"a revocation": func(x *trust.Trust) { x.Devices[0].Until = &trust.Until{} },
		"a correction": func(x *trust.Trust) { x.Devices[1].Until.Seq = 13 },
		"roles":        func(x *trust.Trust) { x.Devices[0].Roles = []trust.Role{trust.Write} },
		"label, floor": func(x *trust.Trust) { x.Devices[0].Label, x.Floor = "new", trust.Floor{} },
		"recipients": func(x *trust.Trust) {
			x.Recipients = append(x.Recipients, trusttest.Identity(t, true).Recipient())
			slices.Sort(x.Recipients)
		},
	} {
		x := good()
		change(x)
		if err := x.Check(); err != nil {
			t.Errorf("%s: %v", why, err)
		}
		if err := trust.Follows(x, prev, sum); err != nil {
			t.Errorf("%s: %v", why, err)
		}
	}
	for why, spoil := range map[string]func(*trust.Trust){
		"same number":        func(x *trust.Trust) { x.N = 1 },
		"number skipped":     func(x *trust.Trust) { x.N = 3 },
		"another prev":       func(x *trust.Trust) { x.Prev = strings.Repeat("0", 64) },
		"another vault":      func(x *trust.Trust) { x.Vault = trust.NewVaultID() },
		"older format":       func(x *trust.Trust) { x.Format = 0 },
		"data key":           func(x *trust.Trust) { x.DataKey = x.SegmentKey },
		"segment key":        func(x *trust.Trust) { x.SegmentKey = x.DataKey },
		"polynomial":         func(x *trust.Trust) { x.Polynomial = "x" },
		"device gone":        func(x *trust.Trust) { x.Devices = x.Devices[:2] },
		"device replaced":    func(x *trust.Trust) { x.Devices[0].ID = "d900000000000000" },
		"devices reordered":  func(x *trust.Trust) { slices.Reverse(x.Devices) },
		"another key":        func(x *trust.Trust) { x.Devices[0].Sign = trusttest.Public("thief") },
		"another age key":    func(x *trust.Trust) { x.Devices[0].Age = "age1x" },
		"inheritance":        func(x *trust.Trust) { x.Devices[2].Inherits = nil },
		"revocation undone":  func(x *trust.Trust) { x.Devices[1].Until = nil },
		"everything at once": func(x *trust.Trust) { *x = trust.Trust{} },
	} {
		x := good()
		spoil(x)
		if trust.Follows(x, prev, sum) == nil {
			t.Errorf("%s: accepted", why)
		}
	}
}

// Golden: the root key of a given identity must never change, or no kit opens
// its vault any more.
func TestRootKeyIsFixed(t *testing.T) {
	const secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
	for _, s := range []string{secret, strings.ToLower(secret), " " + secret + "\r\n"} {
		id, err := seal.ParseIdentity(s)
		if err != nil {
			t.Fatal(err)
		}
		got := trust.PublicText(trust.RootKey(id).Public().(ed25519.PublicKey))
		if want := golden(t, "testdata/root.pub", got); got != want {
			t.Errorf("%q gives %s, want %s", s, got, want)
		}
	}
}

// Golden: the line of a trust, with everything in it.
func TestLineIsFixed(t *testing.T) {
	b, err := os.ReadFile("testdata/trust.json")
	if err != nil {
		t.Fatal(err)
	}
	x := new(trust.Trust)
	if err := canon.DecodeFirst(b, x); err != nil {
		t.Fatal(err)
	}
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
	if d, ok := x.Device("d300000000000000"); !ok || d.Label != "Büro" || d.Inherits[0] != "d200000000000000" || x.Devices[1].Until.Seq != 12 || x.Floor.KeepDays != 7 {
		t.Errorf("it says something else now: %+v", *d)
	}
}

func golden(t *testing.T, file, got string) string {
	if *trust.Update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func TestSecretsAreNotPrinted(t *testing.T) {
	x := newRoom(t, true).trust
	for _, s := range []string{fmt.Sprint(x), fmt.Sprintf("%+v", *x), fmt.Sprintf("%#v", x), fmt.Sprintf("%v", []trust.Trust{*x})} {
		if strings.Contains(s, x.DataKey) || strings.Contains(s, x.Polynomial) {
			t.Errorf("%q holds a secret", s)
		}
	}
}

func TestNames(t *testing.T) {
	sum := sha256.Sum256(nil)
	if n, hash, err := trust.ParseName(trust.Name(3, sum)); err != nil || n != 3 || hash != canon.Sum(sum) {
		t.Errorf("got %d, %s, %v", n, hash, err)
	}
	for _, bad := range []string{"", "trust/", "trust/1-" + canon.Sum(sum), trust.Name(0, sum), trust.Name(1e10, sum), strings.TrimPrefix(trust.Name(1, sum), "trust/"), "x" + trust.Name(1, sum)} {
		if _, _, err := trust.ParseName(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func TestIDs(t *testing.T) {
	v, d, p := trust.NewVaultID(), trust.NewDeviceID(), trust.NewProjectID()
	if _, err := trust.ParseVaultID(string(v)); err != nil || v == trust.NewVaultID() {
		t.Error(v, err)
	}
	if _, err := trust.ParseDeviceID(string(d)); err != nil || d == trust.NewDeviceID() {
		t.Error(d, err)
	}
	if _, err := trust.ParseProjectID(string(p)); err != nil || p == trust.NewProjectID() {
		t.Error(p, err)
	}
	for _, bad := range []string{"", "D100000000000000", "d10000000000000", "../../../../../.."} {
		if _, err := trust.ParseDeviceID(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}
