package vault

import (
	"context"
	"fmt"
	"sync"

	"coffer/chunk"
	"coffer/vault/ledger"
)

// Sources opens one snapshot after another for reading. What was found out for
// one of them, of rolls, of moves and of packs that no list names, the next ones
// know. All methods are safe for concurrent use; the moves given are loaded here
// alone while one of them is at work.
type Sources struct {
	v *Vault

	mu     sync.Mutex
	moves  *moveTable                        // guarded by mu, as what it loads is; nil until it was read
	listed map[ledger.FolderID][]ledger.Pack // guarded by mu: packs as the remote lists them, where a ledger or roll is lost
	rolls  map[string]readRoll               // guarded by mu
}

// readRoll is a roll that was read, or what stands in for it.
type readRoll struct {
	packs  []ledger.Pack // nil if it is lost
	stands bool          // they are those of what stands in
}

// Sources returns a new one that goes by moves: all that count, see Moves. nil:
// it reads them once a pack is bad.
func (v *Vault) Sources(moves []*Move) *Sources {
	o := &Sources{v: v, listed: map[ledger.FolderID][]ledger.Pack{}, rolls: map[string]readRoll{}}
	if moves != nil {
		o.moves = tableOf(moves)
	}
	return o
}

// Open is Vault.Source.
func (o *Sources) Open(ctx context.Context, s *Snapshot) (*Source, error) {
	v := o.v
	if !v.HasIdentity() {
		return nil, ErrNoIdentity
	}
	if err := v.loadSnapshot(ctx, s); err != nil {
		return nil, err
	}
	src := o.source()
	var err error
	if src.ledger, src.stood, err = src.ledgerOf(ctx, s.Commit.Ledger); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", s.Short(), err)
	}
	body, err := v.body(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", s.Short(), err)
	}
	src.snap, src.body = s, body
	return src, nil
}

func (o *Sources) source() *Source {
	src := &Source{v: o.v, all: o}
	src.packs.New = func() any { return new(packBuffer) }
	src.small.New = src.packs.New
	return src
}

// table reads the table of moves, once.
func (o *Sources) table(ctx context.Context) (*moveTable, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.moves == nil {
		t, err := o.v.moveTable(ctx)
		if err != nil {
			return nil, err
		}
		o.moves = t
	}
	return o.moves, nil
}

// load loads a move. False: it is damaged.
func (o *Sources) load(ctx context.Context, m *Move) (good bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.tries > 1 {
		return false, nil
	}
	err = o.v.LoadMove(ctx, m)
	if isDamage(err) && m.ledger == nil {
		o.v.notice(m.Commit.Ledger, err, "nothing that is read: the packs it named are found by their listing; coffer repair writes it anew, and until then no prune deletes anything")
		err = o.v.LoadListed(ctx, m)
	}
	if isDamage(err) {
		o.v.notice(m.Name.String(), err, "the chunks it moved, where no other move has them")
		m.tries++
		return false, nil
	}
	return err == nil, err
}

// roll fetches a roll, once, and tells whether it is but what stands in for it.
func (o *Sources) roll(ctx context.Context, name string) (packs []ledger.Pack, stands bool, err error) {
	o.mu.Lock()
	r, ok := o.rolls[name]
	o.mu.Unlock()
	switch {
	case ok && r.packs == nil:
		return nil, r.stands, damaged("%s: lost", name)
	case ok:
		return r.packs, r.stands, nil
	}
	packs, err = o.v.cachedRoll(ctx, name)
	stands = isDamage(err)
	if stands {
		packs, err = o.standInRoll(ctx, name, err)
	}
	if err != nil && !isDamage(err) {
		return nil, false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rolls[name] = readRoll{packs, stands}
	return packs, stands, err
}

// listedPack finds a pack by its number in the remote's listing.
func (o *Sources) listedPack(ctx context.Context, series chunk.Series, number uint32) (ledger.Pack, error) {
	none := ledger.Pack{Series: series, Number: number}
	packs, err := o.folder(ctx, ledger.FolderID{Series: series, Folder: ledger.FolderOf(number)})
	if err != nil {
		return none, err
	}
	found := none
	for _, p := range packs {
		switch {
		case p.Number != number:
		case found.Size > 0:
			return none, damaged("pack %s/%010d: two packs bear that number, and the list is lost that says which", series, number)
		default:
			found = p
		}
	}
	if found.Size == 0 {
		return none, damaged("pack %s/%010d: missing, and the list is lost that names it", series, number)
	}
	return found, nil
}

// folder lists a folder of packs, once.
func (o *Sources) folder(ctx context.Context, id ledger.FolderID) ([]ledger.Pack, error) {
	o.mu.Lock()
	packs, ok := o.listed[id]
	o.mu.Unlock()
	if ok {
		return packs, nil
	}
	packs, err := o.v.listFolder(ctx, id)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listed[id] = packs
	return packs, nil
}
