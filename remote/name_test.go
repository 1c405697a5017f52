package remote_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"coffer/remote"
)

func TestCheckName(t *testing.T) {
	sha := strings.Repeat("0f", 32)
	for _, name := range []string{
		"coffer.json", "trust/0000000001-" + sha, "packs/0123456789abcdef/0000000000/0000000001-" + sha,
		"commits/0123456789abcdef/0000000000/0000000001-s0068a1b2c3-" + sha, "-", "a..b", strings.Repeat("a", 255),
	} {
		if err := remote.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "a/.b", "A", "é", "a b", "a\n",
		strings.Repeat("a", 256), strings.Repeat("a/", 256) + "a",
	} {
		err := remote.CheckName(name)
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v, want fs.ErrInvalid", name, err)
		} else if len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: unruly message %q", name, err)
		}
	}
}

func TestCheckObject(t *testing.T) {
	if err := remote.CheckObject(remote.Object{Name: "a", Data: make([]byte, remote.MaxObject)}); err != nil {
		t.Error(err)
	}
	if err := remote.CheckObject(remote.Object{Name: "a", Data: make([]byte, remote.MaxObject+1)}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("too large: %v", err)
	}
}
