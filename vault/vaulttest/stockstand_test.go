package vaulttest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/files/treecmp"
	"coffer/vault/state"
)

// Another list stands in for a ledger or roll that is lost, and for what stood
// in for it: the script follows them as Coffer does, and says so.
func TestStockStandIns(t *testing.T) {
	s, src, _ := damaged(t)
	d, err := state.Open(s.state)
	must(t, err)
	_, err = d.UpdateDevice(func(dev *state.Device) error {
		for i := range dev.Series {
			dev.Series[i].Next = 1024 // as if the first folder of each were full
		}
		return nil
	})
	must(t, err)
	write(t, filepath.Join(src, "more"), "more")
	s.backup(firstProject, "p", src)
	s.expectWhole(src)

	ledger := s.lose(s.objects("ledgers/*/0000000003-*")[0])
	s.standsIn(src)
	for _, roll := range s.objects("rolls/*/*") {
		s.lose(roll)
	}
	s.standsIn(src)
	s.lose(ledger)
	s.standsIn(src)
}

// lose removes a ledger or roll for good, and has another list stand in for it,
// whose ledger it returns.
func (s *stock) lose(path string) string {
	s.t.Helper()
	name := strings.TrimPrefix(path, s.remote+"/")
	v := s.open()
	packs, err := v.CopyOf(s.t.Context(), name)
	must(s.t, err)
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
