package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"coffer/chunk"
	"coffer/vault/ledger"
	"coffer/vault/state"
)

// What was found by reading packs is remembered on this device, for packs of
// all devices: when each was last read in full and found good, and which were
// bad or missing. The next run relies on none of the latter, and stores anew
// what is still on the disk.

// A PackRead is what was found of a pack.
type PackRead struct {
	Pack ledger.Pack
	At   time.Time // by the remote's clock
	Err  error     // nil: all its bytes were read and are those of its name
}

// Reads answers what is remembered of packs. It is for one goroutine.
type Reads struct {
	v      *Vault
	tables map[chunk.Series]*state.PackTable
	late   map[string]noted // not in the tables yet
}

// Reads opens what this device remembers. Without local state that is nothing.
// Close it after use.
func (v *Vault) Reads() (*Reads, error) {
	b := &Reads{v: v, tables: map[chunk.Series]*state.PackTable{}, late: map[string]noted{}}
	if v.dir == nil {
		return b, nil
	}
	for _, n := range v.loadLate().Packs {
		b.late[n.Name] = n
	}
	return b, nil
}

// Get tells when a pack was last read in full and found good, zero if never,
// and whether it was found bad since.
func (b *Reads) Get(p ledger.Pack) (read time.Time, bad bool) {
	if n, ok := b.late[p.Name()]; ok {
		return unixTime(n.Read), n.Bad
	}
	info, ok := b.table(p.Series).Get(p.Number)
	if !ok || info.Sum != p.Sum {
		return time.Time{}, false
	}
	return unixTime(info.Read), info.Flags&state.PackBad != 0
}

// A packGetter is a table, or none.
type packGetter interface {
	Get(number uint32) (state.Pack, bool)
}

type noTable struct{}

func (noTable) Get(uint32) (state.Pack, bool) { return state.Pack{}, false }

// table opens the table of a series. One that cannot be opened knows nothing:
// then its packs are read again.
func (b *Reads) table(s chunk.Series) packGetter {
	if t := b.tables[s]; t != nil {
		return t
	}
	if b.v.dir == nil {
		return noTable{}
	}
	t, err := b.v.dir.Packs(s)
	if err != nil {
		return noTable{}
	}
	b.tables[s] = t
	return t
}

// Close gives it up.
func (b *Reads) Close() error {
	var err error
	for _, t := range b.tables {
		err = errors.Join(err, t.Close())
	}
	return err
}

func unixTime(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

// noted is a PackRead in its file. The tables are for who holds the local lock;
// while a backup does, what is found waits in a file of its own.
type noted struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`
	Read    int64  `json:"read,omitempty"` // Unix seconds; 0: not found good
	Bad     bool   `json:"bad,omitempty"`
	Missing bool   `json:"missing,omitempty"`
}

type lateReads struct {
	Packs []noted `json:"packs"`
}

const (
	lateFile = "reads.json"
	maxLate  = 50_000 // fits into a small file
)

func (v *Vault) loadLate() *lateReads {
	l, err := state.ReadSmall[lateReads](v.dir, lateFile)
	if err != nil {
		return &lateReads{} // then those packs are read again
	}
	return l
}

// NoteReads remembers what was found of packs. It may be called while a backup
// is at work, which goes on as it began.
func (v *Vault) NoteReads(reads []PackRead) error {
	if v.dir == nil || len(reads) == 0 {
		return nil
	}
	list := make([]noted, len(reads))
	for i, r := range reads {
		list[i] = noted{Name: r.Pack.Name(), Size: r.Pack.Size, Read: r.At.Unix()}
		if r.Err != nil {
			list[i].Missing = errors.Is(r.Err, fs.ErrNotExist)
			list[i].Read, list[i].Bad = 0, !list[i].Missing
		}
	}
	lock, err := v.dir.TryLockRun("verify")
	if errors.Is(err, state.ErrLocked) {
		return v.noteLate(list)
	}
	if err != nil {
		return fmt.Errorf("note what was read: %w", err)
	}
	return errors.Join(v.applyLate(), v.applyReads(list), lock.Unlock())
}

func (v *Vault) noteLate(list []noted) error {
	l := v.loadLate()
	l.Packs = append(l.Packs, list...)
	if over := len(l.Packs) - maxLate; over > 0 {
		l.Packs = slices.DeleteFunc(l.Packs, func(n noted) bool {
			over--
			return over >= 0 && n.Read != 0 // it is read once more; what is bad stays
		})
	}
	return v.dir.WriteSmall(lateFile, l)
}

// applyLate enters what waited for the lock, which the caller holds.
func (v *Vault) applyLate() error {
	l := v.loadLate()
	if len(l.Packs) == 0 {
		return nil
	}
	if err := v.applyReads(l.Packs); err != nil {
		return err
	}
	return v.dir.WriteSmall(lateFile, &lateReads{})
}

// applyReads enters what was read into the tables. The caller holds the lock.
func (v *Vault) applyReads(list []noted) (err error) {
	tables := map[chunk.Series]*state.PackTable{}
	defer func() {
		for _, t := range tables {
			err = errors.Join(err, t.Sync(), t.Close())
		}
	}()
	for _, n := range list {
		p, err := ledger.ParsePackName(n.Name)
		if err != nil {
			continue // a file of ours that is not as we wrote it
		}
		p.Size = n.Size
		t := tables[p.Series]
		if t == nil {
			if t, err = v.dir.Packs(p.Series); err != nil {
				return err
			}
			tables[p.Series] = t
		}
		if err := t.Update(p.Number, func(info *state.Pack) { n.apply(info, p) }); err != nil {
			return err
		}
	}
	return nil
}

// apply changes what is known of a pack. Where its number is another pack's,
// nothing is remembered of it.
func (n noted) apply(info *state.Pack, p ledger.Pack) {
	if info.Sum == ([32]byte{}) {
		info.Sum, info.Size = p.Sum, p.Size
	}
	switch {
	case info.Sum != p.Sum:
	case n.Bad:
		info.Flags |= state.PackBad
	case n.Missing:
		info.Flags |= state.PackMissing
	case n.Read > 0:
		info.Read = n.Read
		info.Flags &^= state.PackBad | state.PackMissing
	}
}
