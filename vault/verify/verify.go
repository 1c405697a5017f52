package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/trust"
)

// Options say how much is looked at.
type Options struct {
	// ReadData is the part of the packs' bytes, from 0 to 1, that is fetched and
	// hashed: packs that were never read first, then those read longest ago.
	// Without local state nobody remembers, and chance decides. 1/30 a day reads
	// every byte every month.
	ReadData float64
	// MaxAge leaves out packs that were read in full and found good since; 0
	// leaves out none.
	MaxAge time.Duration
	// MaxDuration ends the reading in order after that long; 0 means never. The
	// next time goes on from there.
	MaxDuration time.Duration
	// Deep opens everything; it needs the identity, and implies reading all,
	// whatever MaxAge and MaxDuration say.
	Deep bool
	// Record commits how it ended, if this device may write.
	Record bool
	// Parallel is how many packs are fetched at a time; 0 means 3.
	Parallel int

	Progress  *Progress
	OnProblem func(Problem) // calls do not overlap
	// OnReplaced is told of each Replacement, of those in Result.Doubts too; its
	// calls do not overlap with those of OnProblem.
	OnReplaced func(Replacement)
}

// reads tells whether packs are fetched.
func (o *Options) reads() bool { return o.Deep || o.ReadData > 0 }

// all tells whether everything is read.
func (o *Options) all() bool { return o.Deep || o.ReadData >= 1 }

// Progress is a run's counters. All may be read at any time.
type Progress struct {
	Packs, TotalPacks atomic.Int64 // to be read
	Bytes, TotalBytes atomic.Int64
	Stage             atomic.Pointer[string]
}

// A Problem is an object that is missing or wrong, and what that harms.
type Problem struct {
	Object    string // full name
	Err       error
	Harms     string   // in the user's words
	Snapshots []string // short IDs of those it harms, the first twenty
	Files     []string // paths it harms, the first twenty; Deep only
	FileCount int64
}

// A Replacement is a pack that is missing or wrong, and of which a move says
// where its chunks are now; or a ledger or roll, for which another one stands in.
type Replacement struct {
	Object    string // full name
	Err       error
	Moves     []string // base names of the moves' commits
	Snapshots []string // short IDs of those that need it, the first twenty
	// Sure: all that snapshots need of it is elsewhere, and is known to be. Else
	// only Deep can tell: without the identity neither maps nor manifests can be
	// read.
	Sure bool
	// Proven: Deep has found every chunk of it that a snapshot needs elsewhere,
	// or every pack named that one needs.
	Proven bool
	// Before is when Deep had proven it on this device, where that is how it is
	// known.
	Before time.Time
	// Note is what else is known of it, or "".
	Note string
}

// Result tells what was looked at and found.
type Result struct {
	Snapshots     int
	Packs         int64 // that snapshots need
	Bytes         int64 // of them
	ReadPacks     int64
	ReadBytes     int64
	Chunks        int64 // hashed again; Deep only
	Entries       int64 // of manifests walked; Deep only
	Unneeded      int64 // packs that no snapshot needs: of runs at work or interrupted, or to be pruned
	UnneededBytes int64
	Problems      []Problem
	Repacked      int64         // packs that a repack has let go and that are gone
	Replaced      []Replacement // bad packs and lists that harm nothing
	Doubts        []Replacement // bad packs and lists that are replaced in part at least: whether wholly only Deep can tell
	Deep          bool
	Stopped       bool     // by MaxDuration, before all was read that was due
	Coverage      Coverage // over all runs, as far as this device remembers
	NotRecorded   error    // why Record did not commit; nil if it did or was not asked for
	Duration      time.Duration
}

// Coverage tells how much of the packs was read in full and found good, ever
// and how lately.
type Coverage struct {
	Never      int64     `json:"never"` // packs that were not
	NeverBytes int64     `json:"neverBytes"`
	Oldest     time.Time `json:"oldest,omitzero"` // of all others, when the one was read that waits longest
}

// Run verifies the vault. The error is why it could not be done to the end;
// what is wrong with the vault is in the Result. ErrNoIdentity if Deep is
// asked for and the identity was not lent.
func Run(ctx context.Context, v *vault.Vault, o Options) (Result, error) {
	if o.Deep && !v.HasIdentity() {
		return Result{}, vault.ErrNoIdentity
	}
	if o.Parallel == 0 {
		o.Parallel = 3
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	// Who reads all reads the lists too, of which this device has copies: it can
	// put them back only if it is told that the remote's are bad.
	if o.all() {
		v.ReadThrough(true)
		defer v.ReadThrough(false)
	}
	began := time.Now()
	now, err := v.Store().Now(ctx)
	if err != nil {
		return Result{}, err
	}
	reads, err := v.Reads()
	if err != nil {
		return Result{}, err
	}
	c := &check{v: v, o: &o, began: began, now: now, reads: reads, needed: map[packID]*need{}, first: map[numbered]*need{}, pages: map[page]*content{}, stands: map[string]*stand{}, spare: map[numbered][]ledger.Pack{}, replaced: map[*need]bool{}, proven: loadProofs(v), listed: map[string]int64{}, told: map[string]bool{}}
	c.res.Deep = o.Deep
	err = errors.Join(c.run(ctx), reads.Close(), c.flush())
	c.takeOver()
	c.res.Duration = time.Since(began)
	if err != nil {
		return c.res, err
	}
	return c.res, c.conclude(ctx)
}

// check is one verification at work.
type check struct {
	v        *vault.Vault
	o        *Options
	began    time.Time    // by the local clock
	now      time.Time    // by the remote's clock, when it began
	reads    *vault.Reads // what former runs found
	snaps    []*vault.Snapshot
	books    []*book            // distinct ledgers, with the snapshots that name them
	needed   map[packID]*need   // all packs that any ledger names
	first    map[numbered]*need // the first of them with that number
	pages    map[page]*content
	commits  []commit.Name    // of this vault\'s devices, as they are listed
	listed   map[string]int64 // sizes of bodies found by listing
	harmed   map[*need]*harm
	moved    map[string][]*moved        // moves that count, by the full name of a pack they replace
	replaced map[*need]bool             // see isReplaced
	gaps     bool                       // some manifest could not be walked
	unnamed  bool                       // some ledger does not name a pack that its manifest needs
	all      []*vault.Move              // all moves; nil until they were read
	rest     []*vault.Move              // those that are not in moved; nil in the place of others
	stands   map[string]*stand          // what stands in for ledgers and rolls, by their names; nil: nothing does
	spare    map[numbered][]ledger.Pack // what is listed under the numbers that some stand lacks
	old      *vault.OldPacks            // the packs that moves replace; nil until asked for
	proven   *proofs                    // what was proven before

	mu    sync.Mutex
	res   Result           // guarded by mu
	told  map[string]bool  // guarded by mu: objects of which there is a problem
	taken int              // guarded by mu: problems of the vault taken over so far
	found []vault.PackRead // guarded by mu: not noted in the state yet
}

// packID is a pack's full name.
type packID struct {
	series [8]byte
	number uint32
	sum    [32]byte
}

func idOf(p ledger.Pack) packID { return packID{p.Series, p.Number, p.Sum} }

// need is a pack that must be there.
type need struct {
	pack  ledger.Pack
	bad   error     // why it cannot be used; nil while nothing is wrong
	read  time.Time // when it was last read and found good; zero if never
	found bool      // listed
	marks []uint64  // Deep: a mark for each chunk it holds, sorted
}

// book is a ledger and who needs it.
type book struct {
	name    string
	lost    bool              // the ledger is, and nothing stands in for it
	snaps   []*vault.Snapshot // none, if it is of a move
	of      *commit.Commit    // the move, if it is of one
	instead []*need           // of a move: the packs that it replaces
	set     ledger.Set
	other   map[numbered]*need // where this ledger means another pack by a number than the first ledger did
}

type numbered struct {
	series [8]byte
	number uint32
}

// page is what a ledger says of one folder by its roll. The same pages stand
// in nearly all ledgers of a long history, and each is looked at once.
type page struct {
	roll string
	all  bool
	bits ledger.Bits
}

// content is what a page needs; nil if that cannot be known.
type content struct {
	needs []*need
	set   ledger.Set
	plain bool // by each number the first ledger meant the same pack
}

func (c *check) run(ctx context.Context) error {
	steps := []struct {
		stage string
		do    func(context.Context) error
	}{
		{"checking signatures and chains", c.history},
		{"looking for strangers", c.strangers},
		{"reading ledgers", c.ledgers},
		{"reading moves", c.moves},
		{"listing packs", c.listPacks},
		{"listing snapshots", c.listBodies},
		{"reading packs", c.readPacks},
		{"walking manifests", c.walkManifests},
	}
	for _, s := range steps {
		c.o.Progress.Stage.Store(&s.stage)
		if err := s.do(ctx); err != nil {
			return err
		}
		c.takeOver()
	}
	return c.tellBadPacks(ctx)
}

// history reads all snapshots' commits, and looks for the newest commits this
// device has seen.
func (c *check) history(ctx context.Context) error {
	going, err := c.going(ctx)
	if err != nil {
		return err
	}
	gone, err := c.v.Gone(ctx, c.now, nil)
	if err != nil && !errors.Is(err, vault.ErrDamaged) { // else all of them count
		return err
	}
	for s, err := range c.v.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if !gone[s.Name.String()] && (!s.Forgotten || !going[s.Commit.Ledger] && !going[s.Commit.Body]) {
			c.snaps = append(c.snaps, s)
		}
	}
	c.res.Snapshots = len(c.snaps)
	if err := c.trust(ctx); err != nil {
		return err
	}
	return c.v.CheckSeen(ctx)
}

// strangers tells of commits of devices that are none of this vault: nobody
// else reads them. It takes the names of all others down.
func (c *check) strangers(ctx context.Context) error {
	told := map[string]bool{}
	for info, err := range c.v.Store().List(ctx, "commits/", "") {
		if err != nil {
			return fmt.Errorf("list commits: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(info.Name, "commits/"), "/")
		if _, ok := c.v.Trust().Device(trust.DeviceID(id)); ok {
			if n, err := commit.ParseName(info.Name); err == nil {
				c.commits = append(c.commits, n)
			}
			continue
		}
		if told[id] || c.told[info.Name] {
			continue
		}
		told[id] = true
		c.tell(Problem{Object: info.Name, Err: fmt.Errorf("%.40q is no device of this vault", id), Harms: "nothing: what it says is left out"})
	}
	return nil
}

// trust reads the trust that this device goes by from the remote: it has a copy
// of its own, and a new machine has none.
func (c *check) trust(ctx context.Context) error {
	if !c.o.all() {
		return nil
	}
	name := c.v.TrustName()
	_, err := c.v.FetchNamed(ctx, name, maxTrust)
	if err == nil || vault.IsRemote(err) {
		return err
	}
	c.tell(Problem{Object: name, Err: err, Harms: "a restore on another machine: it would go by an older trust, or find none"})
	return nil
}

// maxTrust bounds a trust, in bytes.
const maxTrust = 1 << 20

// going names what prunes have condemned: of a forgotten snapshot it may be
// gone already, and nothing is wrong with that.
func (c *check) going(ctx context.Context) (map[string]bool, error) {
	lost, err := c.v.LostLists(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range lost {
		c.tell(Problem{Object: name, Err: errMissing, Harms: "a backup that is under way might rely on what a prune has deleted; this device has a copy, and puts it back:  coffer repair"})
	}
	lists, err := c.v.CondemnedLists(ctx)
	if errors.Is(err, vault.ErrDamaged) {
		c.tell(Problem{Object: "condemned/", Err: err, Harms: "no backup of a device that has no copy of it, and no prune; remove what is there under that name, when neither a prune is under way nor a backup that began before; then, on a device that has a copy, coffer repair puts it back"})
		return nil, nil
	}
	out := map[string]bool{}
	for _, l := range lists {
		for _, name := range l.Objects {
			out[name] = true
		}
	}
	return out, err
}

// takeOver turns what the vault noticed into problems.
func (c *check) takeOver() {
	all := c.v.Problems()
	for _, p := range all[c.taken:] {
		c.tell(Problem{Object: p.Object, Err: p.Err, Harms: p.Harms})
	}
	c.taken = len(all)
}

func (c *check) tell(p Problem) {
	p.Err = c.sayWhose(p.Err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[p.Object] = true
	c.res.Problems = append(c.res.Problems, p)
	if c.o.OnProblem != nil {
		c.o.OnProblem(p)
	}
}

// sayWhose adds whose bytes are in the place of others: of two objects that were
// swapped, or of an older one that was put in the place of a newer.
func (c *check) sayWhose(err error) error {
	wrong, ok := errors.AsType[*vault.WrongBytesError](err)
	if !ok {
		return err
	}
	for _, name := range c.names() {
		if strings.HasSuffix(name, wrong.Hash) {
			return fmt.Errorf("%w: they are those of %s", err, name)
		}
	}
	return err
}

// names are all that is known of objects.
func (c *check) names() (names []string) {
	for id := range c.needed {
		names = append(names, ledger.Pack{Series: id.series, Number: id.number, Sum: id.sum}.Name())
	}
	for _, s := range c.snaps {
		names = append(names, s.Name.String(), s.Commit.Body, s.Commit.Ledger)
	}
	return names
}

// ledgers reads each distinct ledger and gathers what is needed.
func (c *check) ledgers(ctx context.Context) error {
	byName := map[string]*book{}
	for _, s := range c.snaps {
		b := byName[s.Commit.Ledger]
		if b == nil {
			b = &book{name: s.Commit.Ledger}
			byName[s.Commit.Ledger] = b
			c.books = append(c.books, b)
		}
		b.snaps = append(b.snaps, s)
	}
	return c.takeLedgers(ctx, c.books)
}

// ledgersAtOnce is how many ledgers are fetched at a time, and held in memory.
const ledgersAtOnce = 8

// takeLedgers fetches several ledgers at a time, and takes them in one after
// another.
func (c *check) takeLedgers(ctx context.Context, books []*book) error {
	for part := range slices.Chunk(books, ledgersAtOnce) {
		ledgers, errs := make([]*ledger.Ledger, len(part)), make([]error, len(part))
		var work sync.WaitGroup
		for i, b := range part {
			work.Go(func() { ledgers[i], errs[i] = c.v.Ledger(ctx, b.name) })
		}
		work.Wait()
		for i, b := range part {
			if err := c.ledger(ctx, b, ledgers[i], errs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ledger takes in what was fetched of a ledger.
func (c *check) ledger(ctx context.Context, b *book, l *ledger.Ledger, err error) error {
	if err != nil {
		st, e := c.standIn(ctx, b.name, err, b)
		if e != nil {
			return e
		}
		if st == nil {
			b.lost = true
			return c.damage(err, b.name, b, harmsOfList)
		}
		for _, p := range st.packs {
			c.needs(b, c.need(p))
		}
		c.needProven(st, b)
		return nil
	}
	return c.folders(ctx, b, l)
}

// folders takes in what a ledger says.
func (c *check) folders(ctx context.Context, b *book, l *ledger.Ledger) error {
	for i := range l.Folders {
		if err := c.folder(ctx, b, &l.Folders[i]); err != nil {
			return err
		}
	}
	return nil
}

// folder takes in what a ledger says of one folder of packs.
func (c *check) folder(ctx context.Context, b *book, f *ledger.Folder) error {
	if f.Roll == "" {
		for _, p := range f.Packs {
			c.needs(b, c.need(p))
		}
		return nil
	}
	key := page{f.Roll, f.All, f.Bits}
	p, ok := c.pages[key]
	if !ok {
		needs, err := c.page(ctx, f, b)
		if err != nil {
			err = c.damage(err, f.Roll, b, harmsOfList)
		}
		if err != nil {
			return err
		}
		p = c.content(needs)
		c.pages[key] = p
	}
	switch {
	case p == nil:
		b.lost = true
	case p.plain:
		b.set.Union(&p.set)
	default:
		for _, n := range p.needs {
			c.needs(b, n)
		}
	}
	if st := c.stands[f.Roll]; st != nil {
		st.standFor(b)
		c.needProven(st, b)
	}
	return nil
}

// content sums up what a page needs, once for all ledgers that have the page.
func (c *check) content(needs []*need) *content {
	if needs == nil {
		return nil
	}
	p := &content{needs: needs, plain: true}
	for _, n := range needs {
		p.set.Add(n.pack.Series, n.pack.Number)
		k := numbered{n.pack.Series, n.pack.Number}
		if c.first[k] == nil {
			c.first[k] = n
		}
		p.plain = p.plain && c.first[k] == n
	}
	return p
}

// page reads the roll of a folder and picks what the ledger needs of it.
func (c *check) page(ctx context.Context, f *ledger.Folder, b *book) ([]*need, error) {
	data, err := c.v.FetchNamed(ctx, f.Roll, ledger.MaxRoll)
	if err != nil {
		st, e := c.standIn(ctx, f.Roll, err, b)
		if e != nil || st == nil {
			return nil, errors.Join(e, err)
		}
		return c.pageOf(f, st), nil
	}
	one := ledger.Ledger{Folders: []ledger.Folder{*f}}
	var needs []*need
	for p, err := range one.Packs(func(string) ([]byte, error) { return data, nil }) {
		if err != nil {
			return nil, err
		}
		needs = append(needs, c.need(p))
	}
	return needs, nil
}

// need returns the one need of a pack.
func (c *check) need(p ledger.Pack) *need {
	n := c.needed[idOf(p)]
	if n == nil {
		n = &need{pack: p}
		c.needed[idOf(p)] = n
	}
	return n
}

// needs enters a pack into a book.
func (c *check) needs(b *book, n *need) {
	k := numbered{n.pack.Series, n.pack.Number}
	b.set.Add(n.pack.Series, n.pack.Number)
	switch c.first[k] {
	case nil:
		c.first[k] = n
	case n:
	default:
		if b.other == nil {
			b.other = map[numbered]*need{}
		}
		b.other[k] = n
	}
}

// find returns the pack that a book means by a number, or nil.
func (c *check) find(b *book, k numbered) *need {
	if !b.set.Has(k.series, k.number) {
		return nil
	}
	if n := b.other[k]; n != nil {
		return n
	}
	return c.first[k]
}

// damage tells a problem if err is one of the vault; else it returns err.
func (c *check) damage(err error, object string, b *book, harms string) error {
	if !errors.Is(err, vault.ErrDamaged) && !isRoll(err) {
		return err
	}
	c.tell(Problem{Object: object, Err: err, Harms: harms, Snapshots: shorts(c.snapsOf(b))})
	return nil
}

func isRoll(err error) bool {
	re := (*ledger.RollError)(nil)
	return errors.As(err, &re) && !vault.IsRemote(err)
}

// firstNames bounds the lists of names in a Problem.
const firstNames = 20

func shorts(snaps []*vault.Snapshot) []string {
	var out []string
	for _, s := range snaps[max(0, len(snaps)-firstNames):] {
		out = append(out, s.Short())
	}
	return out
}

// listPacks looks for every needed pack in a listing, and for those that only a
// list that is lost had named.
func (c *check) listPacks(ctx context.Context) error {
	if err := c.walkStands(ctx); err != nil {
		return err
	}
	if err := c.listing(ctx); err != nil {
		return err
	}
	for c.needSpare() {
		needed, lacked := len(c.needed), len(c.spare)
		if err := c.moves(ctx); err != nil {
			return err
		}
		if len(c.needed) == needed && len(c.spare) == lacked {
			break
		}
		if err := c.listing(ctx); err != nil { // for what these moves name
			return err
		}
	}
	for _, n := range c.needed {
		var bad bool
		n.read, bad = c.reads.Get(n.pack)
		switch {
		case !n.found:
			n.bad = errMissing
		case n.bad == nil && bad:
			n.bad = fmt.Errorf("%w: its bytes were wrong when it was last read", vault.ErrDamaged)
		}
	}
	return nil
}

// listing lists all packs.
func (c *check) listing(ctx context.Context) error {
	c.res.Unneeded, c.res.UnneededBytes = 0, 0
	for k := range c.spare {
		c.spare[k] = nil
	}
	for info, err := range c.v.Store().List(ctx, "packs/", "") {
		if err != nil {
			return fmt.Errorf("list packs: %w", err)
		}
		p, err := ledger.ParsePackName(info.Name)
		if err != nil {
			if !c.told[info.Name] {
				c.tell(Problem{Object: info.Name, Err: err, Harms: "nothing: it is not one of ours"})
			}
			continue
		}
		p.Size = info.Size
		if k := (numbered{p.Series, p.Number}); c.lacked(k) {
			c.spare[k] = append(c.spare[k], p)
		}
		n := c.needed[idOf(p)]
		if n == nil {
			c.res.Unneeded++
			c.res.UnneededBytes += info.Size
			continue
		}
		n.found = true
		switch n.pack.Size {
		case info.Size:
		case 0: // nobody said how large it is
			n.pack.Size = info.Size
		default:
			n.bad = fmt.Errorf("%w: it has %d bytes, not %d", vault.ErrDamaged, info.Size, n.pack.Size)
		}
	}
	return nil
}

// errMissing: an object that is needed is not on the remote.
var errMissing error = missingError{}

type missingError struct{}

func (missingError) Error() string { return "damaged: missing" }
func (missingError) Is(target error) bool {
	return target == vault.ErrDamaged || target == fs.ErrNotExist
}

// listBodies looks for every snapshot's body and every move's map in a listing.
func (c *check) listBodies(ctx context.Context) error {
	for _, prefix := range []string{"snapshots/", "moves/"} {
		for info, err := range c.v.Store().List(ctx, prefix, "") {
			if err != nil {
				return fmt.Errorf("list %s: %w", prefix, err)
			}
			c.listed[info.Name] = info.Size
		}
	}
	if err := c.listMaps(); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, s := range c.snaps {
		body := s.Commit.Body
		if _, ok := c.listed[body]; ok || told[body] {
			continue
		}
		told[body] = true
		c.tell(Problem{Object: body, Err: errMissing, Harms: "this snapshot: its folders can still be found in its packs", Snapshots: []string{s.Short()}})
	}
	return nil
}
