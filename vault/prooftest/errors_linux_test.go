package prooftest_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"coffer/vault/prooftest"
)

// errorScenes are scenes with a folder for a remote.
var errorScenes = []string{
	"init", "first", "incremental", "unchanged", "enrol", "replace", "forget", "undelete", "condemn", "delete", "repack", "amend", "repair",
	"rebuild", "restore", "in-place",
}

// allEnv wants the errors other than those of a sync at every operation, not at
// one in three.
const allEnv = "COFFER_DISK_ERRORS"

// A disk fails at one sync, close, rename, write or new file of a scene, to the
// state, to temporary files, to a vault in a folder or to what is restored, and
// the program lives to see it. It says so, and then the machine stops and loses
// what was not synced: nothing was committed that relies on that. What was there
// restores, and the next run finishes.
func TestDiskErrors(t *testing.T) {
	var sum failures
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes() {
			for _, name := range errorScenes {
				if s.name == name {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						sum.everywhere(t, s)
					})
				}
			}
		}
	})
	t.Logf("tried: disks that fail at %d syncs and %d other operations, %d of which were told of", sum.syncs.Load(), sum.others.Load(), sum.told.Load())
}

// failures counts.
type failures struct{ syncs, others, told atomic.Int64 }

// everywhere lets a disk fail at each operation of a scene.
func (sum *failures) everywhere(t *testing.T, s scene) {
	w := s.make(onFolder{t})
	w.save(t)
	time.Sleep(time.Second) // a second later, what follows is newer to anybody
	disk := onDisk(t, w)
	sound := len(w.list("")) > 0 && w.sound(t.Context()) == nil
	for _, f := range []prooftest.Fault{
		{Kind: prooftest.Sync, Err: syscall.EIO},
		{Kind: prooftest.Close, Err: syscall.EIO},
		{Kind: prooftest.Rename, Err: syscall.EIO},
		{Kind: prooftest.Write, Err: syscall.EIO},
		{Kind: prooftest.Write, Err: syscall.ENOSPC},
		{Kind: prooftest.Write, Err: syscall.EDQUOT},
		{Kind: prooftest.Create, Err: syscall.EDQUOT},
	} {
		step := 3
		if raced {
			step = 20
		} else if f.Kind == prooftest.Sync || os.Getenv(allEnv) != "" {
			step = 1
		}
		for f.Nth = 1; sum.once(t, s, w, disk, f, sound); f.Nth += step {
		}
	}
}

// once lets a disk fail once, and reports whether there was something to fail.
func (sum *failures) once(t *testing.T, s scene, w *world, disk *prooftest.Disk, f prooftest.Fault, sound bool) bool {
	home, err := os.MkdirTemp(filepath.Dir(w.Home), "coffer-test-")
	must(t, err)
	defer os.RemoveAll(home)
	must(t, disk.Save(home))
	text, err := json.Marshal(f)
	must(t, err)
	did, said := recorded(t, s, home, faultEnv+"="+string(text))
	if did.Hit == "" {
		return false
	}
	what := fmt.Sprintf("%s %d of %s: %v", f.Kind, f.Nth, did.Hit, f.Err)
	if f.Kind == prooftest.Sync {
		sum.syncs.Add(1)
	} else {
		sum.others.Add(1)
	}
	switch {
	case did.Code == 0 && strings.Contains(said, f.Err.Error()):
		sum.told.Add(1) // a warning
	case did.Code == 0 && matters(did.Hit):
		t.Errorf("nothing is said of %s", what)
	case did.Code == 0:
		t.Logf("goes on after %s", what)
	case !strings.Contains(said, f.Err.Error()):
		t.Errorf("%s: it says: %s", what, said)
	default:
		sum.told.Add(1)
	}
	after := disk.Clone()
	for _, c := range did.Changes {
		after.Do(c)
	}
	for _, l := range []prooftest.Loss{prooftest.Zeros, prooftest.Names} {
		p := &point{scene: s, world: w, sound: sound, seen: map[[sha256.Size]byte]bool{}, remotes: map[[sha256.Size]byte]bool{}}
		p.try(t, fmt.Sprintf("after %s, losing %d", what, l), after.After(l), fate{cut: true})
	}
	return true
}

// matters tells whether nobody may go on when a disk failed at a path: an object
// of the vault, the kit, and what is restored. What else there is, is state,
// which a run that has committed can do without, the file that tells a folder's
// time, and what a prune or a restore tries a file system with.
func matters(path string) bool {
	trial := strings.HasPrefix(path, vaultFolder+"/.tmp-") || strings.HasPrefix(path, vaultFolder+"/canary/") ||
		strings.HasSuffix(path, ".tmpa") || strings.HasSuffix(path, ".tmpé")
	return !trial && !strings.HasPrefix(path, "state") && !strings.HasPrefix(path, "second")
}
