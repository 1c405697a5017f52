package state

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
)

// reserve reserves numbers for ever and says which, until it is killed.
func reserve(dir string) {
	d, err := Open(dir)
	if err != nil {
		panic(err)
	}
	for {
		number, err := d.Numbers(seriesA).Next()
		if err != nil {
			panic(err)
		}
		fmt.Println(number)
	}
}

// Killed at any time, device.json is whole, and what was handed out is never
// handed out again.
func TestReserveKilled(t *testing.T) {
	d := newDeviceIn(t, t.TempDir()) // on a disk, for once
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	last := int64(-1)
	for range 5 {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), helperEnv+"=reserve", helperDirEnv+"="+d.path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		left := 1 + rand.IntN(20)
		for lines.Scan() {
			number, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				break // cut short
			}
			if number <= last {
				t.Fatalf("number %d after %d", number, last)
			}
			last = number
			if left--; left == 0 {
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		if _, err := d.Device(); err != nil {
			t.Fatal(err)
		}
	}
	if last < 4*NumberBlock {
		t.Errorf("last number is %d", last)
	}
}

// readOnly opens a file so that writing fails, as on a full disk.
func readOnly(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The disk is full when a pack is acknowledged: the run goes on, and a later
// merge makes good for it.
func TestIndexAckedFails(t *testing.T) {
	d := newDir(t)
	x := openIndex(t, d, 1)
	a, b := randomID(1), randomID(2)
	claim(t, x, seriesOne, 1, a, nil)
	good := x.tail.f
	x.tail.f = readOnly(t, good.Name())
	if err := x.Acked(seriesOne, 1, []chunk.Ref{refIn(a, seriesOne, 1)}); err == nil {
		t.Fatal("the tail was written")
	}
	wantIn(t, x, a, nil, seriesOne, 1)
	wantIn(t, x, a, not(1), seriesOne, -1) // not in flight any more
	wantIn(t, openIndex(t, copyDir(t, d), 1), a, nil, seriesOne, -1)

	x.tail.f.Close()
	x.tail.f = good
	add(t, x, seriesOne, 2, b)
	wantIn(t, openIndex(t, copyDir(t, d), 1), b, nil, seriesOne, 2)
	if _, err := x.Compact(t.Context(), CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	again := openIndex(t, copyDir(t, d), 1)
	wantIn(t, again, a, nil, seriesOne, 1)
	wantIn(t, again, b, nil, seriesOne, 2)
}

// The disk is full while a run notes what it finds: it hears of it, and the
// last manifest stays.
func TestManifestWriteFails(t *testing.T) {
	d := newDir(t)
	_, w := begin(t, d)
	addRecords(t, w, 1, "a", "b")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	_, w = begin(t, d)
	addRecords(t, w, 2, "a")
	good := w.f
	w.f = readOnly(t, good.Name())
	first := w.Flush()
	if first == nil {
		t.Fatal("the checkpoint was written")
	}
	good.Close()
	if err := w.Add(newRecord("b", 2)); !errors.Is(err, first) {
		t.Errorf("Add: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, first) {
		t.Errorf("Commit: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close after Commit: %v", err)
	}
	base, w := begin(t, d)
	wantList(t, all(t, base.Next), versions(1, "a", "b"))
	addRecords(t, w, 3, "c")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Commit: %v", err)
	}
	base, _ = begin(t, d)
	wantList(t, all(t, base.Next), versions(3, "c"))
}

func TestDeepPrefixes(t *testing.T) {
	var rec Record
	var want []string
	for i := range uint64(3) {
		rec.Deep = AppendPrefix(rec.Deep, randomID(i))
		want = append(want, fmt.Sprint(Prefix(randomID(i))))
	}
	var got []string
	for p := range rec.DeepPrefixes {
		got = append(got, fmt.Sprint(p))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}
}
