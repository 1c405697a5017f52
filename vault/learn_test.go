package vault

import (
	"errors"
	"os"
	"os/exec"
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
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	none := limit
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		t.Fatal(err)
	}
	probe := os.WriteFile(filepath.Join(t.TempDir(), "probe"), []byte("x"), 0o600)
	err := fn()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if probe == nil {
		t.Fatal("this system does not limit files")
	}
	return err
}

// alone runs the test in a process of its own, and tells whether that was done:
// a limit of the process would meet others, and what go test itself writes.
func alone(t *testing.T) (done bool) {
	t.Helper()
	const mark = "COFFER_TEST_ALONE"
	if os.Getenv(mark) != "" {
		return false
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}

// What is found out about packs must be noted: where that cannot be, nothing may
// go on as if it had been.
func TestTableCannotBeWritten(t *testing.T) {
	if alone(t) {
		return
	}
	s := newScene(t)
	s.put(t, "more")
	if err := errors.Join(s.commit(t), s.own.saved(), s.audit(t.Context())); err != nil {
		t.Fatal(err)
	}
	b := s.lose(t, s.pack.Name())
	if err := noRoom(t, func() error { return s.audit(t.Context()) }); err == nil || len(s.warns) > 0 {
		t.Errorf("a lost pack: %v, warned of %v", err, s.warns)
	}
	s.mem.Overwrite(s.pack.Name(), b)
	name := s.own.Projects[s.o.Project].Ledger
	for _, room := range []bool{true, false} {
		dir, err := state.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		k := newKnown()
		defer k.close()
		if k.usable[s.pack.Series], err = dir.Packs(s.pack.Series); err != nil {
			t.Fatal(err)
		}
		learn := func() error { return s.v.learnLedger(t.Context(), k, name) }
		if room {
			err = learn()
		} else {
			err = noRoom(t, learn)
		}
		if live := k.live.Load().Len(); room != (err == nil) || room != (live == 2) || !room && live > 0 {
			t.Errorf("packs that a ledger names, room %t: %d live, %v", room, live, err)
		}
	}
}

// A ledger that is lost or damaged leaves its packs unknown and stops nothing,
// unless a move says what stands in for it; what another ledger names is learned
// all the same. One that cannot be reached stops the run: its packs may be there.
// One that is about to be deleted keeps nothing.
func TestLearnLedgers(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *scene, one string)
		live  int // packs, of two
		told  bool
	}{
		"there":   {func(*scene, string) {}, 2, false},
		"lost":    {func(s *scene, one string) { s.lose(t, one) }, 1, true},
		"damaged": {func(s *scene, one string) { s.mem.Overwrite(one, []byte("junk")) }, 1, true},
		"replaced": {func(s *scene, one string) {
			used := new(ledger.Set)
			used.Add(s.pack.Series, s.pack.Number)
			d := draft{kind: commit.Move, old: []string{one}, used: used}
			var err error
			if d.ledger, err = s.writeLedger(t.Context(), &d, used); err == nil {
				_, err = s.publish(t.Context(), d)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.lose(t, one)
		}, 2, false},
		"not reachable": {func(s *scene, one string) { s.fault.Add(fault.Rule{Op: remote.OpGet, Name: one, Do: fault.Fail}) }, -1, false},
		"condemned":     {func(s *scene, one string) { s.condemn(t, s.v.ID(), one) }, 1, false},
	} {
		s := newScene(t)
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
		c.spoil(s, one)
		undo := s.inPlace(t, "objects")
		k, err := s.v.learn(t.Context(), s.own, s.now())
		undo()
		if c.live < 0 {
			if !errors.Is(err, fault.ErrInjected) {
				t.Errorf("%s: %v", name, err)
			}
		} else if live := k.live.Load().Len(); err != nil || live != c.live || s.noticed(one) != c.told {
			t.Errorf("%s: %d packs, noticed %v, %v", name, live, s.v.Problems(), err)
		}
		if err := k.close(); err != nil {
			t.Error(name, err)
		}
		s.Close()
	}
}

// condemn stores a condemned list of a vault that this device signs.
func (s *scene) condemn(t *testing.T, vault trust.VaultID, objects ...string) (name string) {
	t.Helper()
	l := &commit.CondemnedList{Vault: vault, Device: s.v.Device(), Seq: 1, Time: noon, Objects: objects}
	b, err := l.Sign(s.v.device().SignKey())
	if err != nil {
		t.Fatal(err)
	}
	name = commit.ObjectName(commit.Condemned, s.v.Device(), 1, remote.NewObject("", b).Sum)
	s.mem.Overwrite(name, b)
	return name
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
	own := s.v.ID()
	other := own[1:] + own[:1]
	good := s.condemn(t, own, s.pack.Name())
	b, err := s.mem.Get(t.Context(), nil, good, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	unsigned := commit.ObjectName(commit.Condemned, s.v.Device(), 2, remote.NewObject("", b).Sum)
	s.mem.Overwrite(unsigned, b)
	bad := []string{
		"condemned/junk", s.condemn(t, other, s.pack.Name()), unsigned,
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

	s.fault.Add(fault.Rule{Op: remote.OpGet, Name: good, Nth: 1, Do: fault.Fail})
	undo := s.inPlace(t, "objects")
	if err := s.check(t.Context(), draft{used: new(ledger.Set)}); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("it cannot be read: %v", err)
	}
	if s.Known(s.pack.Series, s.pack.Number) {
		t.Error("it cannot be read, and what it named is relied on")
	}
	undo()

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
