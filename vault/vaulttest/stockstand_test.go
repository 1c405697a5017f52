package vaulttest_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/files/treecmp"
	"coffer/vault"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// Another list stands in for a ledger or roll that is lost, and for what stood
// in for it: the script follows them as Coffer does, and says so.
func TestStockStandIns(t *testing.T) {
	s, src, _ := damaged(t)
	s.nextFolder()
	write(t, filepath.Join(src, "more"), "more")
	s.backup(firstProject, "p", src)
	s.expectWhole(src)

	instead := s.lose(s.objects("ledgers/*/0000000003-*")[0])
	s.standsIn(src)
	for _, roll := range s.objects("rolls/*/*") {
		s.lose(roll)
	}
	s.standsIn(src)
	s.lose(instead)
	s.standsIn(src)
}

// What stands in for a list was made when a pack had been moved and was gone, so
// it does not name it. The script takes the name from the move.
func TestStockStandInLacksWhatWasMoved(t *testing.T) {
	for _, roll := range []bool{false, true} {
		s, src, _ := damaged(t)
		first, obj := s.dataPack()
		if roll {
			s.nextFolder()
			write(t, filepath.Join(src, "more"), "more")
			s.backup(firstProject, "p", src)
		}
		second, obj := s.move(first, obj)
		s.move(second, obj)
		for _, p := range []ledger.Pack{first, second} {
			must(t, os.Remove(filepath.Join(s.remote, p.Name())))
		}
		list := s.objects("ledgers/*/0000000002-*")[0]
		if roll {
			list = s.objects("rolls/" + first.Series.String() + "/*")[0]
		}
		s.lose(list, first)
		s.standsIn(src)
	}
}

// A pack has gone, and a move has what it held by way of another pack of its number,
// of a cloned machine. The script finds it there, as Coffer does; and it takes no
// other pack of the number for the one that only a lost list had named.
func TestStockMoveOfATwin(t *testing.T) {
	s, src, _ := damaged(t)
	pack, obj := s.dataPack()
	twin := pack
	twin.Sum[0] ^= 1
	s.move(twin, obj)
	must(t, os.Remove(filepath.Join(s.remote, pack.Name())))
	s.expectWhole(src)

	wrong := s.largest("packs/*/*/*") // good bytes, and others
	b, err := os.ReadFile(wrong)
	must(t, err)
	b = append(b, 0)
	twin.Sum = sha256.Sum256(b)
	s.put(twin.Name(), b)
	s.move(twin, obj)
	s.lose(s.objects("ledgers/*/0000000002-*")[0], pack)
	s.standsIn(src)
}

// The script and the page that describes the format follow moves as far as the
// program does.
func TestHowFarMovesAreFollowed(t *testing.T) {
	for file, want := range map[string]string{
		"restore.sh": fmt.Sprintf("\nmax_moves=%d\n", vault.MaxMoves), "format.md": fmt.Sprintf("at most %d times", vault.MaxMoves),
	} {
		text, err := os.ReadFile(filepath.Join("../../docs", file))
		must(t, err)
		if !strings.Contains(string(text), want) {
			t.Errorf("docs/%s does not say %q", file, want)
		}
	}
}

// lose removes a ledger or roll for good, and has another list stand in for it
// that names the same packs but some. It returns that list's ledger.
func (s *stock) lose(path string, but ...ledger.Pack) string {
	s.t.Helper()
	name := strings.TrimPrefix(path, s.remote+"/")
	v := s.open()
	packs, err := v.CopyOf(s.t.Context(), name)
	must(s.t, err)
	packs = slices.DeleteFunc(packs, func(p ledger.Pack) bool {
		return slices.ContainsFunc(but, func(b ledger.Pack) bool { return b.Name() == p.Name() })
	})
	must(s.t, os.Remove(filepath.Join(s.remote, name)))
	before := map[string]bool{}
	for _, l := range s.objects("ledgers/*/*") {
		before[l] = true
	}
	must(s.t, v.Replace(s.t.Context(), []string{name}, packs, nil))
	for _, l := range s.objects("ledgers/*/*") {
		if !before[l] {
			return strings.TrimPrefix(l, s.remote+"/")
		}
	}
	s.t.Fatal("nothing stands in for " + name)
	return ""
}

// standsIn wants the newest snapshot to be restored whole, by a list that stands
// in for another.
func (s *stock) standsIn(src string) {
	s.t.Helper()
	target := s.target()
	s.expect(3, []string{"another list stands in for it"}, "-t", target)
	for _, d := range treecmp.Compare(src, target, treecmp.Options{}) {
		s.t.Error(d)
	}
}

// nextFolder lets each series go on as if its first folder were full.
func (s *stock) nextFolder() {
	s.t.Helper()
	d, err := state.Open(s.state)
	must(s.t, err)
	_, err = d.UpdateDevice(func(dev *state.Device) error {
		for i := range dev.Series {
			dev.Series[i].Next = 1024
		}
		return nil
	})
	must(s.t, err)
}
