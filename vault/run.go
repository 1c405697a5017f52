package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/chunk/seal"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// RunOptions say what a run is for.
type RunOptions struct {
	Project trust.ProjectID
	Level   pack.Level
	Adapt   bool // Level is but where data begins: see effort
	Uploads int  // packs on their way at a time; 0 means 2
	// MaxSmall is how many small packs of a kind a snapshot may need before
	// they are merged, if it is more than usual: a run with many lanes makes as
	// many.
	MaxSmall int
	// Role is what the trust must let this device do; "" means write.
	Role trust.Role
	// OnWarning is told what does not stop the run, such as a device's fork. It
	// may be called by several goroutines at once.
	OnWarning func(error)
}

// Stats count what a run has stored. All fields may be read at any time.
type Stats struct {
	Chunks   atomic.Int64 // new chunks
	Plain    atomic.Int64 // their bytes
	Packs    atomic.Int64 // packs acknowledged
	Uploaded atomic.Int64 // bytes of objects acknowledged
	Flying   atomic.Int64 // bytes of objects on their way
}

// A Run writes. It holds the vault's local lock from Begin to Close. Lanes may
// be used concurrently, each by one goroutine.
type Run struct {
	v     *Vault
	o     RunOptions
	role  trust.Role // that it must have; "" is write
	lock  *state.Lock
	clock atomic.Pointer[clock]

	recipients seal.Recipients
	sealedTo   string // hash of the recipients that the state file had when the run began
	own        *ownHistory
	known      *known
	scattered  map[chunk.Kind]*ledger.Set // small packs to be merged
	index      *state.Index
	series     map[chunk.Kind]*numbers

	ctx    context.Context // of the uploads: cancelled by the first failure
	cancel context.CancelCauseFunc

	uploads chan struct{} // as many as packs may be on their way
	spare   spareMemory
	work    sync.WaitGroup

	Stats Stats

	mu    sync.Mutex
	last  *sentPack    // guarded by mu: kept to be fetched and opened before the commit
	acked []packNumber // guarded by mu: what this run stored
	named []uint64     // guarded by mu: beginnings of the IDs of segments put, see Tidy

	seen func(name string) bool // of a repack: the commits that its moves may follow, besides its own
	made []string               // of a repack: names of its moves

	commitMu    sync.Mutex // one commit at a time
	background  sync.WaitGroup
	endProgress chan struct{}
	ended       bool
}

type packNumber struct {
	Series chunk.Series
	Number uint32
}

// sentPack is what is kept of the newest pack: enough to open it again.
type sentPack struct {
	pack    ledger.Pack
	key     seal.FileKey
	entries int
}

// Begin starts a run: it takes the local lock, reads the newest trust, adopts
// what this device committed elsewhere, and learns which packs can be relied
// on. It reads only what is new since the last run. Errors: state.ErrLocked,
// ErrRevoked, ErrRollback, and what the store says.
func (v *Vault) Begin(ctx context.Context, o RunOptions) (*Run, error) {
	if v.device() == nil {
		return nil, fmt.Errorf("%w: it has no keys of its own here; see coffer enrol", ErrRevoked)
	}
	lock, err := v.dir.TryLockRun("backup")
	if err != nil {
		return nil, err
	}
	r := &Run{v: v, o: o, role: o.Role, lock: lock, series: map[chunk.Kind]*numbers{}}
	if err := r.begin(ctx); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// present reads what every run goes by: this device's keys, the remote's clock,
// the newest trust, which must give this device the role, and the recipients.
func (r *Run) present(ctx context.Context) error {
	v := r.v
	dev, err := v.dir.Device() // another process may have changed it since
	if err != nil {
		return err
	}
	v.dev.Store(dev)
	if err := r.readClock(ctx); err != nil {
		return err
	}
	if err := r.readTrust(ctx); err != nil {
		return err
	}
	if err := v.putTrustBack(ctx, r.warn); err != nil {
		return err
	}
	if r.recipients, err = seal.ParseRecipients(v.Trust().Recipients); err != nil {
		return fmt.Errorf("trust %d: recipients: %w", v.Trust().N, err)
	}
	r.sealedTo = v.device().RecipientsHash
	return nil
}

func (r *Run) begin(ctx context.Context) (err error) {
	v := r.v
	if err := r.present(ctx); err != nil {
		return err
	}
	if _, err := state.ReadSmall[takingOver](v.dir, takeOverFile); err == nil {
		r.warn(errors.New("taking over the place of another device was interrupted; lend the recovery kit once to finish it, or all is uploaded again"))
	}
	if r.own, err = v.adopt(ctx, r.now(), r.warn); err != nil {
		return err
	}
	if err := v.applyLate(); err != nil {
		return err
	}
	if err := r.openSeries(); err != nil {
		return err
	}
	if r.index, err = v.dir.OpenIndex(state.DayOf(r.now())); err != nil {
		return err
	}
	if r.known, err = v.learn(ctx, r.own, r.now()); err != nil {
		return err
	}
	if err := r.settleRepacks(ctx); err != nil {
		return err
	}
	if err := r.audit(ctx); err != nil {
		return err
	}
	if err := r.findScattered(ctx); err != nil {
		return err
	}
	r.startWorkers(ctx)
	return nil
}

func (r *Run) startWorkers(ctx context.Context) {
	if r.o.Uploads == 0 {
		r.o.Uploads = 2
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	end := make(chan struct{})
	r.endProgress = end
	r.background.Go(func() { r.keepProgress(end) })
	r.uploads = make(chan struct{}, r.o.Uploads)
	for range r.o.Uploads {
		r.uploads <- struct{}{}
	}
}

// Vault returns the vault the run writes to.
func (r *Run) Vault() *Vault { return r.v }

// Context ends with the first failure of an upload, and with the context of
// Begin. context.Cause tells why.
func (r *Run) Context() context.Context { return r.ctx }

// Known tells whether a pack can be relied on. It is safe for concurrent use.
func (r *Run) Known(series chunk.Series, number uint32) bool { return r.known.has(series, number) }

// readTrust reads the newest trust, which must let this device do what the run
// is for.
func (r *Run) readTrust(ctx context.Context) error {
	if err := r.v.refreshTrust(ctx, nil); err != nil {
		return err
	}
	if err := r.v.mayStill(cmp.Or(r.role, trust.Write)); err != nil {
		return err
	}
	if newer := r.v.belief.Load().unopened; len(newer) > 0 {
		return fmt.Errorf("%w: %s is not sealed to it any more, so it was revoked; if it was not, someone who does not hold the kit put that there, and it may be removed", ErrRevoked, newer[0])
	}
	return nil
}

// A clock is what the remote's clock said at one moment.
type clock struct {
	at     time.Time // local, with its monotonic reading
	remote time.Time
}

func (r *Run) readClock(ctx context.Context) error {
	now, err := r.v.store.Now(ctx)
	if err != nil {
		return fmt.Errorf("ask %s for its time: %w", r.v.store.Location(), err)
	}
	r.clock.Store(&clock{time.Now(), now})
	return nil
}

// now is the remote's clock, without asking it again. It counts from the last
// answer with a clock that nobody sets; where that one stands still, as in a
// suspend, it falls behind and never runs ahead, so that nothing is taken for
// fresher than it is.
func (r *Run) now() time.Time {
	c := r.clock.Load()
	return c.remote.Add(time.Since(c.at))
}

func (r *Run) warn(err error) {
	if r.o.OnWarning != nil {
		r.o.OnWarning(err)
	}
}

// Close ends the run, committed or not. What was acknowledged stays noted, and
// the next run uses it.
func (r *Run) Close() error {
	if r.cancel != nil {
		r.cancel(context.Canceled)
		r.stopProgress()
		r.work.Wait()
	}
	return r.release()
}

func (r *Run) release() error {
	if r.ended {
		return nil
	}
	r.ended = true
	r.settleOwn()
	var err error
	if r.index != nil {
		err = r.index.Close()
	}
	if r.cancel != nil {
		err = errors.Join(err, r.giveBack())
	}
	if r.known != nil {
		err = errors.Join(err, r.known.close())
	}
	if e := r.lock.Unlock(); err == nil {
		err = e
	}
	return err
}
