package verify

import (
	"context"
	"errors"
	"sync"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
)

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
	c := &check{v: v, o: &o, began: began, now: now, reads: reads, needed: map[packID]*need{}, first: map[numbered]*need{}, pages: map[page]*content{}, stands: map[string]*stand{}, spare: map[numbered][]ledger.Pack{}, replaced: map[*need]bool{}, elsewhere: map[*need]bool{}, beside: map[packID]*need{}, unknown: map[nameless]*harm{}, proven: loadProofs(v), listed: map[string]int64{}, told: map[string]bool{}}
	c.res.Deep = o.Deep
	err = c.run(ctx)
	c.res.NotRemembered = errors.Join(reads.Close(), c.flush())
	c.takeOver()
	c.res.Duration = time.Since(began)
	if err != nil {
		return c.res, errors.Join(err, c.res.NotRemembered)
	}
	c.conclude(ctx)
	return c.res, nil
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
	commits  []commit.Name    // of this vault's devices, as they are listed
	listed   map[string]int64 // sizes of bodies found by listing
	harmed   map[*need]*harm
	moved    map[string][]*moved // moves that count, by the full name of a pack they replace
	replaced map[*need]bool      // see isReplaced
	gaps     bool                // some manifest could not be walked
	unnamed  bool                // some ledger does not name a pack that its manifest needs
	all      []*vault.Move       // all moves; nil until they were read
	sources  *vault.Sources      // nil until asked for

	// Deep, of the walk through the manifests.
	elsewhere map[*need]bool     // packs of which a chunk was found elsewhere
	beside    map[packID]*need   // packs to which a search has led, and that no list named before
	unknown   map[nameless]*harm // packs without names that some file needs

	rest   []*vault.Move              // those that are not in moved; nil in the place of others
	stands map[string]*stand          // what stands in for ledgers and rolls, by their names; nil: nothing does
	spare  map[numbered][]ledger.Pack // what is listed under the numbers that some stand lacks
	old    *vault.OldPacks            // the packs that moves replace; nil until asked for
	proven *proofs                    // what was proven before

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
