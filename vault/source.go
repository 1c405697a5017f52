package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/trust"
)

// A Source reads the chunks of one snapshot. It knows the snapshot's packs by
// full name, from the ledger that the signed commit names, and it verifies
// every byte twice: the pack against its name, the chunk against its ID. All
// methods are safe for concurrent use.
type Source struct {
	v      *Vault
	snap   *Snapshot
	ledger *ledger.Ledger // nil if it is lost, and nothing stands in for it
	stood  bool           // ledger stands in for the one that is lost
	body   *manifest.Body

	packs    sync.Pool // of *packBuffer, for packs of file data
	small    sync.Pool // likewise, for packs of segments: a buffer that once held a large one would stay large
	segments segmentCache

	all *Sources

	mu  sync.Mutex
	bad map[string]*badPack // guarded by mu; by full name
}

// badPack is a pack that could not be used: after two tries it is not fetched
// again for each chunk that was in it.
type badPack struct {
	err   error
	tries int
}

// packBuffer is what one fetch of a pack needs; reused.
type packBuffer struct {
	object []byte
	reader pack.Reader // reused
}

// Source opens a snapshot for reading: two objects, its ledger and its body.
// It fails with ErrNoIdentity if the vault's identity was not lent.
func (v *Vault) Source(ctx context.Context, s *Snapshot) (*Source, error) {
	return v.Sources(nil).Open(ctx, s)
}

// Ledger fetches a ledger and checks it against its name.
func (v *Vault) Ledger(ctx context.Context, name string) (*ledger.Ledger, error) {
	b, err := v.fetchNamed(ctx, name, maxLedger)
	if err != nil {
		return nil, err
	}
	return v.parseLedger(name, b)
}

func (v *Vault) parseLedger(name string, b []byte) (*ledger.Ledger, error) {
	l, err := ledger.Parse(b)
	if err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	if l.Vault != v.Trust().Vault {
		return nil, damaged("%s: it is a ledger of another vault", name)
	}
	return l, nil
}

// body fetches and opens a snapshot's body, which must say of itself what the
// commit says.
func (v *Vault) body(ctx context.Context, s *Snapshot) (*manifest.Body, error) {
	name := s.Commit.Body
	b, err := v.fetchNamed(ctx, name, MaxBody)
	if err != nil {
		return nil, err
	}
	plain, err := pack.OpenBlob(b, v.ids, maxBodyPlain)
	if err != nil {
		return nil, openError(name, err)
	}
	body, err := manifest.ParseBody(plain)
	if err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	if body.Vault != string(v.Trust().Vault) {
		return nil, damaged("%s: it is a body of another vault", name)
	}
	if body.Project != string(s.Commit.Project) || !slices.Contains(v.Trust().Lineage(s.Name.Device), trust.DeviceID(body.Device)) {
		return nil, damaged("%s: it is a body of another project or device than its commit", name)
	}
	return body, nil
}

// Body opens the body of a snapshot alone, for listings.
func (v *Vault) Body(ctx context.Context, s *Snapshot) (*manifest.Body, error) {
	if !v.HasIdentity() {
		return nil, ErrNoIdentity
	}
	if err := v.loadSnapshot(ctx, s); err != nil {
		return nil, err
	}
	return v.body(ctx, s)
}

// fetchNamed fetches an object whose name ends in the hash of its bytes.
func (v *Vault) fetchNamed(ctx context.Context, name string, max int64) ([]byte, error) {
	b, err := v.fetch(ctx, name, max)
	if err != nil {
		return nil, err
	}
	return b, checkNamed(name, b)
}

// checkNamed compares bytes with the hash that ends their object's name: a
// WrongBytesError, which is ErrDamaged.
func checkNamed(name string, b []byte) error {
	sum := remote.NewObject(name, b).Sum
	if h := hex.EncodeToString(sum[:]); !strings.HasSuffix(name, h) {
		return damaged("%w", &WrongBytesError{name, h})
	}
	return nil
}

// A WrongBytesError says that an object's bytes are not those that its name
// stands for.
type WrongBytesError struct {
	Name string
	Hash string // of the bytes that are there: 64 hex digits
}

func (e *WrongBytesError) Error() string { return e.Name + ": its bytes do not match its name" }

// openError tells a wrong key from wrong bytes.
func openError(name string, err error) error {
	if errors.Is(err, seal.ErrNoIdentity) {
		return fmt.Errorf("%w: %s is sealed to other recipients", ErrNoIdentity, name)
	}
	return damaged("%s: %w", name, err)
}

// Snapshot returns the snapshot that is read.
func (s *Source) Snapshot() *Snapshot { return s.snap }

// Body returns the snapshot's body.
func (s *Source) Body() *manifest.Body { return s.body }

// Ledger returns the snapshot's ledger, or what stands in for it; one that
// names nothing if it is lost.
func (s *Source) Ledger() *ledger.Ledger {
	if s.ledger == nil {
		return &ledger.Ledger{Vault: s.v.ID()}
	}
	return s.ledger
}

// Hasher returns a new hasher for chunks of one kind.
func (s *Source) Hasher(k chunk.Kind) *chunk.Hasher { return s.v.Hasher(k) }

// PackName says which object the number means in this snapshot.
func (s *Source) PackName(ctx context.Context, series chunk.Series, number uint32) (ledger.Pack, error) {
	p, _, err := s.lookup(ctx, s.ledger, s.stood, series, number)
	return p, err
}

// lookup finds the pack that a ledger means by a number. stood says that it but
// stands in for another one: then it may lack what was away when it was made, and
// what it names is not certain: it is not named, see Place.
func (s *Source) lookup(ctx context.Context, l *ledger.Ledger, stood bool, series chunk.Series, number uint32) (p ledger.Pack, named bool, err error) {
	if l == nil {
		p, err = s.all.listedPack(ctx, series, number)
		return p, false, err
	}
	none := ledger.Pack{Series: series, Number: number}
	id := ledger.FolderID{Series: series, Folder: ledger.FolderOf(number)}
	i, ok := slices.BinarySearchFunc(l.Folders, id, func(f ledger.Folder, id ledger.FolderID) int {
		return cmp.Or(bytes.Compare(f.Series[:], id.Series[:]), cmp.Compare(f.Folder, id.Folder))
	})
	if !ok {
		return s.unnamed(ctx, series, number, stood)
	}
	f := &l.Folders[i]
	packs := f.Packs
	if f.Roll != "" {
		if !f.All && !f.Bits.Has(number) {
			return s.unnamed(ctx, series, number, stood)
		}
		var stands bool
		packs, stands, err = s.all.roll(ctx, f.Roll)
		stood = stood || stands
		if isDamage(err) {
			return s.unnamed(ctx, series, number, true)
		}
		if err != nil {
			return none, false, fmt.Errorf("pack %s/%010d: %w", series, number, err)
		}
	}
	j, ok := slices.BinarySearchFunc(packs, number, func(p ledger.Pack, n uint32) int { return cmp.Compare(p.Number, n) })
	if !ok {
		return s.unnamed(ctx, series, number, stood)
	}
	return packs[j], !stood, nil
}

// unnamed finds a pack that no list names. Where the list is lost, or another one
// only stands in for it, the pack may be there all the same: it was away when that
// was made.
func (s *Source) unnamed(ctx context.Context, series chunk.Series, number uint32, stood bool) (p ledger.Pack, named bool, err error) {
	if stood {
		p, err = s.all.listedPack(ctx, series, number)
		return p, false, err
	}
	return ledger.Pack{Series: series, Number: number}, false, damaged("pack %s/%010d: the snapshot's ledger does not name it", series, number)
}

// Pack fetches a whole pack, compares its SHA-256 with its name, opens it and
// calls use. The reader is valid during use only. The error is a *PackError.
func (s *Source) Pack(ctx context.Context, p ledger.Pack, use func(*pack.Reader) error) error {
	pool := &s.packs
	if p.Size < 2*pack.TargetSegment {
		pool = &s.small
	}
	if err := s.knownBad(p); err != nil {
		return err
	}
	buf := pool.Get().(*packBuffer)
	defer pool.Put(buf)
	if err := s.v.openPack(ctx, p, buf); err != nil {
		return s.noteBad(p, &PackError{p, err})
	}
	return use(&buf.reader)
}

// knownBad returns why a pack cannot be used, if that was tried often enough.
func (s *Source) knownBad(p ledger.Pack) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.bad[p.Name()]; b != nil && b.tries > 1 {
		return b.err
	}
	return nil
}

func (s *Source) noteBad(p ledger.Pack, err error) error {
	if !isDamage(err) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == nil {
		s.bad = map[string]*badPack{}
	}
	if s.bad[p.Name()] == nil {
		s.bad[p.Name()] = new(badPack)
	}
	s.bad[p.Name()].err = err
	s.bad[p.Name()].tries++
	return err
}

// openPack fetches p into buf and opens it with the vault's identity.
func (v *Vault) openPack(ctx context.Context, p ledger.Pack, buf *packBuffer) error {
	if err := v.fetchPack(ctx, p, buf); err != nil {
		return err
	}
	if err := buf.reader.Open(buf.object, v.ids); err != nil {
		return openError(p.Name(), err)
	}
	return nil
}

// fetchPack fetches the bytes of p and compares them with its name.
func (v *Vault) fetchPack(ctx context.Context, p ledger.Pack, buf *packBuffer) error {
	if p.Size > maxPack {
		return damaged("larger than any pack")
	}
	b, err := v.store.Get(ctx, buf.object[:0], p.Name(), 0, p.Size+1)
	if err != nil {
		return badIsDamage(err)
	}
	buf.object = b
	if int64(len(b)) != p.Size {
		return damaged("it has %d bytes, not %d", len(b), p.Size)
	}
	return checkNamed(p.Name(), b)
}

// FetchPack reads the bytes of p and compares them with its name; no key is
// needed. scratch is reused and returned.
func (v *Vault) FetchPack(ctx context.Context, p ledger.Pack, scratch []byte) ([]byte, error) {
	buf := packBuffer{object: scratch}
	if err := v.fetchPack(ctx, p, &buf); err != nil {
		return buf.object, &PackError{p, err}
	}
	return buf.object, nil
}

// Read calls fn with the verified bytes of each ref. All refs must be of one
// pack; fn is called in order of offset, with the ref's place in refs, and
// data is valid during the call only. Where the pack is missing or bad, moves
// are consulted, chunk by chunk. An error of fn ends the reading and is
// returned as it is.
func (s *Source) Read(ctx context.Context, kind chunk.Kind, refs []chunk.Ref, fn func(i int, data []byte) error) error {
	if len(refs) == 0 {
		return nil
	}
	w := &wanted{kind: kind, refs: refs, done: make([]bool, len(refs)), fn: fn}
	return s.reading().run(ctx, s.ledger, s.stood, w, 0)
}

// readFrom reads what is wanted, of which nothing is done yet, from pack p.
func (s *Source) readFrom(ctx context.Context, p ledger.Pack, w *wanted) error {
	order := make([]int, len(w.refs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.refs[a].Offset, w.refs[b].Offset) })
	extents := make([]pack.Extent, len(order))
	for j, i := range order {
		extents[j] = pack.Extent{Offset: w.refs[i].Offset, Len: w.refs[i].Len}
	}
	h := s.v.Hasher(w.kind)
	var own error // of fn: no damage, and not to be retried elsewhere
	err := s.Pack(ctx, p, func(r *pack.Reader) error {
		return r.Read(extents, func(j int, data []byte) error {
			i := order[j]
			if h.ID(data) != w.refs[i].ID {
				return damaged("chunk %s is not what its ID says", w.refs[i].ID)
			}
			if own = w.fn(i, data); own != nil {
				return own
			}
			w.done[i] = true
			return nil
		})
	})
	if own != nil {
		return own
	}
	return unreadable(p, err)
}

// unreadable names the pack in an error of reading chunks from its bytes, which
// were those of its name: that is damage.
func unreadable(p ledger.Pack, err error) error {
	if pe := (*PackError)(nil); err == nil || errors.As(err, &pe) {
		return err
	}
	return &PackError{p, damaged("%w", err)}
}

// FetchNamed fetches an object whose name ends in the hash of its bytes, and
// compares them. It fails with ErrDamaged if it is missing or wrong.
func (v *Vault) FetchNamed(ctx context.Context, name string, max int64) ([]byte, error) {
	return v.fetchNamed(ctx, name, max)
}

// OpenPackBytes opens the bytes of a pack with the vault's identity into r.
func (v *Vault) OpenPackBytes(r *pack.Reader, p ledger.Pack, b []byte) error {
	if err := r.Open(b, v.ids); err != nil {
		return &PackError{p, openError(p.Name(), err)}
	}
	return nil
}
