package seal

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	vectors "c2sp.org/CCTV/age"
)

// vector is one of the test files that all implementations of age share.
type vector struct {
	expect     string
	payload    string // hex SHA-256
	ids        []*Identity
	passphrase []string
	armored    bool
	file       []byte
}

func parseVector(t *testing.T, b []byte) (v vector) {
	t.Helper()
	head, file, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		t.Fatal("no file in the vector")
	}
	v.file = file
	for line := range strings.SplitSeq(string(head), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "expect":
			v.expect = value
		case "payload":
			v.payload = value
		case "identity":
			id, err := ParseIdentity(value)
			if err != nil {
				t.Fatal(err)
			}
			v.ids = append(v.ids, id)
		case "passphrase":
			v.passphrase = append(v.passphrase, value)
		case "armored":
			v.armored = value == "yes"
		case "compressed":
			r, err := zlib.NewReader(bytes.NewReader(v.file))
			if err != nil {
				t.Fatal(err)
			}
			if v.file, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return v
}

// Objects are opened, refused or found to be for someone else as age wants it;
// what is armored or has a passphrase is no object, and no identity opens it.
func TestVectors(t *testing.T) {
	files, err := fs.ReadDir(vectors.Vectors, ".")
	if err != nil {
		t.Fatal(err)
	}
	seen, good := map[string]int{}, map[string][]byte{}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			b, err := fs.ReadFile(vectors.Vectors, f.Name())
			if err != nil {
				t.Fatal(err)
			}
			v := parseVector(t, b)
			seen[v.expect]++
			v.open(t)
			v.stream(t, good)
			v.unwrap(t)
		})
	}
	for _, kind := range []string{"success", "no match", "header failure", "HMAC failure", "payload failure", "armor failure"} {
		if seen[kind] == 0 {
			t.Errorf("no vector that expects %q", kind)
		}
	}
}

func (v vector) open(t *testing.T) {
	ids := NewIdentities(v.ids...)
	if len(v.ids) == 0 {
		ids = NewIdentities(generate(t, true), generate(t, false))
	}
	got, err := openAll(Open(v.file, ids))
	switch {
	case v.armored || len(v.ids) == 0:
		if err == nil {
			t.Error("opened")
		}
	case v.expect == "success":
		if err != nil || !v.matches(got) {
			t.Errorf("want success: %v", err)
		}
	case v.expect == "no match":
		if !errors.Is(err, ErrNoIdentity) {
			t.Errorf("want no match: %v", err)
		}
	case err == nil || got != nil || errors.Is(err, ErrNoIdentity) && len(v.passphrase) == 0:
		t.Errorf("want %s: %d bytes, %v", v.expect, len(got), err)
	}
}

// stream reads as whoever does not wait for the end does: nothing is given out
// that was not authenticated. That is what the vector says is good, or less of
// it: good has what good vectors hold, by its hash.
func (v vector) stream(t *testing.T, good map[string][]byte) {
	if v.armored || len(v.ids) == 0 {
		return
	}
	r, err := Open(v.file, NewIdentities(v.ids...))
	if err != nil {
		if v.expect == "success" {
			t.Error(err)
		}
		return
	}
	if v.expect != "success" && v.expect != "payload failure" {
		t.Errorf("want %s, and it was opened", v.expect)
	}
	got, err := io.ReadAll(iotest.OneByteReader(r))
	switch {
	case v.expect == "success" && (err != nil || !v.matches(got)):
		t.Errorf("read %d bytes in order: %v", len(got), err)
	case v.expect == "success":
		good[v.payload] = got
	case v.expect == "payload failure" && err == nil:
		t.Errorf("read %d bytes, and no error", len(got))
	case v.expect == "payload failure" && len(got) > 0 && !v.matches(got) && !bytes.HasPrefix(good[v.payload], got):
		t.Errorf("%d bytes were given out that nothing vouches for", len(got))
	}
}

func (v vector) matches(plain []byte) bool {
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:]) == v.payload
}

// unwrap tries the vectors that have one passphrase.
func (v vector) unwrap(t *testing.T) {
	if len(v.passphrase) != 1 || len(v.ids) > 0 {
		return
	}
	got, err := UnwrapPassphrase(v.file, v.passphrase[0])
	switch {
	case v.expect == "success":
		if err != nil || !v.matches(got) {
			t.Errorf("want the passphrase to open it: %v", err)
		}
	case v.expect == "no match":
		if !errors.Is(err, ErrPassphrase) {
			t.Errorf("want a wrong passphrase: %v", err)
		}
	case err == nil || got != nil:
		t.Errorf("want %s: %d bytes, %v", v.expect, len(got), err)
	}
}
