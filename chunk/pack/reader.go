package pack

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"

	"coffer/chunk/seal"

	"github.com/klauspost/compress/zstd"
)

// A Reader is an opened pack, decrypted in memory. It must not be used by two
// goroutines at the same time. The zero value is ready for Open; a Reader that
// is used for many packs keeps and reuses its memory.
type Reader struct {
	plain []byte // of the object
	dir   Directory
	zstd  *zstd.Decoder
	room  []byte // content of the frame last decoded
}

// Open opens a pack in a Reader of its own, see [Reader.Open].
func Open(obj []byte, ids seal.Identities) (*Reader, error) {
	r := new(Reader)
	if err := r.Open(obj, ids); err != nil {
		return nil, err
	}
	return r, nil
}

// OpenWithKey opens a pack in a Reader of its own, see [Reader.OpenWithKey].
func OpenWithKey(obj []byte, key seal.FileKey) (*Reader, error) {
	r := new(Reader)
	if err := r.OpenWithKey(obj, key); err != nil {
		return nil, err
	}
	return r, nil
}

// Open opens a pack, using the memory of the one before. The error wraps
// [seal.ErrNoIdentity] if it is not for ids. After an error r holds nothing.
func (r *Reader) Open(obj []byte, ids seal.Identities) error {
	return r.load(seal.Open(obj, ids))
}

// OpenWithKey is Open with the key that [Builder.Seal] gave.
func (r *Reader) OpenWithKey(obj []byte, key seal.FileKey) error {
	return r.load(seal.OpenWithKey(obj, key))
}

// load decrypts all of a pack and reads its directory.
func (r *Reader) load(src *seal.Reader, err error) error {
	r.dir.reset()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if r.zstd == nil {
		r.zstd = newDecoder()
	}
	plain, err := seal.ReadAll(src, r.plain[:0], src.Size())
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	r.plain = plain
	if err := r.dir.load(int64(len(plain)), func(off, n int64) ([]byte, error) { return plain[off : off+n], nil }); err != nil {
		r.dir.reset()
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}

// Entries returns the entries in the order of the content. They are valid
// until the next Open.
func (r *Reader) Entries() iter.Seq[Entry] { return r.dir.Entries() }

// Len returns the number of chunks and the length of the content.
func (r *Reader) Len() (chunks int, plain int64) { return r.dir.Len() }

// An Extent is a stretch of a pack's content: where a ref says a chunk is.
type Extent struct{ Offset, Len int64 }

// An ExtentError says which of the extents asked for could not be read.
type ExtentError struct {
	Index  int // in what was asked for
	Extent Extent
	Err    error
}

func (e *ExtentError) Error() string {
	return fmt.Sprintf("read %d bytes at %d of the pack: %v", e.Extent.Len, e.Extent.Offset, e.Err)
}

func (e *ExtentError) Unwrap() error { return e.Err }

// Read calls fn with the bytes of each extent. The extents ascend by offset;
// the same one may stand there again. Each frame needed is decoded once. data
// is valid during the call only. An error of fn ends the reading and is
// returned as it is; every other error is an [*ExtentError], and extents after
// the one it names can be asked for anew.
//
// That the bytes are the right ones is for the caller to see, by hashing them.
func (r *Reader) Read(extents []Extent, fn func(i int, data []byte) error) error {
	last := -1
	var content []byte
	for i, x := range extents {
		if i > 0 && x.Offset < extents[i-1].Offset {
			return &ExtentError{i, x, errors.New("extents do not ascend")}
		}
		n, err := r.dir.find(x)
		if err == nil && n != last {
			content, err = r.frame(n)
		}
		if err != nil {
			return &ExtentError{i, x, err}
		}
		last = n
		at := x.Offset - r.dir.frames[n].off
		if err := fn(i, content[at:at+x.Len:at+x.Len]); err != nil {
			return err
		}
	}
	return nil
}

// find returns the frame that holds x. A chunk never lies in two.
func (d *Directory) find(x Extent) (int, error) {
	_, end := d.ends()
	if x.Offset < 0 || x.Len < 0 || x.Offset > end || x.Len > end-x.Offset {
		return 0, fmt.Errorf("the content has %d bytes", end)
	}
	i := sort.Search(len(d.frames), func(i int) bool { return d.frames[i].off+d.frames[i].plain >= x.Offset+x.Len })
	if i == len(d.frames) || x.Offset < d.frames[i].off {
		return 0, errors.New("not within one frame")
	}
	return i, nil
}

// frame decodes frame n. What it returns is valid until the next call.
func (r *Reader) frame(n int) ([]byte, error) {
	f := r.dir.frames[n]
	out, err := decode(r.zstd, r.plain[f.at:f.at+f.packed], r.room, f.plain)
	r.room = out
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DirectoryAt reads the directory of a pack of which src can read parts: its
// first 16 KiB, and its end. That is much less than the pack.
func DirectoryAt(src io.ReaderAt, size int64, ids seal.Identities) (*Directory, error) {
	r, err := seal.OpenAt(src, size, ids)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	need := int64(footerLen)
	for {
		tail := make([]byte, min(need, r.Size()))
		if _, err := r.ReadAt(tail, r.Size()-int64(len(tail))); err != nil && err != io.EOF {
			return nil, fmt.Errorf("pack: %w", err)
		}
		d, err := ReadDirectory(tail)
		if short, ok := errors.AsType[*ShortTailError](err); ok && short.Need <= r.Size() {
			need = short.Need
			continue
		}
		return d, err
	}
}
