package dir_test

import (
	"os"
	"path/filepath"
	"testing"

	"coffer/remote"
	"coffer/remote/dir"
)

// In a folder, who may write may delete, and the probe says so; it says also
// who else may, and whether the disk is the files' own.
func TestProbe(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "remote")
	s, err := dir.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	probe := func() map[string]remote.Finding {
		found, err := remote.Probe(t.Context(), remote.Count(s), remote.ProbeOptions{Home: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]remote.Finding{}
		for _, f := range found {
			out[f.Check] = f
		}
		return out
	}
	got := probe()
	for check, want := range map[string]remote.Grade{
		"clock": remote.OK, "read-after-write": remote.OK, "list-after-write": remote.OK, "expiry": remote.OK,
		"permissions": remote.OK, "disk": remote.Weak, "durability": remote.OK, "rename": remote.OK, "delete": remote.Weak,
	} {
		if got[check].Grade != want {
			t.Errorf("%s: %+v, want %s", check, got[check], want)
		}
	}
	if got["space"].Found == "" {
		t.Error("nothing about space")
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if f := probe()["permissions"]; f.Grade != remote.Bad || f.Do == "" {
		t.Errorf("open to all: %+v", f)
	}
	var left []string
	for info, err := range s.List(t.Context(), "", "") {
		left = append(left, info.Name)
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Two disks are told apart.
func TestProbeOtherDisk(t *testing.T) {
	s, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	found := s.Probe(t.Context(), remote.NewObject("canary/none", nil), remote.ProbeOptions{Home: "/dev"})
	for _, f := range found {
		if f.Check == "disk" && f.Grade != remote.OK {
			t.Errorf("%+v", f)
		}
	}
}
