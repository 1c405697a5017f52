package verify_test

import (
	"crypto/ed25519"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote/mem"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// Whatever is done to a vault is noticed, named, and told by a message of its
// own; and everything that it does not touch restores.
func TestEachHarmIsNamed(t *testing.T) {
	told := map[string]string{}
	for _, c := range []struct {
		name string
		harm func(t *testing.T, s *harmed)
		want string // in the message
		lost int    // how many of the two snapshots do not restore
	}{
		{"bytes flipped", func(t *testing.T, s *harmed) { flip(t, s.room, s.lastPack()) }, "its bytes do not match its name", 1},
		{"pack removed", func(t *testing.T, s *harmed) { remove(t, s.room, s.lastPack()) }, "damaged: missing", 1},
		{"pack truncated", func(t *testing.T, s *harmed) { s.change(s.lastPack(), func(b []byte) []byte { return b[:len(b)/2] }) }, "bytes, not", 1},
		{"packs swapped", func(t *testing.T, s *harmed) { s.swap() }, "bytes, not", 1},
		{"commit removed", func(t *testing.T, s *harmed) { remove(t, s.room, s.commits()[1]) }, "this commit was seen, and mem: does not show it", 1},
		{"commit flipped", func(t *testing.T, s *harmed) { flip(t, s.room, s.commits()[1]) }, "its bytes do not match its name", 1},
		{"commit replayed", func(t *testing.T, s *harmed) { s.replay() }, "says of itself that it is", 0},
		{"bucket rolled back", func(t *testing.T, s *harmed) { s.room = s.room.With(s.older) }, "this commit was seen, and mem: does not show it", 1},
		{"commit forged", func(t *testing.T, s *harmed) { s.forge() }, "signature does not verify", 0},
		{"commit of a revoked device", func(t *testing.T, s *harmed) { s.revoked() }, "signed by a device after it was revoked", 0},
		{"commit of another vault", func(t *testing.T, s *harmed) { s.foreign() }, "no device of this vault", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newHarmed(t)
			c.harm(t, s)
			res := check(t, s.device(), verify.Options{ReadData: 1})
			i := slices.IndexFunc(res.Problems, func(p verify.Problem) bool { return strings.Contains(p.Err.Error(), c.want) })
			if i < 0 {
				t.Fatalf("not told: %+v", res.Problems)
			}
			if p := res.Problems[i]; p.Object == "" || p.Harms == "" {
				t.Errorf("told without what or what it harms: %+v", p)
			}
			told[c.name] = res.Problems[i].Err.Error()
			if got := s.lost(); got != c.lost {
				t.Errorf("%d snapshots do not restore, want %d", got, c.lost)
			}
		})
	}
	t.Logf("%v", told)
}

// harmed is a vault with two snapshots that have nothing in common.
type harmed struct {
	*testing.T
	room  *vaulttest.Room
	older *mem.Store // as the remote was after the first one
	dirs  [2]string
	ids   [2]string
	was   [2]map[string]string
}

func newHarmed(t *testing.T) *harmed {
	t.Helper()
	store := mem.New()
	s := &harmed{T: t, room: vaulttest.On(t, store)}
	for i := range s.ids {
		s.dirs[i] = t.TempDir()
		write(t, s.dirs[i], "f", byte(7*i+1))
		s.ids[i] = backUp(t, s.room.Reopen(t), s.dirs[i]).Snapshot
		s.was[i] = s.room.Read(t, s.ids[i])
		if i == 0 {
			s.older = store.Clone()
		}
	}
	return s
}

// device opens the vault as its device, which knows what it has seen; its
// copies of objects are forgotten.
func (s *harmed) device() *vault.Vault {
	s.Helper()
	return s.room.Reopen(s)
}

// lost counts the snapshots that cannot be restored by the kit alone.
func (s *harmed) lost() (n int) {
	v := s.room.Lent(s)
	for i, id := range s.ids {
		snap, err := v.Find(s.Context(), id[:16], vault.Filter{})
		var got map[string]string
		if err == nil {
			got, err = vaulttest.Read(s.Context(), v, snap)
		}
		if err != nil {
			n++
		} else if !maps.Equal(got, s.was[i]) {
			s.Errorf("snapshot %d restores to something else", i+1)
		}
	}
	return n
}

func (s *harmed) lastPack() string {
	packs := packsOf(s.T, s.room, chunk.Data)
	return packs[len(packs)-1]
}

func (s *harmed) commits() (names []string) {
	for info, err := range s.room.Store.List(s.Context(), "commits/", "") {
		if err != nil {
			s.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

func (s *harmed) get(name string) []byte {
	s.Helper()
	b, err := s.room.Store.Get(s.Context(), nil, name, 0, -1)
	if err != nil {
		s.Fatal(err)
	}
	return slices.Clone(b)
}

func (s *harmed) change(name string, how func([]byte) []byte) {
	b := how(s.get(name))
	remove(s.T, s.room, name)
	put(s.T, s.room, name, b)
}

// swap exchanges the bytes of the second snapshot's two packs.
func (s *harmed) swap() {
	data := packsOf(s.T, s.room, chunk.Data)
	segments := packsOf(s.T, s.room, chunk.Segment)
	a, b := data[len(data)-1], segments[len(segments)-1]
	x, y := s.get(a), s.get(b)
	s.change(a, func([]byte) []byte { return y })
	s.change(b, func([]byte) []byte { return x })
}

// replay puts the first commit under a name that follows the last one.
func (s *harmed) replay() {
	b := s.get(s.commits()[0])
	n, err := commit.ParseName(s.commits()[0])
	if err != nil {
		s.Fatal(err)
	}
	n.Seq = 3
	put(s.T, s.room, n.String(), b)
}

// next is a commit that follows the device's last one, signed by key.
func (s *harmed) next(key ed25519.PrivateKey) {
	s.Helper()
	name, err := commit.ParseName(s.commits()[1])
	if err != nil {
		s.Fatal(err)
	}
	dev, err := s.room.Dir(s).Device()
	if err != nil {
		s.Fatal(err)
	}
	head, err := commit.Open(name, s.get(name.String()), dev.SignKey().Public().(ed25519.PublicKey))
	if err != nil {
		s.Fatal(err)
	}
	c := &commit.Commit{
		Version: 1, Vault: head.Vault, Device: head.Device, Project: head.Project, Kind: commit.Snapshot,
		Time: head.Time.Add(time.Hour), Body: head.Body, Ledger: head.Ledger, Trust: head.Trust,
	}
	if err := c.Follow(head); err != nil {
		s.Fatal(err)
	}
	obj, err := c.Sign(key)
	if err != nil {
		s.Fatal(err)
	}
	put(s.T, s.room, c.Name().String(), obj)
}

func (s *harmed) forge() {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		s.Fatal(err)
	}
	s.next(key)
}

// revoked lets a revoked device go on: it has its key still.
func (s *harmed) revoked() {
	dev, err := s.room.Dir(s).Device()
	if err != nil {
		s.Fatal(err)
	}
	heir, _ := s.room.Enrol(s, vault.EnrolOptions{Replace: trust.DeviceID(dev.Device)})
	s.next(dev.SignKey())
	s.room = heir
}

// foreign puts the commits of another vault there.
func (s *harmed) foreign() {
	other, dir := vaulttest.New(s.T), s.TempDir()
	write(s.T, dir, "x", 9)
	backUp(s.T, other.Reopen(s), dir)
	for info, err := range other.Store.List(s.Context(), "commits/", "") {
		if err != nil {
			s.Fatal(err)
		}
		b, err := other.Store.Get(s.Context(), nil, info.Name, 0, -1)
		if err != nil {
			s.Fatal(err)
		}
		put(s.T, s.room, info.Name, b)
	}
}
