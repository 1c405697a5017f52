package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A blob file is a sealed line that says what the bytes behind it are, and
// then those bytes.

const (
	maxBlobHead = 1 << 16
	// maxBlob bounds the bytes of a ledger, and so of everything kept this way.
	maxBlob = 64 << 20
)

type blobHead struct {
	Name   string `json:"name"`
	Commit string `json:"commit,omitempty"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func encodeBlob(name, commit string, data []byte) ([]byte, error) {
	if len(data) > maxBlob || !cleanText(maxBlobHead/4, name, commit) {
		return nil, errors.New("too long, or a name that is not UTF-8")
	}
	sum := sha256.Sum256(data)
	head, err := sealLine(blobHead{name, commit, int64(len(data)), hex.EncodeToString(sum[:])})
	return append(head, data...), err
}

func decodeBlob(b []byte) (head *blobHead, data []byte, err error) {
	i := bytes.IndexByte(b[:min(len(b), maxBlobHead)], '\n')
	if i < 0 {
		return nil, nil, ErrDamaged
	}
	if head, err = unsealLine[blobHead](b[:i+1]); err != nil {
		return nil, nil, err
	}
	data = b[i+1:]
	sum := sha256.Sum256(data)
	if head.Size != int64(len(data)) || head.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, nil, fmt.Errorf("%w: checksum differs", ErrDamaged)
	}
	return head, data, nil
}

func writeBlob(path, name, commit string, data []byte) error {
	b, err := encodeBlob(name, commit, data)
	if err == nil {
		err = replaceFile(path, b)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func readBlob(path string) (*blobHead, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBlob+maxBlobHead))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	head, data, err := decodeBlob(b)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return head, data, nil
}

const pendingFile = "pending"

// Pending is a commit that is about to be sent: its object name and its bytes.
type Pending struct {
	Name string
	Data []byte
}

// SavePending keeps a commit before it is sent, durably. There is one at most:
// if another is kept that is not known to be settled, the error is
// [fs.ErrExist]. Hold the commit lock.
func (d *Dir) SavePending(p Pending) error {
	return d.change(func() error {
		old, err := d.Pending()
		if err == nil && old.Name != p.Name {
			return fmt.Errorf("keep commit %s: %s is pending: %w", p.Name, old.Name, fs.ErrExist)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDamaged) {
			return err
		}
		return writeBlob(d.file(pendingFile), p.Name, "", p.Data)
	})
}

// Pending returns the commit that was to be sent: [fs.ErrNotExist] if there is
// none. A damaged one ([ErrDamaged]) can be cleared or written over: if it was
// sent, the listing of this device's own names shows it.
func (d *Dir) Pending() (Pending, error) {
	head, data, err := readBlob(d.file(pendingFile))
	if err != nil {
		return Pending{}, err
	}
	return Pending{head.Name, data}, nil
}

// ClearPending forgets the pending commit: it is acknowledged, or found, or
// given up. Hold the commit lock.
func (d *Dir) ClearPending() error {
	return d.change(func() error { return removeFile(d.file(pendingFile)) })
}

// A Ledger is the newest ledger of a project: its object name and bytes, and
// the name of the newest commit of the project, which names it.
type Ledger struct {
	Name   string
	Commit string
	Data   []byte
}

// SaveLedger keeps the newest ledger of a project.
func (d *Dir) SaveLedger(project string, l Ledger) error {
	return d.change(func() error {
		if err := d.projectFolder(project); err != nil {
			return err
		}
		return writeBlob(d.file("projects", project, "ledger"), l.Name, l.Commit, l.Data)
	})
}

// Ledger returns the newest ledger of a project: [fs.ErrNotExist] if there is
// none, [ErrDamaged] if it must be fetched again.
func (d *Dir) Ledger(project string) (Ledger, error) {
	head, data, err := readBlob(d.file("projects", project, "ledger"))
	if err != nil {
		return Ledger{}, err
	}
	return Ledger{head.Name, head.Commit, data}, nil
}
