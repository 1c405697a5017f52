package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	memoryName = "memory.json"
	former     = ".old" // added to a file's name: the generation before
	version    = 1
	maxFile    = 16 << 20 // bytes
)

// ErrDamaged: both generations of the memory are unreadable. What LoadMemory
// returns with it is new, and the history and the vaults tell the rest.
var ErrDamaged = errors.New("what the daemon remembers is damaged")

// A Store keeps the memory and the history of one daemon in a folder. It is
// safe for concurrent use by one process; the daemon's lock keeps others away.
type Store struct {
	dir string
	mu  sync.Mutex // one write at a time
}

// Open opens the store in dir, which is made if it is missing. Files are 0600
// and the folder 0700.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open daemon state: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open daemon state: %w", err)
	}
	return &Store{dir: dir}, nil
}

// At is the store in dir for who only reads. The folder need not be there.
func At(dir string) *Store { return &Store{dir: dir} }

// Dir is the folder.
func (s *Store) Dir() string { return s.dir }

// LoadMemory reads what was saved last. A daemon that never ran has an empty
// one. With ErrDamaged the memory returned is empty too.
func (s *Store) LoadMemory() (*Memory, error) {
	m, err := Load[Memory](s, memoryName)
	if m.Version != version && err == nil && m.Version != 0 {
		m, err = new(Memory), fmt.Errorf("%w: it is of version %d, and this program reads %d", ErrDamaged, m.Version, version)
	}
	m.Version = version
	if m.Jobs == nil {
		m.Jobs = map[string]*Job{}
	}
	for name, j := range m.Jobs {
		if j == nil {
			delete(m.Jobs, name)
		}
	}
	return m, err
}

// SaveMemory saves m, durably. The caller keeps m from changing meanwhile.
func (s *Store) SaveMemory(m *Memory) error { return s.Save(memoryName, m) }

// Load reads what [Store.Save] saved last under a name: an empty T if there is
// none, and with ErrDamaged if both generations are unreadable.
func Load[T any](s *Store, name string) (*T, error) {
	path := filepath.Join(s.dir, name)
	v, err := read[T](path)
	if err == nil {
		return v, nil
	}
	v, errOld := read[T](path + former)
	if errOld == nil {
		return v, nil
	}
	if errors.Is(err, fs.ErrNotExist) && errors.Is(errOld, fs.ErrNotExist) {
		return new(T), nil
	}
	return new(T), fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
}

func read[T any](path string) (*T, error) {
	data, err := readAtMost(path, maxFile)
	if err != nil {
		return nil, err
	}
	return decode[T](data)
}

// decode reads a line of JSON and the line of its SHA-256.
func decode[T any](data []byte) (*T, error) {
	line, err := sealed(data)
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, json.Unmarshal(line, v)
}

// sealed returns the line whose checksum follows it.
func sealed(data []byte) ([]byte, error) {
	line, sum, ok := bytes.Cut(data, []byte("\n"))
	want := sha256.Sum256(line)
	if !ok || string(sum) != hex.EncodeToString(want[:])+"\n" {
		return nil, errors.New("its checksum does not fit")
	}
	return line, nil
}

// Save saves v under a name, durably: one that ends in .json and is no other
// file's. The former generation stays beside it.
func (s *Store) Save(name string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	sum := sha256.Sum256(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replace(filepath.Join(s.dir, name), fmt.Appendf(line, "\n%x\n", sum)); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return nil
}

// replace puts data in place of a file. The present one, if it is whole,
// becomes the former one first.
func (s *Store) replace(path string, data []byte) error {
	temp := path + ".new" // one daemon, one writer: what a killed one left is overwritten
	if err := writeSynced(temp, data); err != nil {
		return err
	}
	if old, err := readAtMost(path, maxFile); err == nil {
		if _, err := sealed(old); err == nil {
			if err := os.Rename(path, path+former); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncFolder(s.dir)
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder makes names durable, where the file system has something to sync.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}
