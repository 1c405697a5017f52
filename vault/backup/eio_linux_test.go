package backup

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"coffer/chunk"
)

// A disk that fails in the middle of a file gives an I/O error after some of
// its bytes. So does the memory of this process, read as a file, where a file
// is mapped beyond its end. What was read until then is never taken for all of
// it.
func TestErrorInTheMiddle(t *testing.T) {
	const good = 2 << 20
	short, err := os.Create(filepath.Join(t.TempDir(), "short"))
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	if err := short.Truncate(good); err != nil {
		t.Fatal(err)
	}
	b, err := syscall.Mmap(int(short.Fd()), 0, 2*good, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(b)
	at := int64(uintptr(unsafe.Pointer(&b[0])))
	f, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(at+good-100_000, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if n, err := readFull(f, make([]byte, chunk.MinSize+1), 200_000); !errors.Is(err, syscall.EIO) || n != 100_000 {
		t.Errorf("a small file: %d bytes, %v", n, err)
	}
	r := &extentReader{f: f, extents: [][2]int64{{at, 1000}, {at + good - 300_000, 500_000}}}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, syscall.EIO) || n > 301_000 {
		t.Errorf("a sparse file: %d bytes, %v", n, err)
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	pol, err := chunk.NewPolynomial()
	if err != nil {
		t.Fatal(err)
	}
	s, buf := chunk.NewSplitter(pol), make([]byte, chunk.MaxSize)
	s.Reset(f)
	read := 0
	for err == nil {
		var data []byte
		data, err = s.Next(buf)
		read += len(data)
	}
	if !errors.Is(err, syscall.EIO) || read > good {
		t.Errorf("a large file: %d bytes, %v", read, err)
	}
}
