package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
)

// inner is the first argument of a run of this program by itself. What takes
// memory or time runs in such a child: it is measured as the programs are, and
// this process stays small.
const inner = "inner"

func runInner(args []string) error {
	if len(args) < 2 {
		return errors.New("inner: want a job and a folder")
	}
	job, dir := args[0], args[1]
	switch job {
	case "make", "change", "insert", "entries", "change-entries":
		return runMaker(job, dir, args[2:])
	case "compare":
		return compare(dir, args[2])
	case "walk":
		return filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err == nil {
				_, err = d.Info()
			}
			return err
		})
	case "hash":
		return onAllCores(dir, func() worker { return &hashing{buf: make([]byte, 1<<20)} })
	case "work":
		return bareWork(dir)
	}
	return fmt.Errorf("inner: no job %q", job)
}

func runMaker(job, dir string, args []string) error {
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	switch job {
	case "change":
		return changeSome(dir, seed)
	case "insert":
		return insertSome(dir, seed)
	case "entries", "change-entries":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		if job == "entries" {
			return makeEntries(dir, n, seed)
		}
		return changeEntries(dir, n, seed)
	}
	scale, err := strconv.ParseFloat(args[1], 64)
	if err != nil {
		return err
	}
	return makeCorpus(dir, args[2:], seed, scale)
}

// A worker does something to one file after another.
type worker interface {
	file(path string) error
	end() error
}

// onAllCores has a worker per core go through the files below dir.
func onAllCores(dir string, newWorker func() worker) error {
	paths := make(chan string, 1024)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i := range errs {
		w := newWorker()
		group.Go(func() {
			for path := range paths {
				if errs[i] == nil {
					errs[i] = w.file(path)
				}
			}
			errs[i] = errors.Join(errs[i], w.end())
		})
	}
	err := eachFile(dir, func(path string, _ int64) error { paths <- path; return nil })
	close(paths)
	group.Wait()
	return errors.Join(append(errs, err)...)
}

// hashing reads and hashes: the least that a verification does.
type hashing struct{ buf []byte }

func (h *hashing) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{sha256.New()}, struct{ io.Reader }{f}, h.buf)
	return err
}

func (h *hashing) end() error { return nil }

// working does the bare work of a backup to bytes: it reads, hashes, compresses at the
// fastest level and encrypts, in pieces of a megabyte at most, and stores
// nothing.
type working struct {
	to      seal.Recipients
	hasher  *chunk.Hasher
	builder *pack.Builder
	buf     []byte
}

func bareWork(dir string) error {
	id, err := seal.Generate(false)
	if err != nil {
		return err
	}
	to, err := seal.ParseRecipients([]string{id.Recipient()})
	if err != nil {
		return err
	}
	return onAllCores(dir, func() worker {
		return &working{to: to, hasher: chunk.NewHasher(chunk.Key{}), buf: make([]byte, 1<<20), builder: pack.NewBuilder(pack.TargetData, pack.Fastest)}
	})
}

func (w *working) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		n, err := io.ReadFull(f, w.buf)
		if n > 0 {
			w.builder.Add(chunk.Data, w.hasher.ID(w.buf[:n]), w.buf[:n])
		}
		if w.builder.Full() {
			if err := w.end(); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *working) end() error {
	if w.builder.Empty() {
		return nil
	}
	s, err := w.builder.Seal(w.to)
	w.builder.Reuse(s.Object)
	return err
}
