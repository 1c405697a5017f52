package state

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
)

const (
	catalogFile = "catalog.jsonl"
	maxLine     = 1 << 20
)

// A Snapshot is a line of the catalog: what this device remembers of a
// snapshot it made, so that it can be listed with its label and paths without
// the kit. Whether it still exists, the remote says.
type Snapshot struct {
	Commit   string   `json:"commit"`  // last component of the name
	Project  string   `json:"project"` // ID
	Key      Text     `json:"key"`     // of the project
	Label    Text     `json:"label,omitempty"`
	Time     int64    `json:"time"`    // Unix seconds, as in the commit
	Seconds  int64    `json:"seconds"` // the run took
	Roots    []Text   `json:"roots"`
	Tags     []string `json:"tags,omitempty"`
	Files    int64    `json:"files"`
	Bytes    int64    `json:"bytes"`    // of all files
	NewBytes int64    `json:"newBytes"` // that were uploaded
	Unread   int64    `json:"unread,omitempty"`
	Partial  bool     `json:"partial,omitempty"`
}

// AddSnapshot appends a snapshot to the catalog, durably.
func (d *Dir) AddSnapshot(s Snapshot) error {
	if !cleanText(maxText, s.Commit) || !cleanText(maxText, s.Tags...) || !isHex(s.Project, 8) {
		return fmt.Errorf("add snapshot %.100q to catalog: not in its form", s.Commit)
	}
	line, err := sealLine(s)
	if err == nil && len(line) > maxLine {
		err = fmt.Errorf("line is longer than %d bytes", maxLine)
	}
	if err == nil {
		err = d.change(func() error { return d.appendCatalog(line) })
	}
	if err != nil {
		return fmt.Errorf("add snapshot to catalog: %w", err)
	}
	return nil
}

// appendCatalog writes a line, and begins it anew where a former one was cut
// short.
func (d *Dir) appendCatalog(line []byte) error {
	f, err := openPrivate(d.file(catalogFile), os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if end > 0 {
		if _, err := f.ReadAt(last, end-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.WriteAt(line, end); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	if err := f.Sync(); err != nil || end > 0 {
		return err
	}
	return syncFolder(d.path)
}

// recent is how much of the catalog RecentSnapshots reads, in bytes.
const recent = 256 << 10

// Snapshots yields the catalog, oldest first. Damaged lines are passed over;
// an error is of the disk, and the last.
func (d *Dir) Snapshots() iter.Seq2[Snapshot, error] { return d.snapshots(math.MaxInt64) }

// RecentSnapshots yields the end of the catalog, some hundred snapshots, as
// Snapshots does: it costs the same however many there were.
func (d *Dir) RecentSnapshots() iter.Seq2[Snapshot, error] { return d.snapshots(recent) }

// snapshots yields those of the last bytes.
func (d *Dir) snapshots(last int64) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		f, err := os.Open(d.file(catalogFile))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Snapshot{}, fmt.Errorf("read catalog: %w", err))
			return
		}
		defer f.Close()
		if info, e := f.Stat(); e == nil && info.Size() > last {
			_, err = f.Seek(-last, io.SeekEnd) // what is left of a line there is a damaged one
		}
		if err == nil {
			err = readCatalog(f, func(s *Snapshot) bool { return yield(*s, nil) })
		}
		if err != nil {
			yield(Snapshot{}, fmt.Errorf("read catalog: %w", err))
		}
	}
}

// readCatalog calls fn for each good line until it returns false.
func readCatalog(r io.Reader, fn func(*Snapshot) bool) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		if len(line)+len(part) <= maxLine+1 {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil // what has no line end was cut short
		case err != nil:
			return err
		}
		if s, err := unsealLine[Snapshot](line); err == nil && !fn(s) {
			return nil
		}
		line = line[:0]
	}
}

// KeepSnapshots removes from the catalog all that keep does not want, and
// damaged lines. Keep must not change the state.
func (d *Dir) KeepSnapshots(keep func(Snapshot) bool) error {
	return d.change(func() error {
		var b bytes.Buffer
		for s, err := range d.Snapshots() {
			if err != nil {
				return err
			}
			if !keep(s) {
				continue
			}
			line, err := sealLine(s)
			if err != nil {
				return err
			}
			b.Write(line)
		}
		return replaceFile(d.file(catalogFile), b.Bytes())
	})
}
