package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// live is what live commits need.
type live struct {
	v       *vault.Vault
	past    *vault.Past
	objects map[string]bool // bodies, maps, ledgers and rolls
	packs   map[packID]need
	movedOn map[string]bool // packs that a live move replaces: they need not be there

	repacks map[packID][]*vault.Said // what lets a pack go
	standIn map[string][]*vault.Said // what stands in for a ledger or roll, by its name
	pages   map[page]bool            // stretches of ledgers that were taken in
	kept    map[ledger.FolderID]bool // folders of packs whose roll cannot be read: all of them stay
	stands  map[string]bool          // ledgers that stand in for something
	over    map[*vault.Said]bool     // moves without a map, which wake for nothing less than a name
	spared  map[string]bool          // ledgers of those, and their maps, should they turn up after all
	maps    map[string]bool          // maps of moves, as they are listed; nil until asked for
	keepAll bool                     // a ledger that is needed cannot be read, or a move may be that has no map: nothing goes that it could name
	before  *ancestry
}

// folderSize is how many pack numbers a roll lists.
const folderSize = 1024

// packID is a pack's full name.
type packID struct {
	series chunk.Series
	number uint32
	sum    [32]byte
}

func idOf(p ledger.Pack) packID { return packID{p.Series, p.Number, p.Sum} }

func (p packID) name() string {
	return ledger.Pack{Series: p.series, Number: p.number, Sum: p.sum}.Name()
}

// need says who needs a pack, and whether it is there.
type need struct {
	size     int64
	live     bool // it must stay; else every ledger that names it was freed of it by a repack
	must     bool // a snapshot or move needs it, so it should be there
	progress bool // open progress needs it
	healing  bool // a move that healed a pack keeps chunks in it: which, only that move knows
	found    bool
}

// page is what a ledger says of one folder by its roll. The same pages stand in
// nearly all ledgers of a long history.
type page struct {
	roll string
	all  bool
	bits ledger.Bits

	must, progress, healing bool // as for need
}

// findLive computes what is live. What cannot be read stops the past.
func findLive(ctx context.Context, v *vault.Vault, past *vault.Past) (*live, error) {
	l := &live{
		v: v, past: past, objects: map[string]bool{}, packs: map[packID]need{}, movedOn: map[string]bool{},
		repacks: map[packID][]*vault.Said{}, standIn: map[string][]*vault.Said{}, stands: map[string]bool{}, pages: map[page]bool{}, kept: map[ledger.FolderID]bool{},
		over: map[*vault.Said]bool{}, spared: map[string]bool{}, before: newAncestry(past.Commits),
	}
	moves := l.findRepacks()
	if err := l.takeIn(ctx, l.roots()); err != nil {
		return nil, err
	}
	// A live move may itself need packs that others replace.
	for {
		if err := l.findOver(ctx, moves); err != nil {
			return nil, err
		}
		woken := l.wake(&moves)
		if len(woken) == 0 {
			return l, nil
		}
		if err := l.prove(ctx, woken); err != nil {
			return nil, err
		}
		if err := l.takeIn(ctx, woken); err != nil {
			return nil, err
		}
	}
}

// roots are the commits that are live by themselves.
func (l *live) roots() []*vault.Said {
	gone := l.v.GoneIn(l.past)
	ended := map[string]bool{}
	for _, c := range l.past.Commits {
		for _, base := range c.Ends {
			ended[string(c.Device)+"/"+base] = true
		}
	}
	var out []*vault.Said
	for _, c := range l.past.Commits {
		base := c.Name().Base()
		switch {
		case c.Kind == commit.Snapshot && !gone[base]:
			out = append(out, c)
		case c.Kind == commit.Progress && !ended[string(c.Device)+"/"+base] && l.past.Now.Sub(c.Stored) < l.v.Safety().ProgressLife:
			out = append(out, c)
		}
	}
	return out
}

// takeIn enters what commits need, each ledger once.
func (l *live) takeIn(ctx context.Context, commits []*vault.Said) error {
	byLedger := map[string][]*vault.Said{}
	var order []string
	for _, c := range commits {
		if c.Body != "" {
			l.objects[c.Body] = true
		}
		if byLedger[c.Ledger] == nil {
			order = append(order, c.Ledger)
		}
		byLedger[c.Ledger] = append(byLedger[c.Ledger], c)
	}
	for _, name := range order {
		l.objects[name] = true
		if err := l.ledger(ctx, name, byLedger[name]); err != nil {
			return err
		}
	}
	return nil
}

const unknownPacks = "the packs it names are not known, so they cannot be told from dead ones"

// ledger enters what a ledger names.
func (l *live) ledger(ctx context.Context, name string, by []*vault.Said) error {
	stood, err := l.standsIn(ctx, name, by)
	if err != nil {
		return err
	}
	led, err := l.v.PeekLedger(ctx, name)
	switch {
	case err != nil && stood && errors.Is(err, vault.ErrDamaged):
		// What stands in may lack packs that were away when it was made.
		l.keepAll = true
		return nil
	case errors.Is(err, vault.ErrDamaged):
		// Who dismisses it does not mean the packs: a restore finds them by
		// listing. They go when what needs the ledger is forgotten.
		l.keepAll = true
		return l.damage(name, err)
	case err != nil:
		return err
	}
	must := slices.ContainsFunc(by, func(c *vault.Said) bool { return c.Kind != commit.Progress })
	for i := range led.Folders {
		if err := l.folder(ctx, &led.Folders[i], by, must); err != nil {
			return err
		}
	}
	return nil
}

// standsIn enters what stands in for a ledger or roll, whether that can be read
// here or not, and tells if there is something that can.
func (l *live) standsIn(ctx context.Context, name string, by []*vault.Said) (stood bool, err error) {
	for _, m := range l.standIn[name] {
		if l.objects[m.Ledger] {
			stood = true // taken in before
			continue
		}
		l.objects[m.Ledger] = true
		before := len(l.past.Stops)
		if err := l.ledger(ctx, m.Ledger, by); err != nil {
			return stood, err
		}
		stood = stood || len(l.past.Stops) == before
	}
	return stood, nil
}

// folder enters what a ledger says of one folder of packs.
func (l *live) folder(ctx context.Context, f *ledger.Folder, by []*vault.Said, must bool) error {
	if f.Roll == "" {
		for _, p := range f.Packs {
			l.pack(p, by, must)
		}
		return nil
	}
	l.objects[f.Roll] = true
	key := page{f.Roll, f.All, f.Bits, must, slices.ContainsFunc(by, isProgress), slices.ContainsFunc(by, isHealing)}
	if l.pages[key] && len(l.repacks) == 0 {
		return nil
	}
	l.pages[key] = true
	stood, err := l.standsIn(ctx, f.Roll, by)
	if err != nil {
		return err
	}
	data, err := l.v.Peek(ctx, f.Roll, ledger.MaxRoll)
	if errors.Is(err, vault.ErrDamaged) {
		// What stands in for it may lack packs that were away when it was made,
		// and whoever dismissed it does not mean the packs.
		l.kept[f.ID()] = true
	}
	switch {
	case err != nil && stood && errors.Is(err, vault.ErrDamaged):
		return nil
	case err != nil:
		return l.damage(f.Roll, err)
	}
	one := ledger.Ledger{Folders: []ledger.Folder{*f}}
	for p, err := range one.Packs(func(string) ([]byte, error) { return data, nil }) {
		if err != nil {
			l.kept[f.ID()] = true
			return l.damage(f.Roll, fmt.Errorf("%w: %w", vault.ErrDamaged, err))
		}
		l.pack(p, by, must)
	}
	return nil
}

// damage makes a reason for deleting nothing of what is wrong with a list of
// packs; any other error it returns.
func (l *live) damage(object string, err error) error {
	if !errors.Is(err, vault.ErrDamaged) {
		return err
	}
	l.past.Stop(object, err, unknownPacks)
	return nil
}

// pack enters a pack that the ledger of some commits names. A repack frees
// those of it that it knew.
func (l *live) pack(p ledger.Pack, by []*vault.Said, must bool) {
	id := idOf(p)
	freed := len(l.repacks[id]) > 0
	for _, c := range by {
		freed = freed && slices.ContainsFunc(l.repacks[id], func(m *vault.Said) bool { return l.frees(m, c) })
	}
	n := l.packs[id]
	n.size = p.Size
	n.live = n.live || !freed
	n.must = n.must || must && !freed
	n.progress = n.progress || slices.ContainsFunc(by, isProgress)
	n.healing = n.healing || slices.ContainsFunc(by, isHealing)
	l.packs[id] = n
}

func isProgress(c *vault.Said) bool { return c.Kind == commit.Progress }

func isHealing(c *vault.Said) bool { return c.Kind == commit.Move && !c.Repack }

// frees tells whether a repack moved all that a commit needs of its old packs:
// its device had that commit before it, or has taken over the place of the one
// that made it.
func (l *live) frees(m, c *vault.Said) bool {
	if c.Device != m.Device {
		return slices.Contains(l.v.Trust().Lineage(m.Device), c.Device)
	}
	return l.before.is(c, m)
}

// has tells whether an object is live.
func (l *live) has(k Kind, name string) bool {
	if k != Packs {
		return l.objects[name] || l.keepAll && (k == Rolls || l.stands[name] || l.spared[name])
	}
	p, err := ledger.ParsePackName(name)
	return err == nil && (l.keepAll || l.packs[idOf(p)].live || l.isKept(p))
}

// isKept tells whether a pack is in a folder of which nothing goes.
func (l *live) isKept(p ledger.Pack) bool {
	return l.kept[ledger.FolderID{Series: p.Series, Folder: p.Number / folderSize}]
}

// seen notes that a pack is there with its size.
func (l *live) seen(name string, size int64) {
	p, err := ledger.ParsePackName(name)
	if n, ok := l.packs[idOf(p)]; err == nil && ok {
		n.found = n.size == size
		l.packs[idOf(p)] = n
	}
}

// lacking stops the past for what live commits need and the remote does not
// have. listed are the objects that are no packs.
func (l *live) lacking(listed map[string]bool) {
	var missing []string
	for name := range l.objects {
		if !listed[name] && len(l.standIn[name]) == 0 {
			missing = append(missing, name)
		}
	}
	for id, n := range l.packs {
		if name := id.name(); n.must && !n.found && !l.movedOn[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	for _, name := range missing {
		l.past.Stop(name, fmt.Errorf("%w: missing, or not of its size", vault.ErrDamaged), "a snapshot that needs it")
	}
}
