package pack

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"coffer/chunk/seal"

	"github.com/klauspost/compress/zstd"
)

// SealBlob seals plain as an object of its own: one zstd frame, then zeros in
// a skippable frame (magic 0x184D2A5D) that give the object a PADME length.
// `age -d blob | zstd -d` gives plain. The object was opened and compared
// before it is returned. sum is its SHA-256.
func SealBlob(plain []byte, r seal.Recipients) (obj []byte, sum [32]byte, err error) {
	frame := newEncoder(Default).EncodeAll(plain, nil)
	var out bytes.Buffer
	out.Grow(int(seal.PaddedLen(int64(len(frame)))) + blobHeadroom)
	w, err := seal.NewWriter(&out, r)
	if err != nil {
		return nil, sum, fmt.Errorf("seal blob: %w", err)
	}
	if err := writePadded(w, frame, paddingMagic, nil); err != nil {
		return nil, sum, fmt.Errorf("seal blob: %w", err)
	}
	obj = out.Bytes()
	if err := checkBlob(obj, w.FileKey(), plain); err != nil {
		return nil, sum, fmt.Errorf("check sealed blob: %w", err)
	}
	return obj, sha256.Sum256(obj), nil
}

// blobHeadroom is what header and padding add to a small blob, about.
const blobHeadroom = 8 << 10

func checkBlob(obj []byte, key seal.FileKey, plain []byte) error {
	r, err := seal.OpenWithKey(obj, key)
	if err != nil {
		return err
	}
	got, err := readBlob(r, int64(len(plain)))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, plain) {
		return errors.New("it does not hold what was sealed")
	}
	return nil
}

// OpenBlob opens what SealBlob made, if it holds at most maxPlain bytes. The
// error wraps [seal.ErrNoIdentity] if it is not for ids.
func OpenBlob(obj []byte, ids seal.Identities, maxPlain int64) ([]byte, error) {
	r, err := seal.Open(obj, ids)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	plain, err := readBlob(r, maxPlain)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return plain, nil
}

// readBlob decodes the frame of a blob and passes over its padding.
func readBlob(r *seal.Reader, maxPlain int64) ([]byte, error) {
	b, err := seal.ReadAll(r, nil, r.Size())
	if err != nil {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(b); err != nil || h.Skippable {
		return nil, errors.New("no zstd frame at its start")
	}
	size := h.FrameContentSize
	if !h.HasFCS {
		size = unsizedBlob
	}
	if size > uint64(maxPlain) && h.HasFCS {
		return nil, fmt.Errorf("holds %d bytes, at most %d are allowed", size, maxPlain)
	}
	out, err := newDecoder().DecodeAll(b, make([]byte, 0, min(size, uint64(maxPlain))))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if h.HasFCS && uint64(len(out)) != size {
		return nil, fmt.Errorf("holds %d bytes, its header says %d", len(out), size)
	}
	return out, nil
}

// unsizedBlob is the greatest length of what a frame holds that does not say
// how much it is. Only the smallest ones do not.
const unsizedBlob = 1 << 10
