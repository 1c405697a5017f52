package seal

import (
	"bytes"
	"fmt"
	"io"

	"filippo.io/age"
)

// A FileKey opens one object and no other. The writer of an object keeps it
// for as long as it takes to check the object. It prints as a placeholder.
type FileKey [16]byte

// String hides the key.
func (FileKey) String() string { return "(secret)" }

// GoString hides the key.
func (FileKey) GoString() string { return "seal.FileKey(secret)" }

// A Writer seals one object into memory. Writes must be followed by Close.
type Writer struct {
	w    io.WriteCloser
	key  FileKey
	head int64 // bytes before the payload: header and nonce
}

// NewWriter begins an object at the end of dst. dst belongs to the Writer
// until Close.
func NewWriter(dst *bytes.Buffer, r Recipients) (*Writer, error) {
	w := new(Writer)
	before := dst.Len()
	sealer, err := age.Encrypt(dst, wrap{r, &w.key})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	w.w = sealer
	w.head = int64(dst.Len() - before)
	return w, nil
}

// Target returns the smallest plaintext length that is at least n and makes an
// object of a PADME length, see [PaddedLen].
func (w *Writer) Target(n int64) int64 { return target(w.head, n) }

// Len returns the length of the object that n bytes of plaintext make.
func (w *Writer) Len(n int64) int64 { return w.head + sealedLen(n) }

// Write seals p.
func (w *Writer) Write(p []byte) (int, error) { return w.w.Write(p) }

// Close ends the object; until then it cannot be opened.
func (w *Writer) Close() error { return w.w.Close() }

// FileKey returns the key of this object alone.
func (w *Writer) FileKey() FileKey { return w.key }
