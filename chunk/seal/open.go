package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
)

// ErrNoIdentity says that an object is sealed, but to none of the identities
// at hand.
var ErrNoIdentity = errors.New("no identity opens this object")

// The header of an object may be 16 KiB long and have one stanza a KiB. A
// post-quantum stanza takes 1.6 KB and some work to try. Trust objects, which
// are sealed to every device, may have 64 KiB, see [OpenLimit].
const (
	headerMax  = 16 << 10
	trustMax   = 64 << 10
	stanzaRoom = 1 << 10
)

// intro is the first line of every age file.
const intro = "age-encryption.org/v1\n"

// Open opens an object that is in memory. The error wraps [ErrNoIdentity] if
// the object is not for ids.
func Open(obj []byte, ids Identities) (*Reader, error) {
	return OpenLimit(obj, ids, headerMax)
}

// OpenLimit is Open for objects whose header may be up to max bytes long.
func OpenLimit(obj []byte, ids Identities, max int) (*Reader, error) {
	if err := checkHeader(obj, max); err != nil {
		return nil, err
	}
	return open(bytes.NewReader(obj), int64(len(obj)), ids.age())
}

// OpenWithKey opens an object with the file key that its Writer gave out. The
// object was made here, so it may have as long a header as any.
func OpenWithKey(obj []byte, key FileKey) (*Reader, error) {
	if err := checkHeader(obj, trustMax); err != nil {
		return nil, err
	}
	return open(bytes.NewReader(obj), int64(len(obj)), []age.Identity{age.NewInjectedFileKeyIdentity(key[:])})
}

// OpenAt opens an object of the given size of which src can read parts. It
// reads the header and the last 64 KiB; what the Reader is asked for later is
// read when it is asked for, in pieces of 64 KiB.
func OpenAt(src io.ReaderAt, size int64, ids Identities) (*Reader, error) {
	head := make([]byte, min(headerMax, max(0, size)))
	if n, err := src.ReadAt(head, 0); n < len(head) {
		return nil, fmt.Errorf("read header: %w", err)
	}
	if err := checkHeader(head, headerMax); err != nil {
		return nil, err
	}
	return open(src, size, ids.age())
}

func open(src io.ReaderAt, size int64, ids []age.Identity) (*Reader, error) {
	if len(ids) == 0 {
		return nil, ErrNoIdentity
	}
	ra, n, err := age.DecryptReaderAt(src, size, ids...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, ErrNoIdentity
	}
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	return &Reader{src: ra, size: n}, nil
}

// CheckHeader tells whether an object begins as a sealed one does. Only who
// opens it knows more.
func CheckHeader(obj []byte) error { return checkHeader(obj, headerMax) }

// checkHeader holds the header of an object against its limits before it is
// parsed. It knows no more of the format than where a header ends and a stanza
// begins; whether the lines are right is for age to say.
func checkHeader(obj []byte, limit int) error {
	if !bytes.HasPrefix(obj, []byte(intro)) {
		return errors.New("not an age object")
	}
	rest := obj[:min(len(obj), limit)][len(intro):]
	for stanzas := 0; ; {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		switch {
		case !ok && len(obj) < limit:
			return errors.New("age header is cut short")
		case !ok:
			return fmt.Errorf("age header is over %d bytes", limit)
		case bytes.HasPrefix(line, []byte("---")):
			return nil
		case bytes.HasPrefix(line, []byte("->")):
			if stanzas++; stanzas > limit/stanzaRoom {
				return fmt.Errorf("age header has over %d stanzas", limit/stanzaRoom)
			}
		}
		rest = after
	}
}

// A Reader gives the plaintext of an object. Each piece is authenticated
// before it is given out, and the length was when the object was opened, but
// only who has read to io.EOF knows that all of it is good; see [ReadAll].
type Reader struct {
	src  io.ReaderAt
	size int64
	off  int64
	buf  []byte // what a short Read left of the piece it needed
	room []byte
}

// Size returns the length of the plaintext.
func (r *Reader) Size() int64 { return r.size }

// ReadAt reads at an offset of the plaintext. Calls may be concurrent, but
// each allocates 64 KiB: it is meant for few and large reads.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { return r.src.ReadAt(p, off) }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.buf) == 0 && len(p) < piece {
		r.fill()
	}
	if len(r.buf) > 0 {
		n := copy(p, r.buf)
		r.buf = r.buf[n:]
		return n, nil
	}
	n, err := r.ReadAt(p, r.off)
	r.off += int64(n)
	return n, err
}

// fill reads the next piece, so that short reads do not decrypt it each time.
// What goes wrong the read that follows meets again, since there is no piece.
func (r *Reader) fill() {
	if r.room == nil {
		r.room = make([]byte, piece)
	}
	n, _ := r.ReadAt(r.room, r.off)
	r.off += int64(n)
	r.buf = r.room[:n]
}

// ReadAll appends all that r gives to dst and returns it. It gives nothing if
// r fails or gives more than max bytes; then what dst has room for may have
// been written over.
func ReadAll(r io.Reader, dst []byte, max int64) ([]byte, error) {
	if s, ok := r.(*Reader); ok {
		return s.readAll(dst, max)
	}
	buf := bytes.NewBuffer(dst)
	if n, err := buf.ReadFrom(io.LimitReader(r, max+1)); err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	} else if n > max {
		return nil, tooLong(max)
	}
	return buf.Bytes(), nil
}

// readAll knows how much is left, so it allocates once.
func (r *Reader) readAll(dst []byte, max int64) ([]byte, error) {
	left := int64(len(r.buf)) + r.size - r.off
	if left > max {
		return nil, tooLong(max)
	}
	n := len(dst)
	dst = slices.Grow(dst, int(left))[:n+int(left)]
	n += copy(dst[n:], r.buf)
	r.buf = nil
	if m, err := r.ReadAt(dst[n:], r.off); m < len(dst)-n {
		return nil, fmt.Errorf("read object: %w", err)
	}
	r.off = r.size
	return dst, nil
}

func tooLong(max int64) error { return fmt.Errorf("object holds more than %d bytes", max) }
