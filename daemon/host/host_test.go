package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestBoot(t *testing.T) {
	one, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := BootID(); err != nil || one != two || len(one) != 36 {
		t.Errorf("BootID = %q, then %q, %v", one, two, err)
	}
	before, err := SinceBoot()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	if after, err := SinceBoot(); err != nil || after-before < time.Millisecond {
		t.Errorf("SinceBoot = %v, and a millisecond later %v, %v", before, after, err)
	}
}

func TestGuarded(t *testing.T) {
	guard := map[string]error{
		"/Users/ann/Documents":      syscall.EPERM,
		"/Users/ann/Documents/site": &fs.PathError{Op: "open", Err: syscall.EPERM},
		"/Users/ann/secret":         syscall.EACCES,
	}
	list := func(folder string) error { return guard[folder] }
	for _, c := range []struct{ asked, want []string }{
		{[]string{"/Users/ann/Documents/site"}, []string{"/Users/ann/Documents/site"}},
		{[]string{"/Users/ann"}, []string{"/Users/ann/Documents"}},
		{[]string{"/"}, []string{"/Users/ann/Documents"}},
		{[]string{"/Users/ann/work", "/Users/ann/secret", "/Users/annabel"}, nil},
		{[]string{"/Users/ann/Documents"}, []string{"/Users/ann/Documents"}},
	} {
		if got := guarded(c.asked, "/Users/ann", list); !slices.Equal(got, c.want) {
			t.Errorf("of %q are guarded %q, want %q", c.asked, got, c.want)
		}
	}
	if text := fmt.Sprintf(FullDiskAccess, "/usr/local/bin/coffer"); strings.Contains(text, "%!") {
		t.Errorf("the text does not take its path:\n%s", text)
	}
}

func TestCanList(t *testing.T) {
	dir := t.TempDir()
	if err := canList(dir); errors.Is(err, syscall.EPERM) {
		t.Errorf("a folder of one's own: %v", err)
	}
	if err := canList(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestAsk(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	program(t, bin, "speaks", `echo "$1-$2"`)
	program(t, bin, "fails", `echo "it is broken" >&2; exit 3`)
	if out, err := ask(t.Context(), "speaks", "a", "b c"); err != nil || out != "a-b c\n" {
		t.Errorf("speaks: %q, %v", out, err)
	}
	if _, err := ask(t.Context(), "fails"); err == nil || !strings.Contains(err.Error(), "it is broken") || errors.Is(err, ErrAbsent) {
		t.Errorf("fails: %v", err)
	}
	if _, err := ask(t.Context(), "nothing"); !errors.Is(err, ErrAbsent) {
		t.Errorf("nothing: %v", err)
	}
}

// TestToastMac shows that words cannot become a script, with a program that
// tells its arguments in the place of the real one.
func TestToastMac(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	log := filepath.Join(bin, "log")
	program(t, bin, "osascript", `printf '%s\n' "$#" "$1" "$3" "$4" >`+log)
	err := toastMac(t.Context(), Toast{Title: "-i", Text: `" & (do shell script "id") & "`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "4\n-e\nCoffer: -i\n\" & (do shell script \"id\") & \"\n"; string(got) != want {
		t.Errorf("osascript was called with %q", got)
	}
}

// TestCaffeinate has a program in the place of the real one, which ends only by
// the release.
func TestCaffeinate(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	if _, err := caffeinate(); !errors.Is(err, ErrAbsent) {
		t.Errorf("without the program: %v", err)
	}
	fifo := filepath.Join(bin, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, bin, "caffeinate", `exec >`+fifo+`; echo "$@"; while :; do :; done`)
	release, err := caffeinate()
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	want := fmt.Sprintf("-i -s -w %d\n", os.Getpid())
	line := make([]byte, len(want))
	if _, err := said.Read(line); err != nil || string(line) != want {
		t.Errorf("caffeinate was called with %q, %v", line, err)
	}
	release()
	if n, err := said.Read(line); n != 0 || err == nil {
		t.Errorf("after the release it still runs: %d, %v", n, err)
	}
}

func program(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestPowerHere asks this machine, whatever it is.
func TestPowerHere(t *testing.T) {
	b, err := Power(t.Context())
	if err != nil && (!errors.Is(err, ErrAbsent) || b != (Battery{})) {
		t.Errorf("Power = %+v, %v", b, err)
	}
	if b.Percent < 0 || b.Percent > 100 || b.InUse && !b.Present && runtime.GOOS == "linux" {
		t.Errorf("Power = %+v", b)
	}
}
