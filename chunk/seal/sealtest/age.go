// Package sealtest helps tests that open objects with the stock tools.
package sealtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// age is built once for a test binary; it lies in a folder of the first test
// that asked, so the bytes are kept and written for each.
var age = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "age")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "age")
	if out, err := exec.Command("go", "build", "-o", bin, "filippo.io/age/cmd/age").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build age: %w\n%s", err, out)
	}
	return os.ReadFile(bin)
})

// Age returns the path of the real age tool, built from the module that this
// one requires.
func Age(t testing.TB) string {
	t.Helper()
	b, err := age()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "age")
	if err := os.WriteFile(bin, b, 0o700); err != nil {
		t.Fatal(err)
	}
	return bin
}

// Run runs a stock tool, gives it in, and returns its standard output.
func Run(t testing.TB, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.Bytes())
	}
	return out
}

// File writes a file of the test and returns its path.
func File(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
