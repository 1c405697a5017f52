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
	memoryFile = "memory.json"
	formerFile = "memory.json.old"
	version    = 1
	maxMemory  = 16 << 20 // bytes
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

// Dir is the folder.
func (s *Store) Dir() string { return s.dir }

// LoadMemory reads what was saved last. A daemon that never ran has an empty
// one. With ErrDamaged the memory returned is empty too.
func (s *Store) LoadMemory() (*Memory, error) {
	m, err := readMemory(filepath.Join(s.dir, memoryFile))
	if err == nil {
		return m, nil
	}
	m, errOld := readMemory(filepath.Join(s.dir, formerFile))
	if errOld == nil {
		return m, nil
	}
	empty := &Memory{Version: version, Jobs: map[string]*Job{}}
	if errors.Is(err, fs.ErrNotExist) && errors.Is(errOld, fs.ErrNotExist) {
		return empty, nil
	}
	return empty, fmt.Errorf("%w: %s: %w", ErrDamaged, s.dir, err)
}

func readMemory(path string) (*Memory, error) {
	data, err := readAtMost(path, maxMemory)
	if err != nil {
		return nil, err
	}
	return decodeMemory(data)
}

// decodeMemory reads a line of JSON and the line of its SHA-256.
func decodeMemory(data []byte) (*Memory, error) {
	line, sum, ok := bytes.Cut(data, []byte("\n"))
	want := sha256.Sum256(line)
	if !ok || string(bytes.TrimSuffix(sum, []byte("\n"))) != hex.EncodeToString(want[:]) {
		return nil, errors.New("its checksum does not fit")
	}
	m := new(Memory)
	if err := json.Unmarshal(line, m); err != nil {
		return nil, err
	}
	if m.Version != version {
		return nil, fmt.Errorf("it is of version %d, and this program reads %d", m.Version, version)
	}
	if m.Jobs == nil {
		m.Jobs = map[string]*Job{}
	}
	for name, j := range m.Jobs {
		if j == nil {
			delete(m.Jobs, name)
		}
	}
	return m, nil
}

func encodeMemory(m *Memory) ([]byte, error) {
	m.Version = version
	line, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(line)
	return fmt.Appendf(line, "\n%x\n", sum), nil
}

// SaveMemory saves m, durably. The caller keeps m from changing meanwhile.
func (s *Store) SaveMemory(m *Memory) error {
	data, err := encodeMemory(m)
	if err != nil {
		return fmt.Errorf("save daemon state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replace(data); err != nil {
		return fmt.Errorf("save daemon state: %w", err)
	}
	return nil
}

// replace puts data in place of the memory. The present one, if it is whole,
// becomes the former one first.
func (s *Store) replace(data []byte) error {
	path := filepath.Join(s.dir, memoryFile)
	temp := filepath.Join(s.dir, ".memory.new") // one daemon, one writer: what a killed one left is overwritten
	if err := writeSynced(temp, data); err != nil {
		return err
	}
	if _, err := readMemory(path); err == nil {
		if err := os.Rename(path, filepath.Join(s.dir, formerFile)); err != nil {
			return err
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
