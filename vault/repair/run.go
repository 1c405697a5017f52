package repair

import (
	"context"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// Done tells what a repair did.
type Done struct {
	PutBack  int // objects
	Written  int // ledgers and rolls that something stands in for now
	Moved    int // chunks of bad packs that older snapshots find elsewhere now
	Rebuilt  bool
	Chunks   int // known again on this device
	Catalog  int // snapshots whose labels and folders are known again on this device
	Warnings []error
}

// Run does what the plan says. If it fails in between, what was done stays,
// and a new plan has the rest.
func (p *Plan) Run(ctx context.Context) (done Done, err error) {
	warn := func(err error) { done.Warnings = append(done.Warnings, err) }
	for _, s := range p.Steps {
		if s.Kind != PutBack {
			continue
		}
		if err := p.v.PutBack(ctx, s.Object); err != nil {
			return done, err
		}
		done.PutBack++
	}
	if err := p.standIns(ctx, &done, warn); err != nil {
		return done, err
	}
	if err := p.move(ctx, &done, warn); err != nil {
		return done, err
	}
	if !p.rebuilds() {
		return done, nil
	}
	got, err := p.v.RebuildState(ctx, warn)
	done.Rebuilt, done.Chunks, done.Catalog = err == nil, got.Chunks, got.Snapshots
	return done, err
}

func (p *Plan) rebuilds() bool {
	for _, s := range p.Steps {
		if s.Kind == State {
			return true
		}
	}
	return false
}

// standIns commits the lists that stand in for others: each ledger has one of
// its own, since what one names need not be what another does.
func (p *Plan) standIns(ctx context.Context, done *Done, warn func(error)) error {
	for _, s := range p.Steps {
		if s.Kind != StandIn {
			continue
		}
		if err := p.v.Replace(ctx, []string{s.Object}, p.packs[s.Object], warn); err != nil {
			return err
		}
		done.Written++
	}
	return nil
}

// maxMoved bounds the chunks of one move.
const maxMoved = 1 << 17

// move commits where chunks of bad packs are as well.
func (p *Plan) move(ctx context.Context, done *Done, warn func(error)) error {
	m := mover{v: p.v, done: done, warn: warn}
	m.begin()
	for _, f := range p.found {
		if m.full(f) {
			if err := m.commit(ctx); err != nil {
				return err
			}
		}
		m.add(f)
	}
	return m.commit(ctx)
}

// A mover gathers one move after another.
type mover struct {
	v    *vault.Vault
	done *Done
	warn func(error)

	next vault.NewMove
	old  map[string]bool
	at   map[key]ledger.Pack
}

type key struct {
	series chunk.Series
	number uint32
}

func (m *mover) begin() {
	m.next, m.old, m.at = vault.NewMove{}, map[string]bool{}, map[key]ledger.Pack{}
}

// full tells whether a chunk needs a move of its own: because of the bounds, or
// since its pack has the number of another one, and a list cannot name both.
func (m *mover) full(f elsewhere) bool {
	fresh := 0
	for _, name := range f.old {
		if !m.old[name] {
			fresh++
		}
	}
	twin, ok := m.at[key{f.ref.Series, f.ref.Number}]
	return len(m.next.Refs) == maxMoved || len(m.old)+fresh > commit.MaxList || ok && twin != f.pack
}

func (m *mover) add(f elsewhere) {
	k := key{f.ref.Series, f.ref.Number}
	if _, ok := m.at[k]; !ok {
		m.at[k] = f.pack
		m.next.Packs = append(m.next.Packs, f.pack)
	}
	for _, name := range f.old {
		if !m.old[name] {
			m.old[name] = true
			m.next.Old = append(m.next.Old, name)
		}
	}
	m.next.Refs = append(m.next.Refs, f.ref)
}

func (m *mover) commit(ctx context.Context) error {
	if len(m.next.Refs) == 0 {
		return nil
	}
	if err := m.v.CommitMove(ctx, m.next, m.warn); err != nil {
		return err
	}
	m.done.Moved += len(m.next.Refs)
	m.begin()
	return nil
}
