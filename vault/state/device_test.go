package state

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coffer/chunk"
)

func TestDevice(t *testing.T) {
	d := newDir(t)
	if _, err := d.Device(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no device yet: %v", err)
	}
	want := testDevice()
	if err := d.CreateDevice(want); err != nil {
		t.Fatal(err)
	}
	if err := d.CreateDevice(want); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second create: %v", err)
	}
	got, err := d.Device()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKitConfirmed(t *testing.T) {
	d := newDevice(t)
	at := time.Date(2026, 3, 1, 14, 0, 0, 999, time.FixedZone("", 7200))
	for range 2 {
		v, err := d.UpdateDevice(func(v *Device) error { v.KitConfirmed = at; return nil })
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Device()
		if err != nil || !again.KitConfirmed.Equal(at.Truncate(time.Second)) || cmp.Diff(v, again) != "" {
			t.Errorf("got %v %v, want %v", again, err, at)
		}
	}
	if text := string(read(t, d.file(deviceFile))); !strings.Contains(text, `"kitConfirmed":"2026-03-01T12:00:00Z"`) {
		t.Error(text)
	}
}

func TestSignKey(t *testing.T) {
	v := testDevice()
	seed := bytes.Repeat([]byte{0x5e}, 32)
	if !v.SignKey().Equal(ed25519.NewKeyFromSeed(seed)) {
		t.Error("another key")
	}
}

// A later version of device.json must be left to a later coffer.
func TestDeviceOfLaterVersion(t *testing.T) {
	v := testDevice()
	v.Version = 2
	if err := v.Check(); err == nil {
		t.Error("accepted")
	}
}

// A flipped bit anywhere must never come back as another key.
func TestDeviceDamage(t *testing.T) {
	d := newDevice(t)
	good := read(t, d.file(deviceFile))
	for i, bad := range damages(good, 2000) {
		write(t, d.file(deviceFile), bad)
		if _, err := d.Device(); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d, length %d: %v", i, len(bad), err)
		}
		if err := d.CreateDevice(testDevice()); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("a damaged device.json was written over: %v", err)
		}
	}
}

func TestRecoverDevice(t *testing.T) {
	d := newDevice(t)
	if _, err := d.RecoverDevice(); err == nil {
		t.Fatal("recovered what was good")
	}
	if _, err := d.Numbers(seriesA).Next(); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []func(){
		func() { write(t, d.file(deviceFile), nil) },
		func() { os.Remove(d.file(deviceFile)) },
	} {
		damage()
		got, err := d.RecoverDevice()
		if err != nil {
			t.Fatal(err)
		}
		want := testDevice()
		want.Series[0].Closed, want.Series[1].Closed = true, true
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if again, err := d.Device(); err != nil || cmp.Diff(want, again) != "" {
			t.Errorf("device after recovery: %v %v", again, err)
		}
	}
}

func TestUpdateDeviceRefuses(t *testing.T) {
	d := newDevice(t)
	if _, err := d.UpdateDevice(func(v *Device) error { v.Series[0].Next = 9; return nil }); err != nil {
		t.Fatal(err)
	}
	before := read(t, d.file(deviceFile))
	for name, fn := range map[string]func(*Device){
		"vault":         func(v *Device) { v.Vault = strings.Repeat("ff", 16) },
		"device":        func(v *Device) { v.Device = "ffffffffffffffff" },
		"trust":         func(v *Device) { v.TrustN-- },
		"number":        func(v *Device) { v.Series[0].Next-- },
		"series lost":   func(v *Device) { v.Series = v.Series[:1] },
		"series twice":  func(v *Device) { v.Series[1].Series = v.Series[0].Series },
		"label":         func(v *Device) { v.Label = "\xff" },
		"key":           func(v *Device) { v.DataKey = v.DataKey[1:] },
		"key's form":    func(v *Device) { v.SegmentKey = v.SegmentKey[:42] + "\n" },
		"seed":          func(v *Device) { v.SignSeed = strings.ToUpper(v.SignSeed) },
		"polynomial":    func(v *Device) { v.Polynomial = "" },
		"no recipients": func(v *Device) { v.Recipients = nil },
		"confirmation":  func(v *Device) { v.KitConfirmed = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		if _, err := d.UpdateDevice(func(v *Device) error { fn(v); return nil }); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	stop := errors.New("stop")
	if _, err := d.UpdateDevice(func(v *Device) error { v.Label = "x"; return stop }); !errors.Is(err, stop) {
		t.Errorf("error of fn: %v", err)
	}
	if !bytes.Equal(before, read(t, d.file(deviceFile))) {
		t.Error("a refused change was written")
	}
}

// Nothing that prints a Device may print its keys.
func TestDevicePrintsNoSecret(t *testing.T) {
	v := testDevice()
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %v %+v %#v", v, v, v, v, *v, *v, *v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "device", v, "value", *v)
	for _, secret := range []string{v.SignSeed, v.AgeIdentity, v.DataKey, v.SegmentKey, v.Polynomial} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is in %s", secret, out.String())
		}
	}
	if !strings.Contains(out.String(), v.Device) {
		t.Error("the device is not named")
	}
}

func TestOpenSeries(t *testing.T) {
	v := testDevice()
	hash := strings.Repeat("ab", 32)
	if s, ok := v.OpenSeries(chunk.Segment, hash); !ok || s.Series != "bbbbbbbbbbbbbbbb" || s.ID().String() != s.Series {
		t.Errorf("got %v %v", s, ok)
	}
	v.Series[0].Closed = true
	if s, ok := v.OpenSeries(chunk.Data, hash); ok {
		t.Errorf("closed series %v", s)
	}
	if s, ok := v.OpenSeries(chunk.Segment, strings.Repeat("00", 32)); ok {
		t.Errorf("series of other recipients %v", s)
	}
}

var seriesA = chunk.Series{0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa}

func TestNumbers(t *testing.T) {
	d := newDevice(t)
	take := func(n *Numbers, count int) (last uint32) {
		t.Helper()
		for range count {
			var err error
			if last, err = n.Next(); err != nil {
				t.Fatal(err)
			}
		}
		return last
	}
	n := d.Numbers(seriesA)
	if last := take(n, 5); last != 4 {
		t.Errorf("fifth number is %d", last)
	}
	if v, _ := d.Device(); v.Series[0].Next != NumberBlock {
		t.Errorf("reserved up to %d", v.Series[0].Next)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if last := take(n, 1); last != 5 {
		t.Errorf("after Close: %d", last)
	}
	// n is now abandoned, as by a kill: its block is a gap.
	if last := take(d.Numbers(seriesA), 1); last != NumberBlock {
		t.Errorf("after a kill: %d", last)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if last := take(d.Numbers(seriesA), 1); last != 2*NumberBlock {
		t.Errorf("numbers of another's block were given back: %d", last)
	}
	if _, err := d.Numbers(chunk.Series{9}).Next(); err == nil {
		t.Error("a number of a series that is not ours")
	}
	d.UpdateDevice(func(v *Device) error { v.Series[0].Closed = true; return nil })
	if _, err := d.Numbers(seriesA).Next(); err == nil {
		t.Error("a number of a closed series")
	}
}

func TestNumbersEnd(t *testing.T) {
	d := newDevice(t)
	d.UpdateDevice(func(v *Device) error { v.Series[0].Next = MaxNumber; return nil })
	n := d.Numbers(seriesA)
	if last, err := n.Next(); err != nil || last != MaxNumber {
		t.Errorf("last number: %d %v", last, err)
	}
	if extra, err := n.Next(); err == nil {
		t.Errorf("number %d after the last", extra)
	}
}

// Two runs of numbers, many goroutines: no number twice.
func TestNumbersConcurrent(t *testing.T) {
	d := newDevice(t)
	var mu sync.Mutex
	seen := make(map[uint32]bool)
	var wg sync.WaitGroup
	for range 2 {
		n := d.Numbers(seriesA)
		for range 4 {
			wg.Go(func() {
				for range 600 {
					v, err := n.Next()
					mu.Lock()
					if err != nil || seen[v] {
						t.Errorf("number %d again, or %v", v, err)
					}
					seen[v] = true
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
}

func FuzzDevice(f *testing.F) {
	good, err := sealLine(testDevice())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"v":1,"sum":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Also with a right checksum, so that the rest is reached.
		sealed := data
		if len(data) > 1 {
			sealed = appendSum(data)
		}
		for _, in := range [][]byte{data, sealed} {
			v, err := unsealLine[Device](in)
			if err != nil {
				continue
			}
			v.Check()
			if out, err := sealLine(v); err != nil || !bytes.Equal(out, in) {
				t.Errorf("%q is also %q (%v)", in, out, err)
			}
		}
	})
}
