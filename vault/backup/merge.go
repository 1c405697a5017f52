package backup

import (
	"coffer/files"
	"coffer/vault/state"
)

// merge goes through what the last run noted, in step with the walk.
type merge struct {
	next func(*state.Record) bool
	rec  state.Record
	have bool // rec is the next record
}

// seek returns the record of path, valid until the next call, or nil. removed
// counts the regular files it passed over: they are gone from the disk. Paths
// come in walk order.
func (m *merge) seek(path []byte) (rec *state.Record, removed int64) {
	for m.have || m.next(&m.rec) {
		m.have = true
		c := files.Compare(m.rec.Path, path)
		if c == 0 {
			m.have = false
			return &m.rec, removed
		}
		if c > 0 {
			return nil, removed
		}
		if m.rec.Stat.Type == files.Regular {
			removed++
		}
		m.have = false
	}
	return nil, removed
}

// rest counts the regular files after the last path.
func (m *merge) rest() (removed int64) {
	for m.have || m.next(&m.rec) {
		if m.rec.Stat.Type == files.Regular {
			removed++
		}
		m.have = false
	}
	return removed
}
