package main

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"coffer/vault/prooftest"
)

// failing FOLDER FAULT OUTCOME PROGRAM ARGS... runs a program one of whose calls
// to a folder fails, and writes what it did to a file.
func failing() {
	var f prooftest.Fault
	if err := json.Unmarshal([]byte(os.Args[2]), &f); err != nil {
		fail("failing: %v", err)
	}
	cmd := exec.Command(os.Args[4], os.Args[5:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	did, err := prooftest.Fail(os.Args[1], cmd, f)
	if err != nil {
		fail("failing: %v", err)
	}
	out, err := os.Create(os.Args[3])
	if err == nil {
		err = errors.Join(gob.NewEncoder(out).Encode(did), out.Close())
	}
	if err != nil {
		fail("failing: %v", err)
	}
	os.Exit(did.Code)
}

// failing runs coffer, one of whose calls to the home fails.
func (l *lab) failing(f prooftest.Fault, args ...string) (did prooftest.Outcome, said string) {
	l.t.Helper()
	fault, err := json.Marshal(f)
	if err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.t.TempDir(), "outcome")
	cmd := exec.Command("failing", append([]string{l.home, string(fault), path, "coffer"}, args...)...)
	cmd.Env, cmd.Dir = l.env, l.home
	b, _ := cmd.CombinedOutput()
	file, err := os.Open(path)
	if err == nil {
		defer file.Close()
		err = gob.NewDecoder(file).Decode(&did)
	}
	if err != nil {
		l.t.Fatalf("coffer %s: %v\n%s", strings.Join(args, " "), err, b)
	}
	return did, string(b)
}

// at makes the home be as a disk says.
func (l *lab) at(d *prooftest.Disk) {
	l.t.Helper()
	if err := errors.Join(os.RemoveAll(l.home), os.Mkdir(l.home, 0o700), d.Save(l.home)); err != nil {
		l.t.Fatal(err)
	}
}

// The machine stops at each change that a command about the kit makes. The copy
// is as it was, a kit that is on this machine is known to be there, and the
// command can be given again.
func TestStopKit(t *testing.T) {
	l := newLab(t)
	l.ok("backup", "now", "work")
	found, err := filepath.Glob(l.path(".local/share/coffer/coffer-kit-*.txt"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	l.write("usb/kit.txt", string(text))
	before, err := prooftest.Load(l.home, "")
	if err != nil {
		t.Fatal(err)
	}
	states := 0
	for _, args := range [][]string{{"kit", "confirm", "usb/kit.txt"}, {"kit", "show", "-o", "new.txt"}} {
		l.at(before)
		did, said := l.failing(prooftest.Fault{}, args...)
		if did.Code != 0 || len(did.Changes) < 3 {
			t.Fatalf("coffer %q: %d changes, %s", args, len(did.Changes), said)
		}
		disk, seen := before.Clone(), map[[32]byte]bool{}
		for i := 0; ; i++ {
			for _, loss := range []prooftest.Loss{prooftest.Nothing, prooftest.Bytes, prooftest.Zeros, prooftest.Names} {
				d := disk.After(loss)
				if sum := d.Sum(""); !seen[sum] {
					seen[sum] = true
					l.at(d)
					if err := l.kitIsRight(found[0], string(text), args); err != nil {
						t.Errorf("coffer %q, stopped before %d of %d, losing %d: %v", args, i, len(did.Changes), loss, err)
					}
				}
			}
			if i == len(did.Changes) {
				break
			}
			disk.Do(did.Changes[i])
		}
		states += len(seen)
	}
	t.Logf("tried: stops of commands about the kit that leave %d states that differ", states)
}

// kitIsRight looks at the kits of a machine that is on again, and gives the
// command once more.
func (l *lab) kitIsRight(path, text string, args []string) error {
	if b, err := os.ReadFile(l.path("usb/kit.txt")); err != nil || string(b) != text {
		return fmt.Errorf("the copy is not what it was: %v", err)
	}
	if b, err := os.ReadFile(l.path("new.txt")); err == nil && !strings.Contains(string(b), "AGE-SECRET-KEY") {
		return fmt.Errorf("a new kit of %d bytes that is none", len(b))
	}
	out, code := l.coffer("kit")
	if code != 0 {
		return fmt.Errorf("coffer kit: exit code %d: %s", code, out)
	}
	_, err := os.Stat(path)
	if there, told := err == nil, strings.Contains(out, path); there != told {
		return fmt.Errorf("a kit on this machine: %t, told of: %t: %s", there, told, out)
	}
	if args[1] == "show" && errors.Is(err, os.ErrNotExist) {
		return errors.New("the kit is gone")
	}
	if out, code := l.coffer(args...); code != 0 {
		return fmt.Errorf("again: exit code %d: %s", code, out)
	}
	_, err = os.Stat(path)
	if gone := errors.Is(err, os.ErrNotExist); gone != (args[1] == "confirm") {
		return fmt.Errorf("after all, the kit is gone: %t", gone)
	}
	if out, code := l.coffer("ls", "latest", "--kit", "usb/kit.txt"); code != 0 || !strings.Contains(out, "one.txt") {
		return fmt.Errorf("the copy opens nothing: exit code %d: %s", code, out)
	}
	if out, code := l.coffer("backup", "now", "work"); code != 0 {
		return fmt.Errorf("the next run: exit code %d: %s", code, out)
	}
	return nil
}

// A disk fails at one sync after the other of a first backup and of a restore.
// The exit code and what is said tell, unless only what the next run can do
// without was lost; and that run finishes.
func TestDiskFails(t *testing.T) {
	l := newLab(t)
	at := func() *prooftest.Disk {
		d, err := prooftest.Load(l.home, "")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	empty := at()
	l.ok("backup", "now", "work")
	full, tried := at(), 0
	for _, c := range []struct {
		args   []string
		before *prooftest.Disk
		codes  []int
	}{
		{[]string{"backup", "now", "work"}, empty, []int{exitFailed}},
		{[]string{"restore", "latest", "--target", "out"}, full, []int{exitFailed, exitPartial}},
	} {
		for n := 1; ; n += 3 {
			l.at(c.before)
			did, said := l.failing(prooftest.Fault{Kind: prooftest.Sync, Nth: n, Err: syscall.EIO}, c.args...)
			if did.Hit == "" {
				break
			}
			tried++
			state := strings.HasPrefix(did.Hit, ".local/state/")
			code := slices.Contains(c.codes, did.Code) || strings.Contains(said, "next try in") // done anew, and well
			if told := strings.Contains(said, syscall.EIO.Error()); !(told && code) && !(did.Code == 0 && state) {
				t.Errorf("coffer %q, sync %d of %s: exit code %d: %s", c.args, n, did.Hit, did.Code, said)
			}
			if out, code := l.coffer(c.args...); code != 0 {
				t.Errorf("coffer %q, after sync %d of %s failed: exit code %d: %s", c.args, n, did.Hit, code, out)
			}
			if out, code := l.coffer("verify", "--read-data"); code != 0 {
				t.Errorf("after sync %d of %s failed: verify: exit code %d: %s", n, did.Hit, code, out)
			}
		}
	}
	t.Logf("tried: coffer on a disk that fails at %d syncs", tried)
}
