package dir

import (
	"errors"
	"os"
	"testing"

	"coffer/remote"
)

// A disk that is full, as the system tells it.
func TestFull(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(t.Context(), f, []byte("x")); !errors.Is(kind(err), remote.ErrFull) {
		t.Errorf("write: %v, want ErrFull", err)
	}
}
