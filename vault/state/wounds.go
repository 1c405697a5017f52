package state

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"

	"coffer/chunk"
)

// A Wound is a pack that was found bad or missing. Its file, in the folder
// wounds, keeps which chunks the index knew in it until a move says where they
// are now: the index itself forgets such packs. The IDs of chunks are kept no
// longer than the index keeps them; then only their number stays.
//
// A file: day 2, flags 2 (1: whole), chunks let go 4, items as in the tail of the index,
// sorted by ID, and a CRC-32C 4 of these, which begins with the name.
type Wound struct {
	Series chunk.Series
	Number uint32
	Sum    [32]byte
}

// WoundNote is what is known of a wound.
type WoundNote struct {
	Since Day         // when it was found
	Refs  []chunk.Ref // chunks that are not known to be elsewhere yet, sorted by ID
	Gone  uint32      // further ones, whose IDs were let go
	// Whole: the index knew every chunk that the pack held when it was found
	// bad. Else some were forgotten before, and may be needed by older snapshots.
	Whole bool
}

const woundWhole = 1 // flag

const (
	woundHead    = 8
	woundsFolder = "wounds"
	woundsNew    = ".new"  // in it: what a scan has found so far
	woundBatch   = 1 << 16 // chunks held in memory by a scan: 5 MB
)

func (w Wound) name() string { return fmt.Sprintf("%s-%010d-%x", w.Series, w.Number, w.Sum) }

func parseWound(s string) (w Wound, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 || !isHex(parts[2], len(w.Sum)) {
		return w, false
	}
	series, err := chunk.ParseSeries(parts[0])
	number, err1 := strconv.ParseUint(parts[1], 10, 32)
	w.Series, w.Number = series, uint32(number)
	_, err2 := hex.Decode(w.Sum[:], []byte(parts[2]))
	return w, errors.Join(err, err1, err2) == nil && w.name() == s
}

// Wounds lists the packs that are noted as bad or missing, in order.
func (d *Dir) Wounds() ([]Wound, error) { return d.woundsIn(woundsFolder) }

func (d *Dir) woundsIn(folder string) ([]Wound, error) {
	entries, err := os.ReadDir(d.file(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list wounds: %w", err)
	}
	var out []Wound
	for _, e := range entries {
		if w, ok := parseWound(e.Name()); ok {
			out = append(out, w)
		}
	}
	return out, nil
}

// Wound returns what is known of a bad pack: ErrDamaged if the file is not what
// was written.
func (d *Dir) Wound(w Wound) (n WoundNote, err error) { return d.woundIn(woundsFolder, w) }

func (d *Dir) woundIn(folder string, w Wound) (n WoundNote, err error) {
	b, err := os.ReadFile(d.file(folder, w.name()))
	if err != nil {
		return n, fmt.Errorf("read wound: %w", err)
	}
	body := b[:max(0, len(b)-4)]
	if len(body) < woundHead || (len(body)-woundHead)%tailItem != 0 || binary.LittleEndian.Uint32(b[len(body):]) != w.sum(body) {
		return n, fmt.Errorf("read wound %s: %w", w.name(), ErrDamaged)
	}
	n.Since, n.Gone = Day(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint32(b[4:])
	n.Whole = binary.LittleEndian.Uint16(b[2:])&woundWhole != 0
	n.Refs = w.refs(body[woundHead:])
	return n, nil
}

func (w Wound) sum(body []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(w.name()), castagnoli), castagnoli, body)
}

func (w Wound) refs(items []byte) []chunk.Ref {
	r := tailRecord{series: w.Series, number: w.Number, items: items}
	refs := make([]chunk.Ref, len(items)/tailItem)
	for i := range refs {
		refs[i] = r.item(i)
	}
	return refs
}

// SetWound notes what is known of a bad pack: that nothing is left to be found
// is good to know too.
func (d *Dir) SetWound(w Wound, n WoundNote) error { return d.setWoundIn(woundsFolder, w, n) }

func (d *Dir) setWoundIn(folder string, w Wound, n WoundNote) error {
	if err := d.makeFolders(folder); err != nil {
		return fmt.Errorf("note wound: %w", err)
	}
	refs := distinct(slices.Clone(n.Refs))
	b := binary.LittleEndian.AppendUint16(nil, uint16(n.Since))
	var flags uint16
	if n.Whole {
		flags = woundWhole
	}
	b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(b, flags), n.Gone)
	for i := range refs {
		b = appendItem(b, &refs[i])
	}
	b = binary.LittleEndian.AppendUint32(b, w.sum(b))
	if err := replaceFile(d.file(folder, w.name()), b); err != nil {
		return fmt.Errorf("note wound: %w", err)
	}
	return nil
}

// distinct sorts refs by ID, and leaves each ID once.
func distinct(refs []chunk.Ref) []chunk.Ref {
	slices.SortFunc(refs, func(a, b chunk.Ref) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(refs, func(a, b chunk.Ref) bool { return a.ID == b.ID })
}

// RemoveWound forgets a pack that turned out to be there and good.
func (d *Dir) RemoveWound(w Wound) error {
	if err := removeFile(d.file(woundsFolder, w.name())); err != nil {
		return fmt.Errorf("forget wound: %w", err)
	}
	return nil
}

// AddWounds reads the index once and notes for each pack which chunks it knows
// there, and by held, how many each held, whether these are all. Its memory is
// flat however many packs there are.
func (d *Dir) AddWounds(x *Index, wounds []Wound, held func(Wound) int) error {
	if len(wounds) == 0 {
		return nil
	}
	scratch := d.file(woundsFolder, woundsNew)
	if err := os.RemoveAll(scratch); err != nil { // of a scan that was cut short
		return fmt.Errorf("note wounds: %w", err)
	}
	if err := d.makeFolders(woundsFolder, woundsNew); err != nil {
		return fmt.Errorf("note wounds: %w", err)
	}
	err := d.scanWounds(x, wounds)
	for _, w := range wounds {
		if err == nil {
			err = d.keepScanned(w, Day(x.day.Load()), held(w))
		}
	}
	if err = errors.Join(err, os.RemoveAll(scratch)); err != nil {
		return fmt.Errorf("note wounds: %w", err)
	}
	return nil
}

// scanWounds spreads what the index knows over a file for each pack.
func (d *Dir) scanWounds(x *Index, wounds []Wound) error {
	type number struct {
		series chunk.Series
		number uint32
	}
	of := map[number]Wound{}
	for _, w := range wounds {
		of[number{w.Series, w.Number}] = w
	}
	found, n := map[Wound][]byte{}, 0
	flush := func() error {
		for w, items := range found {
			if err := appendFile(d.file(woundsFolder, woundsNew, w.name()), items); err != nil {
				return err
			}
		}
		clear(found)
		n = 0
		return nil
	}
	pick := func(s chunk.Series, num uint32) bool { _, ok := of[number{s, num}]; return ok }
	for ref := range x.Within(pick) {
		w := of[number{ref.Series, ref.Number}]
		found[w] = appendItem(found[w], &ref)
		if n++; n == woundBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func appendFile(path string, b []byte) error {
	f, err := openPrivate(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// keepScanned puts what the scan found of a pack in its place.
func (d *Dir) keepScanned(w Wound, today Day, held int) error {
	items, err := os.ReadFile(d.file(woundsFolder, woundsNew, w.name()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	refs := distinct(w.refs(items))
	return d.SetWound(w, WoundNote{Since: today, Refs: refs, Whole: held > 0 && len(refs) == held})
}

// Within yields every ref into the packs that pick chooses; an ID may come
// twice. Packs in flight are left out. A merge waits until it is over, and the
// consumer may call nothing of the index but Lookup.
func (x *Index) Within(pick Known) iter.Seq[chunk.Ref] {
	return func(yield func(chunk.Ref) bool) {
		x.mergeMu.Lock()
		defer x.mergeMu.Unlock()
		for i := range x.shards {
			for _, ref := range x.within(&x.shards[i], pick) {
				if !yield(ref) {
					return
				}
			}
		}
		for r := readSorted(x.table); ; {
			e, _, ok := r.read()
			if !ok {
				return
			}
			if ref := x.ref(&e); pick(ref.Series, ref.Number) && !yield(ref) {
				return
			}
		}
	}
}

// within returns the refs of one shard.
func (x *Index) within(s *shard, pick Known) (refs []chunk.Ref) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.list {
		e := &s.list[i]
		if ref := x.ref(e); pick(ref.Series, ref.Number) && (e.flags&claimed == 0 || x.stateOf(e.pack()) == 0) {
			refs = append(refs, ref)
		}
	}
	return refs
}
