package vault

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// noRoom calls fn while no file can be written to.
func noRoom(t *testing.T, fn func() error) error {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skip(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	none := limit
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		t.Skip(err)
	}
	probe := os.WriteFile(filepath.Join(t.TempDir(), "probe"), []byte("x"), 0o600)
	err := fn()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if probe == nil {
		t.Skip("this system does not limit files")
	}
	return err
}

// What is found out about packs must be noted: where that cannot be, nothing may
// go on as if it had been.
func TestTableCannotBeWritten(t *testing.T) {
	s := newScene(t)
	s.put(t, "more")
	if err := errors.Join(s.commit(t), s.own.saved()); err != nil {
		t.Fatal(err)
	}
	b := s.lose(t, s.pack.Name())
	if err := noRoom(t, func() error { return s.audit(t.Context()) }); err == nil || len(s.warns) > 0 {
		t.Errorf("a lost pack: %v, warned of %v", err, s.warns)
	}
	s.mem.Overwrite(s.pack.Name(), b)
	dir, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := newKnown()
	defer k.close()
	if k.usable[s.pack.Series], err = dir.Packs(s.pack.Series); err != nil {
		t.Fatal(err)
	}
	name := s.own.Projects[s.o.Project].Ledger
	if err := noRoom(t, func() error { return s.v.learnLedger(t.Context(), k, name) }); err == nil || k.live.Load().Len() > 0 {
		t.Errorf("a pack that a ledger names: %v", err)
	}
	if err := s.v.learnLedger(t.Context(), k, name); err != nil || k.live.Load().Len() != 2 {
		t.Errorf("with room: %v", err)
	}
	if err := noRoom(t, func() error { return k.mark(s.pack, state.PackBad) }); err == nil {
		t.Error("a pack that is bad")
	}
}

// A ledger that is lost or damaged leaves its packs unknown and stops nothing;
// what another ledger names is learned all the same. One that cannot be reached
// stops the run: its packs may be there.
func TestLearnLedgers(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *scene, ledger string)
		stops bool
	}{
		"lost":          {func(s *scene, ledger string) { s.lose(t, ledger) }, false},
		"damaged":       {func(s *scene, ledger string) { s.mem.Overwrite(ledger, []byte("junk")) }, false},
		"not reachable": {func(s *scene, ledger string) { s.fault.Add(fault.Rule{Op: remote.OpGet, Name: ledger, Do: fault.Fail}) }, true},
	} {
		s := newScene(t)
		s.put(t, "progress")
		if err := s.CommitProgress(t.Context()); err != nil {
			t.Fatal(err)
		}
		one := s.own.Progress[0].Ledger
		s.used = new(ledger.Set)
		s.put(t, "snapshot")
		s.own.Progress[0].Inherited = true // else the snapshot ends it
		if err := s.commit(t); err != nil {
			t.Fatal(err)
		}
		undo := s.inPlace(t, "objects")
		c.spoil(s, one)
		k, err := s.v.learn(t.Context(), s.own, s.now())
		undo()
		if (err != nil) != c.stops || c.stops && !errors.Is(err, fault.ErrInjected) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.stops && (k.live.Load().Len() != 1 || !s.noticed(one)) {
			t.Errorf("%s: %d packs, noticed %v", name, k.live.Load().Len(), s.v.Problems())
		}
		if err := k.close(); err != nil {
			t.Error(name, err)
		}
		s.Close()
	}
}

// A ledger's packs come as far as they are known: a roll that is damaged or lost
// takes away its own, and one that cannot be reached ends them.
func TestPacksOfLedger(t *testing.T) {
	series := chunk.Series{7}
	at := func(n uint32) ledger.Pack {
		return ledger.Pack{Series: series, Number: n, Sum: [32]byte{byte(n)}, Size: 9}
	}
	rolls, l := map[string][]byte{}, &ledger.Ledger{}
	for folder := range uint32(2) {
		b, err := ledger.EncodeRoll(series, folder, []ledger.Pack{at(folder * folderSize)}, ledger.NewNonce())
		if err != nil {
			t.Fatal(err)
		}
		name := ledger.RollName(series, folder, remote.NewObject("", b).Sum)
		rolls[name] = b
		l.Folders = append(l.Folders, ledger.Folder{Series: series, Folder: folder, Roll: name, All: true})
	}
	l.Folders = append(l.Folders, ledger.Folder{Series: series, Folder: 2, Packs: []ledger.Pack{at(2 * folderSize)}})
	first := l.Folders[0].Roll
	for name, c := range map[string]struct {
		bytes []byte // of the first roll
		err   error
		want  []uint32
		ends  bool
	}{
		"whole":         {rolls[first], nil, []uint32{0, folderSize, 2 * folderSize}, false},
		"damaged":       {[]byte("junk"), nil, []uint32{folderSize, 2 * folderSize}, false},
		"lost":          {nil, damaged("lost"), []uint32{folderSize, 2 * folderSize}, false},
		"not reachable": {nil, fault.ErrInjected, nil, true},
	} {
		get := func(roll string) ([]byte, error) {
			if roll == first {
				return c.bytes, c.err
			}
			return rolls[roll], nil
		}
		var got []uint32
		var errs []error
		for p, err := range Packs(l, get) {
			if err != nil {
				errs = append(errs, err)
			} else {
				got = append(got, p.Number)
			}
		}
		if !slices.Equal(got, c.want) || len(errs) > 1 || (len(errs) == 0) != (name == "whole") {
			t.Errorf("%s: packs %v, %v", name, got, errs)
		}
		if len(errs) == 1 && (isDamage(errs[0]) == c.ends || c.ends && !errors.Is(errs[0], c.err)) {
			t.Errorf("%s: %v", name, errs[0])
		}
		for range Packs(l, get) {
			break // who has enough gets no more
		}
	}
}

// What stands beside the condemned lists, or was put there by who may not, is
// told of and heeded by nobody.
func TestCondemnedListOfAnyone(t *testing.T) {
	s := committed(t)
	me := s.v.Device()
	list := func(vault trust.VaultID, spoil bool) string {
		l := &commit.CondemnedList{Vault: vault, Device: me, Seq: 1, Time: noon, Objects: []string{s.pack.Name()}}
		b, err := l.Sign(s.v.device().SignKey())
		if err != nil {
			t.Fatal(err)
		}
		if spoil {
			b[len(b)/2] ^= 1
		}
		name := commit.ObjectName(commit.Condemned, me, 1, remote.NewObject("", b).Sum)
		s.mem.Overwrite(name, b)
		return name
	}
	own := s.v.ID()
	other := own[1:] + own[:1]
	good := list(own, false)
	bad := []string{
		"condemned/junk", list(other, false), list(own, true),
		commit.ObjectName(commit.Condemned, "0123456789abcdef", 1, [32]byte{1}),
	}
	for _, name := range bad {
		if l, err := s.v.condemnedList(t.Context(), name); l != nil || err != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	for _, p := range s.v.Problems() {
		if i := slices.Index(bad, p.Object); i >= 0 {
			bad = slices.Delete(bad, i, i+1)
		}
	}
	if len(bad) > 0 {
		t.Errorf("not told of: %q", bad)
	}
	if l, err := s.v.condemnedList(t.Context(), good); err != nil || len(l.Objects) != 1 || s.noticed(good) {
		t.Errorf("%s: %v, %v", good, l, err)
	}
	if err := s.check(t.Context(), draft{used: s.used}); !errors.Is(err, ErrRestart) {
		t.Errorf("it is heeded by nobody: %v", err)
	}

	roles := s.v.Trust().Devices[0].Roles
	s.v.Trust().Devices[0].Roles = []trust.Role{trust.Write}
	defer func() { s.v.Trust().Devices[0].Roles = roles }()
	if l, err := s.v.condemnedList(t.Context(), good); l != nil || err != nil {
		t.Errorf("of a device that may not: %v, %v", l, err)
	}
}

// Packs of a series that not all recipients can open are not relied on.
func TestLearnRecipients(t *testing.T) {
	s := committed(t)
	if err := s.v.updateDevice(func(d *state.Device) error {
		for i := range d.Series {
			d.Series[i].RecipientsHash, d.Series[i].Recipients = strings.Repeat("ab", 32), recipientTags([]string{"age1other"})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	k, err := s.v.learn(t.Context(), s.own, s.now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	if k.has(s.pack.Series, s.pack.Number) {
		t.Error("a pack is relied on that not everybody can open")
	}
}
