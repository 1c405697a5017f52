package pack

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"coffer/chunk"
)

// An Entry says which chunk is where in a pack. Offset and Len count bytes of
// the pack's content.
type Entry struct {
	Kind   chunk.Kind
	ID     chunk.ID
	Offset int64
	Len    int64
}

// A Directory is the list of a pack's chunks, in the order of its content.
type Directory struct {
	frames  []frame
	entries []Entry
}

// A frame is a stretch of the stored bytes and the stretch of the content it
// decodes to.
type frame struct {
	at, packed int64 // in the plaintext of the object
	off, plain int64 // in the content
	first, n   int   // its entries
}

// Entries returns the entries in the order of the content.
func (d *Directory) Entries() iter.Seq[Entry] { return slices.Values(d.entries) }

// Len returns the number of chunks and the length of the content.
func (d *Directory) Len() (chunks int, plain int64) {
	_, plain = d.ends()
	return len(d.entries), plain
}

// ends returns where the frames end, in the plaintext and in the content.
func (d *Directory) ends() (at, off int64) {
	if len(d.frames) == 0 {
		return 0, 0
	}
	f := d.frames[len(d.frames)-1]
	return f.at + f.packed, f.off + f.plain
}

// load reads the directory of a plaintext of size bytes, of which read gives n
// bytes at off, and makes sure that it accounts for every byte. What read gave
// need not outlive its next call.
func (d *Directory) load(size int64, read func(off, n int64) ([]byte, error)) error {
	foot, err := read(max(0, size-footerLen), min(size, footerLen))
	if err != nil {
		return err
	}
	n, err := directoryLen(foot)
	if err != nil {
		return err
	}
	start := size - footerLen - n
	if start < 0 {
		return errors.New("directory is longer than the pack")
	}
	text, err := read(start, n)
	if err != nil {
		return err
	}
	if err := d.parse(text); err != nil {
		return err
	}
	at, _ := d.ends()
	if at > start-skipHeader {
		return errors.New("frames and directory overlap")
	}
	tail, err := read(at, size-at)
	if err != nil {
		return err
	}
	return checkTail(tail, n)
}

func (d *Directory) reset() {
	d.frames, d.entries = d.frames[:0], d.entries[:0]
}

// addFrame adds a frame that holds all entries which are in no frame yet.
func (d *Directory) addFrame(packed, plain int64) {
	f := frame{packed: packed, plain: plain}
	f.at, f.off = d.ends()
	if n := len(d.frames); n > 0 {
		f.first = d.frames[n-1].first + d.frames[n-1].n
	}
	f.n = len(d.entries) - f.first
	d.frames = append(d.frames, f)
}

// appendText appends the lines of d. There is one spelling of a directory
// only, and parse accepts no other.
func (d *Directory) appendText(b []byte) []byte {
	for _, f := range d.frames {
		b = append(b, `{"c":`...)
		b = strconv.AppendInt(b, f.packed, 10)
		b = append(b, `,"p":`...)
		b = strconv.AppendInt(b, f.plain, 10)
		b = append(b, `,"chunks":[`...)
		for i, e := range d.entries[f.first : f.first+f.n] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '[', '"', byte(e.Kind), '"', ',')
			b = strconv.AppendInt(b, e.Len, 10)
			b = append(b, ',', '"')
			b = e.ID.AppendText(b)
			b = append(b, '"', ']')
		}
		b = append(b, "]}\n"...)
	}
	return b
}

// parse reads the lines of a directory into d, which it resets first.
func (d *Directory) parse(text []byte) error {
	d.reset()
	for line := 1; len(text) > 0; line++ {
		var ok bool
		if text, ok = d.parseLine(text); !ok {
			return fmt.Errorf("directory line %d is not as it should be", line)
		}
	}
	if len(d.frames) == 0 {
		return errors.New("directory is empty")
	}
	return nil
}

// parseLine reads one line and returns what follows it.
func (d *Directory) parseLine(s []byte) (rest []byte, ok bool) {
	p := scanner{s: s, ok: true}
	p.word(`{"c":`)
	packed := p.number(2*MaxChunk, ',')
	p.word(`"p":`)
	plain := p.number(MaxChunk, ',')
	p.word(`"chunks":[`)
	first := len(d.entries)
	_, off := d.ends()
	end := off + plain
	for more := true; more && p.ok; more = p.another() {
		e := p.entry()
		e.Offset = off
		off += e.Len
		d.entries = append(d.entries, e)
		if off > end || len(d.entries)-first > frameChunks {
			return nil, false
		}
	}
	p.word("}\n")
	if !p.ok || packed == 0 || off != end {
		return nil, false
	}
	d.addFrame(packed, plain)
	return p.s, true
}

// A scanner reads the fixed forms of a directory line. After the first
// mismatch ok is false, and stays so.
type scanner struct {
	s  []byte
	ok bool
}

// take reads n bytes; nothing if they are not there.
func (p *scanner) take(n int) (b []byte) {
	if p.ok = p.ok && n <= len(p.s); p.ok {
		b, p.s = p.s[:n], p.s[n:]
	}
	return b
}

// word reads w.
func (p *scanner) word(w string) {
	b := p.take(len(w))
	p.ok = p.ok && string(b) == w
}

// number reads a number without leading zeros that is at most limit, and the
// byte that ends it.
func (p *scanner) number(limit int64, end byte) (v int64) {
	const most = 18 // digits that a number has without overflowing
	n := bytes.IndexByte(p.s[:min(len(p.s), most+1)], end)
	digits := p.take(max(n, 1))
	for _, c := range digits {
		p.ok = p.ok && '0' <= c && c <= '9'
		v = v*10 + int64(c-'0')
	}
	p.take(1)
	p.ok = p.ok && v <= limit && (n == 1 || n > 1 && digits[0] != '0')
	return v
}

// idText is the text form of an ID, see [chunk.ParseID], which would allocate.
var idText = base64.RawURLEncoding.Strict()

// entry reads one chunk.
func (p *scanner) entry() (e Entry) {
	p.word(`["`)
	kind := p.take(1)
	p.word(`",`)
	e.Len = p.number(MaxChunk, ',')
	p.word(`"`)
	id := p.take(43)
	p.word(`"]`)
	if !p.ok {
		return e
	}
	e.Kind = chunk.Kind(kind[0])
	n, err := idText.Decode(e.ID[:], id)
	p.ok = (e.Kind == chunk.Data || e.Kind == chunk.Segment) && err == nil && n == len(e.ID)
	return e
}

// another reads a comma, or the bracket that closes the chunks.
func (p *scanner) another() bool {
	b := p.take(1)
	if !p.ok {
		return false
	}
	p.ok = b[0] == ',' || b[0] == ']'
	return b[0] == ','
}

// A ShortTailError says that a directory is longer than the tail it was looked
// for in.
type ShortTailError struct {
	Need int64 // how many bytes from the end hold all of it
}

func (e *ShortTailError) Error() string {
	return fmt.Sprintf("directory needs the last %d bytes", e.Need)
}

// ReadDirectory reads the directory from the last bytes of a pack's plaintext.
// If they are not enough, the error is a [*ShortTailError].
func ReadDirectory(tail []byte) (*Directory, error) {
	n, err := directoryLen(tail)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if n+footerLen > int64(len(tail)) {
		return nil, &ShortTailError{n + footerLen}
	}
	d := new(Directory)
	if err := d.parse(tail[int64(len(tail))-n-footerLen : len(tail)-footerLen]); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return d, nil
}
