package vault

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault/kit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// A Vault is an opened vault. Reading is safe for concurrent use; one Run at a
// time may write.
type Vault struct {
	store  remote.Store
	dir    *state.Dir // nil when opened by the kit alone
	safety Safety

	root    ed25519.PublicKey
	ids     seal.Identities // the vault's identity, if it was lent; else none
	dataKey chunk.Key
	segKey  chunk.Key
	poly    chunk.Polynomial

	// Replaced as a whole, also while lanes are at work: a run reads the trust
	// again before each commit.
	dev    atomic.Pointer[state.Device] // nil when opened by the kit alone
	belief atomic.Pointer[belief]

	folds  folds
	direct atomic.Bool // see ReadThrough

	mu       sync.Mutex
	problems []Problem       // guarded by mu
	seen     map[string]bool // guarded by mu
}

// OpenOptions say with which keys a vault is opened.
type OpenOptions struct {
	// State is this device's local state. Without it the vault is opened by
	// the kit alone, for reading.
	State *state.Dir
	// Kit lends the vault's identity. With State it is optional.
	Kit *kit.Kit
	// Safety replaces DefaultSafety, in tests.
	Safety *Safety
}

// Open opens the vault on store: it finds the newest trust that the root key
// signed and that follows what was seen before. It reads a listing and one or
// two small objects, however large the vault. It fails with ErrNoVault,
// ErrRollback, ErrNoIdentity, or what the store says. With both state and kit it
// first finishes an enrolment that was interrupted.
func Open(ctx context.Context, store remote.Store, o OpenOptions) (*Vault, error) {
	v, err := open(ctx, store, o)
	if err != nil {
		return nil, err
	}
	return v, v.finishEnrol(ctx)
}

func open(ctx context.Context, store remote.Store, o OpenOptions) (*Vault, error) {
	v := &Vault{store: store, dir: o.State, safety: DefaultSafety, seen: map[string]bool{}}
	if o.Safety != nil {
		v.safety = *o.Safety
	}
	if o.State == nil && o.Kit == nil {
		return nil, ErrNoIdentity
	}
	if o.State != nil {
		if err := v.useState(); err != nil {
			return nil, err
		}
	}
	if o.Kit != nil {
		if err := v.lend(o.Kit); err != nil {
			return nil, err
		}
	}
	if err := v.resumeInit(ctx); err != nil {
		return nil, err
	}
	if err := v.refreshTrust(ctx, o.Kit); err != nil {
		return nil, err
	}
	return v, nil
}

// useState takes the keys of this device.
func (v *Vault) useState() error {
	dev, err := v.dir.Device()
	if err != nil {
		return err
	}
	if v.root, err = trust.ParsePublic(dev.Root); err != nil {
		return fmt.Errorf("read device keys: %w", err)
	}
	v.dev.Store(dev)
	return nil
}

// lend takes the identity from a kit, which must be of this vault. A device,
// which knows the root key, also takes the identity of a further recipient.
func (v *Vault) lend(k *kit.Kit) error {
	root := trust.RootKey(k.Identity).Public().(ed25519.PublicKey)
	switch {
	case v.root == nil:
		v.root = root
	case !v.root.Equal(root) && !slices.Contains(v.device().Recipients, k.Identity.Recipient()):
		return fmt.Errorf("%w: the kit given is of another vault", ErrNoIdentity)
	}
	v.ids = seal.NewIdentities(k.Identity)
	return nil
}

// ID returns the vault's ID.
func (v *Vault) ID() trust.VaultID { return v.Trust().Vault }

// device returns this device's keys as they were read last, or nil.
func (v *Vault) device() *state.Device { return v.dev.Load() }

// Device returns this device's ID, or "" when opened by the kit alone.
func (v *Vault) Device() trust.DeviceID {
	if v.device() == nil {
		return ""
	}
	return trust.DeviceID(v.device().Device)
}

// Trust returns the newest trust found. It must not be changed.
func (v *Vault) Trust() *trust.Trust { return v.belief.Load().trust }

// TrustName returns the object name of Trust.
func (v *Vault) TrustName() string { return v.belief.Load().name }

// Store returns the remote the vault rests on.
func (v *Vault) Store() remote.Store { return v.store }

// Location is the remote as a user writes it.
func (v *Vault) Location() string { return v.store.Location() }

// State returns the local state, or nil.
func (v *Vault) State() *state.Dir { return v.dir }

// HasIdentity tells whether contents can be opened.
func (v *Vault) HasIdentity() bool { return v.ids.Len() > 0 }

// Safety returns the ages in force.
func (v *Vault) Safety() Safety { return v.safety }

// Hasher returns a new hasher for chunks of one kind. A Hasher is for one
// goroutine.
func (v *Vault) Hasher(k chunk.Kind) *chunk.Hasher {
	if k == chunk.Segment {
		return chunk.NewHasher(v.segKey)
	}
	return chunk.NewHasher(v.dataKey)
}

// Keys returns the keys that name data and segment chunks.
func (v *Vault) Keys() (data, segment chunk.Key) { return v.dataKey, v.segKey }

// Polynomial returns the polynomial that cuts large files.
func (v *Vault) Polynomial() chunk.Polynomial { return v.poly }

// Problems returns what was noticed so far and did not stop the work.
func (v *Vault) Problems() []Problem {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Problem(nil), v.problems...)
}

// notice records a problem once per object.
func (v *Vault) notice(object string, err error, harms string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.seen[object] {
		v.seen[object] = true
		v.problems = append(v.problems, Problem{object, err, harms})
	}
}

// fetch gets a whole object of at most max bytes.
func (v *Vault) fetch(ctx context.Context, name string, max int64) ([]byte, error) {
	b, err := v.store.Get(ctx, nil, name, 0, max+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing: %w", ErrDamaged, name, err)
	}
	if err != nil {
		return nil, badIsDamage(fmt.Errorf("read %s: %w", name, err))
	}
	if int64(len(b)) > max {
		return nil, damaged("%s: larger than any object of its kind", name)
	}
	return b, nil
}
