package dir_test

import (
	"os"
	"testing"

	"coffer/remote"
	"coffer/remote/dir"
)

func TestExpiryEnforcedInAFolder(t *testing.T) {
	folder := t.TempDir()
	s, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if enforced, err := remote.ExpiryEnforced(t.Context(), remote.Count(s)); !enforced || err != nil {
		t.Errorf("%v, %v, want true", enforced, err)
	}
	if entries, err := os.ReadDir(folder); len(entries) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		if enforced, err := remote.ExpiryEnforced(t.Context(), s); enforced || err == nil {
			t.Errorf("read-only: %v, %v, want an error", enforced, err)
		}
	}
}
