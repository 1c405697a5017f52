package state

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"coffer/chunk"
)

// flushEvery is how much work, at most, a killed run notes in vain.
const flushEvery = 5 * time.Second

var (
	errOrder = errors.New("records are not in the order of a walk")

	// ErrSeries says that a record's series table does not fit the one of the
	// manifest it should go to: its line must be encoded anew, with the
	// positions that [ManifestWriter.SeriesPos] gives.
	ErrSeries = errors.New("series table does not fit")
)

// A ManifestWriter notes what a run finds of one root. What it has written is
// the checkpoint from which the next run goes on if this one is killed; with
// Commit it becomes the root's manifest. While it is told the records of the
// last manifest one after another it writes nothing, and if that was all, that
// one stays. It is safe for concurrent use, but there is one order of records.
type ManifestWriter struct {
	mu         sync.Mutex
	f          *os.File // nil while there is nothing to write
	root       string
	old        *ManifestReader // the last manifest, while nothing differs from it
	checkpoint string
	former     string // the checkpoint of the run before
	final      string
	id         manifestID

	at      int64
	number  uint32
	buf     []byte // room for the head, records
	table   []chunk.Series
	last    []byte
	records uint64
	left    int // records too large to be noted
	flushed time.Time
	err     error // the first of writing; the file is useless after
	closed  bool
}

func newManifestWriter(paths manifestPaths, root string, seed []chunk.Series) (*ManifestWriter, error) {
	if len(root) > maxRoot {
		return nil, fmt.Errorf("path of root is longer than %d bytes", maxRoot)
	}
	w := &ManifestWriter{
		checkpoint: paths.checkpoint, former: paths.former, final: paths.final, root: root,
		table:   append([]chunk.Series(nil), seed...),
		buf:     make([]byte, blockHead, blockSize+blockSize/8),
		flushed: time.Now(),
	}
	rand.Read(w.id[:])
	return w, nil
}

// create begins the checkpoint.
func (w *ManifestWriter) create() error {
	f, err := openPrivate(w.checkpoint, os.O_RDWR|os.O_EXCL)
	if err != nil {
		w.err = fmt.Errorf("begin local manifest: %w", err)
		return w.err
	}
	w.f = f
	return w.write(manifestHeader(w.id, w.root))
}

// SeriesPos returns the position of a series in the writer's table, for
// [Record.Packs] and the encoding of lines. A table has room for more series
// than a device can have; -1 says that this one is full.
func (w *ManifestWriter) SeriesPos(s chunk.Series) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.table {
		if w.table[i] == s {
			return i
		}
	}
	if len(w.table) == maxSeries {
		return -1
	}
	w.table = append(w.table, s)
	return len(w.table) - 1
}

// Add notes a record. Its Series must be nil, which means the writer's own
// table, or fit that table, else the error is [ErrSeries]; those that the run's
// [Base] gives do. A record of more than 64 MiB is left out: its file will be
// read again. After another error the writer is of no more use, and the next
// run will read more; the run itself can go on.
func (w *ManifestWriter) Add(rec *Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.records > 0 && comparePaths(rec.Path, w.last) <= 0 {
		return fmt.Errorf("note %q after %q: %w", rec.Path, w.last, errOrder)
	}
	if w.old != nil {
		if rec.Nth == w.records+1 {
			w.last = append(w.last[:0], rec.Path...)
			w.records++
			return nil
		}
		if err := w.leave(); err != nil {
			return err
		}
	}
	if !w.fits(rec.Series) || !w.holds(rec.Packs) {
		return ErrSeries
	}
	if len(rec.Packs) > maxRecordPacks || len(rec.Path)+len(rec.Deep)+len(rec.Line)+len(rec.Packs)*16 > maxRecord/2 {
		return w.addLarge(rec)
	}
	return w.add(rec)
}

func (w *ManifestWriter) add(rec *Record) error {
	w.buf = appendRecord(w.buf, rec)
	w.last = append(w.last[:0], rec.Path...)
	w.records++
	if len(w.buf) >= blockSize || time.Since(w.flushed) >= flushEvery {
		return w.flush()
	}
	return nil
}

// addLarge lets go of what only helps deduplication, or else of the record.
func (w *ManifestWriter) addLarge(rec *Record) error {
	small := *rec
	small.Deep = nil
	if len(rec.Packs) > maxRecordPacks || len(rec.Path)+len(rec.Line)+len(rec.Packs)*16 > maxRecord/2 {
		w.left++
		return nil
	}
	return w.add(&small)
}

// fits says whether positions in table mean the same in the writer's. A table
// that goes on from the writer's is taken over.
func (w *ManifestWriter) fits(table []chunk.Series) bool {
	for i := range min(len(table), len(w.table)) {
		if table[i] != w.table[i] {
			return false
		}
	}
	if len(table) > len(w.table) {
		w.table = append(w.table, table[len(w.table):]...)
	}
	return true
}

// holds says whether every pack is of a series in the table.
func (w *ManifestWriter) holds(packs []PackNo) bool {
	for i := range packs {
		if int(packs[i].Series) >= len(w.table) {
			return false
		}
	}
	return true
}

// Flush puts what was noted into the file, so that a kill does not lose it.
// Add does so by itself, but only when it is called.
func (w *ManifestWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	return w.flush()
}

func (w *ManifestWriter) flush() error {
	w.flushed = time.Now()
	if len(w.buf) == blockHead || w.old != nil {
		return nil
	}
	return w.writeBlock(kindRecords)
}

func (w *ManifestWriter) writeBlock(kind uint32) error {
	b := sealBlock(w.buf, w.id, w.number, kind, w.table)
	w.number++
	w.buf = b[:blockHead]
	return w.write(b)
}

func (w *ManifestWriter) write(b []byte) error {
	if _, err := w.f.WriteAt(b, w.at); err != nil {
		w.err = fmt.Errorf("write local manifest: %w", err)
		return w.err
	}
	w.at += int64(len(b))
	return nil
}

// Failed tells whether writing has failed: nothing more is noted, and Commit
// says why.
func (w *ManifestWriter) Failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

// LeftOut returns how many records were too large to be noted.
func (w *ManifestWriter) LeftOut() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left
}

// Commit makes the records, which are all of the root, its manifest: durably,
// in place of the last one. The writer is closed, also after an error.
func (w *ManifestWriter) Commit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.old != nil && w.old.whole(w.records) {
		return w.close()
	}
	if w.err == nil {
		w.finish()
	}
	if err := w.close(); err != nil {
		return err
	}
	// The former checkpoint goes first: left beside a newer manifest it would
	// count as newer than that.
	if err := removeIfThere(w.former); err != nil {
		return fmt.Errorf("remove former checkpoint: %w", err)
	}
	if err := os.Rename(w.checkpoint, w.final); err != nil {
		return fmt.Errorf("replace local manifest: %w", err)
	}
	return syncFolder(filepath.Dir(w.final))
}

// finish writes what is left and the end block. Its error is kept in w.
func (w *ManifestWriter) finish() error {
	if w.old != nil {
		if err := w.leave(); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, w.records)
	if err := w.writeBlock(kindEnd); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		w.err = fmt.Errorf("sync local manifest: %w", err)
	}
	return w.err
}

// close closes the file and returns what went wrong until then.
func (w *ManifestWriter) close() error {
	if w.closed {
		return w.err
	}
	err := w.err
	if w.f != nil {
		err = errors.Join(err, w.f.Close())
	}
	w.closed, w.err = true, os.ErrClosed
	return err
}

// Close ends a run that did not come to its end. What it noted is the
// checkpoint for the next. After Commit it does nothing.
func (w *ManifestWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if w.err == nil {
		w.flush()
	}
	return w.close()
}
