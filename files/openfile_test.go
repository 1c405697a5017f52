package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, os.WriteFile(path, []byte("0123456789"), 0o600))
	f, err := openTree(t, dir).Open("f", Stat{})
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if now := f.Opened(); now.Type != Regular || now.Size != 10 || !now.Mtime.Time().Equal(info.ModTime()) {
		t.Errorf("opened: %+v", now)
	}
	b := make([]byte, 8)
	if n, err := f.ReadAt(b, 5); n != 5 || err != io.EOF || string(b[:n]) != "56789" {
		t.Errorf("read at 5: %q, %v", b[:n], err)
	}
	if n, err := f.ReadAt(b, 2); n != 8 || err != nil || string(b) != "23456789" {
		t.Errorf("read at 2: %q, %v", b[:n], err)
	}
	if _, err := f.ReadAt(b, -1); err == nil || err == io.EOF {
		t.Errorf("read at -1: %v", err)
	}
	all, err := io.ReadAll(f)
	if string(all) != "0123456789" || err != nil {
		t.Errorf("read: %q, %v", all, err)
	}
	if n, err := f.Read(nil); n != 0 || err != nil {
		t.Errorf("read of nothing at the end: %d, %v", n, err)
	}
	if at, err := f.Seek(-1, io.SeekEnd); at != 9 || err != nil {
		t.Errorf("seek: %d, %v", at, err)
	}
	if _, err := f.Seek(-1, io.SeekStart); err == nil {
		t.Error("sought a place before the file")
	}
	must(t, f.Close())
	if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	_, read := f.Read(b)
	_, stat := FStat(f)
	for _, err := range []error{read, stat} {
		if err == nil || !strings.Contains(err.Error(), " f: ") {
			t.Errorf("after closing: %v", err)
		}
	}
}
