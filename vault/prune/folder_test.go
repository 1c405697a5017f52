package prune_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/dir"
	"coffer/vault/trust"
	"coffer/vault/vaulttest"
)

// awake is a folder on a machine that has been on for as long as a test says.
type awake struct {
	remote.Store
	on *time.Duration
}

func (a awake) Unwrap() remote.Store { return a.Store }

func (a awake) SinceBoot() (string, time.Duration, bool) { return "one", *a.on, true }

// In a folder a commit waits as a pending file, and becomes visible by a rename
// that no server refuses. A prune removes pending files that are too old before
// it looks, so a process that was stopped right before the rename, however long,
// cannot make visible what needs a deleted pack.
func TestSweepsPendingCommits(t *testing.T) {
	folder := t.TempDir()
	store, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	on := time.Hour
	y := &yard{t: t, room: vaulttest.On(t, awake{store, &on}), dir: vaulttest.Folder(t), time: &clock{now: time.Now()}, want: map[string]map[string]string{}}
	y.retrust(func(tr *trust.Trust) { tr.Floor = trust.Floor{} })
	y.write("goes", 50<<10, 2)
	grain()
	first := y.back().Snapshot
	y.remove("goes")
	y.write("stays", 1000, 1)
	grain()
	y.back()

	// A copy of the state takes up again what the first snapshot holds, and
	// stops before its commit is published.
	stopped := make(chan struct{})
	goOn := make(chan struct{})
	twin := y.on(t, y.room.Image(t))
	twin.dir = vaulttest.Folder(t)
	twin.write("goes", 50<<10, 2)
	grain()
	twin.room = twin.room.With(hook(twin.room.Store, func(op remote.Op, _ string) error {
		if op == remote.OpPublish {
			select {
			case <-stopped:
			default:
				close(stopped)
				<-goOn
			}
		}
		return nil
	}))
	done := make(chan error)
	go func() {
		_, err := twin.tryBack(context.WithoutCancel(t.Context()))
		done <- err
	}()
	<-stopped
	y.forget(first)
	age(t, folder, 20*day)
	y.prune()
	age(t, filepath.Join(folder, "condemned"), 3*day)
	on += 2 * day
	res := y.prune()
	if res.Swept == 0 || res.Deleted.All().Count == 0 {
		t.Errorf("%+v", res)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	maps.Copy(y.want, twin.want)
	delete(y.want, first)
	y.check()
	y.deep()
}

// age makes all files below a folder older, pending ones too.
func age(t *testing.T, folder string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".tmp") {
			return err
		}
		if err := os.Chtimes(path, then, then); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
