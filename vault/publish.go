package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// draft is a commit in the making: what it says, and what it relies on.
type draft struct {
	kind      commit.Kind
	project   trust.ProjectID
	body      string // object names
	ledger    string
	ends      []string
	forgets   []string       // of a forget: base names, sorted
	undo      bool           // of a forget: it withdraws others
	dismisses []string       // object names
	old       []string       // of a move: full names of the packs it replaces, sorted
	repack    bool           // of a move: they may go
	detail    *commit.Detail // of a check or drill
	stable    string         // of a snapshot: see stableDigest
	used      *ledger.Set    // packs it needs
	objects   []string       // rolls, ledger and body it needs that a live ledger or commit names, or that were acknowledged in this run
}

// maxPublish bounds how often a commit that came too late is tried again.
const maxPublish = 5

// publish makes a commit visible: it builds and signs the commit, remembers
// that it may have been sent, stages it, checks everything it relies on, and
// publishes it. The store itself refuses a commit whose check is too old, as
// after a suspend; then all of it is done again.
func (r *Run) publish(ctx context.Context, d draft) (commit.Name, error) {
	if err := r.settlePending(ctx); err != nil {
		return commit.Name{}, err
	}
	for range maxPublish {
		c, obj, err := r.build(ctx, d)
		if err != nil {
			return commit.Name{}, err
		}
		name := c.Name()
		r.willSend(name.Base())
		done, err := r.stageCheckPublish(ctx, d, remote.NewObject(name.String(), obj))
		if err != nil {
			return name, err
		}
		if done {
			r.sent(name, c, obj, d)
			return name, nil
		}
	}
	return commit.Name{}, fmt.Errorf("publish commit: %w %d times", remote.ErrExpired, maxPublish)
}

// sent notes a commit that is visible. The next run finds it on the remote if
// this cannot be written.
func (r *Run) sent(name commit.Name, c *commit.Commit, obj []byte, d draft) {
	r.v.cache(cacheName(name.String()), obj)
	r.known.commit(d.used)
	r.own.follow(name, c)
	if d.repack {
		r.made = append(r.made, name.String())
	}
	if p := r.own.Projects[d.project]; d.kind == commit.Snapshot && p.Commit == name.String() {
		p.Stable = d.stable
		r.own.Projects[d.project] = p
	}
	// It is only good to have: the remote has it all. So nobody waits until it
	// is durable, and of another thing's commit it is waited for in its turn.
	r.v.beginSave(r.own, false)
}

// settleOwn waits for own.json.
func (r *Run) settleOwn() {
	if r.own == nil {
		return
	}
	if err := r.own.saved(); err != nil {
		r.warn(fmt.Errorf("it is committed, but that was not noted on this machine: %w", err))
	}
}

// stageCheckPublish is one try. It is not done if the commit came too late, or
// if bytes cut off by a crash have its name.
func (r *Run) stageCheckPublish(ctx context.Context, d draft, o remote.Object) (done bool, err error) {
	staged, err := r.v.store.Stage(ctx, o, r.v.safety.CommitLife)
	if err != nil {
		return false, errors.Join(fmt.Errorf("stage commit %s: %w", o.Name, err), r.own.saved())
	}
	defer staged.Discard(context.WithoutCancel(ctx))
	if err := errors.Join(r.check(ctx, d), r.own.saved()); err != nil {
		return false, err
	}
	err = staged.Publish(ctx)
	switch {
	case errors.Is(err, remote.ErrExpired):
		// A first try may have arrived, and only its answer came too late. Listings
		// may lag behind, so it is asked for by its name.
		if _, err := r.v.FetchNamed(ctx, o.Name, commit.MaxSize); err == nil || !isDamage(err) {
			return err == nil, err
		}
		r.warn(fmt.Errorf("commit %s came too late (was the machine asleep?), checking again: %w", o.Name, err))
		return false, nil
	case errors.Is(err, fs.ErrExist):
		return false, r.otherSecond(ctx)
	case err != nil:
		return false, fmt.Errorf("publish commit %s: %w", o.Name, err)
	}
	return true, nil
}

// otherSecond waits until a commit gets another name: names hold seconds.
func (r *Run) otherSecond(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// build writes and signs the commit that follows this device's heads.
func (r *Run) build(ctx context.Context, d draft) (*commit.Commit, []byte, error) {
	if err := r.mayFollow(d); err != nil {
		return nil, nil, err
	}
	c := &commit.Commit{
		Version: 1, Vault: r.v.Trust().Vault, Device: r.v.Device(), Project: d.project, Kind: d.kind,
		Time: r.now().UTC().Truncate(time.Second), Body: d.body, Ledger: d.ledger, Trust: r.v.TrustName(),
		Ends: d.ends, Old: d.old, Repack: d.repack, Detail: d.detail, Heads: r.own.otherHeads(), Forgets: d.forgets, Withdraw: d.undo, Dismisses: d.dismisses,
	}
	heads, err := r.v.headCommits(ctx, r.own)
	if err != nil {
		return nil, nil, err
	}
	if err := c.Follow(heads...); err != nil {
		return nil, nil, err
	}
	obj, err := c.Sign(r.v.device().SignKey())
	return c, obj, err
}

// mayFollow fails if a repack would come after a commit of which nobody has
// asked what it needs: a copy of this device's state made it, or an earlier try
// of this device arrived late.
func (r *Run) mayFollow(d draft) error {
	if !d.repack {
		return nil
	}
	for _, head := range r.own.Heads {
		if !slices.Contains(r.made, head) && !r.seen(head) {
			return fmt.Errorf("%w: commit %s was not shown when it was looked at what snapshots need; repack again in an hour", ErrRestart, head)
		}
	}
	return nil
}

// headCommits reads this device's heads, as a rule from the cache.
func (v *Vault) headCommits(ctx context.Context, h *ownHistory) ([]*commit.Commit, error) {
	me, ok := v.Trust().Device(v.Device())
	if !ok {
		return nil, ErrRevoked
	}
	var heads []*commit.Commit
	for _, name := range h.Heads {
		n, err := commit.ParseName(name)
		if err != nil {
			return nil, err
		}
		c, err := v.commit(ctx, me, n)
		if err != nil {
			return nil, err
		}
		heads = append(heads, c)
	}
	return heads, nil
}

func (h *ownHistory) otherHeads() []commit.Head {
	var out []commit.Head
	for dev, s := range h.Others {
		if n, err := commit.ParseName(s.Name); err == nil {
			out = append(out, commit.Head{Device: dev, Name: n.Base()})
		}
	}
	slices.SortFunc(out, func(a, b commit.Head) int { return slices.Compare([]byte(a.Device), []byte(b.Device)) })
	return out
}

// check reads the newest trust and condemned lists, and makes sure that every
// object the commit relies on was acknowledged to this device lately or is
// named by a live commit of it, and that none is condemned. What fails is
// unknown from now on: ErrRestart.
func (r *Run) check(ctx context.Context, d draft) error {
	if err := r.readClock(ctx); err != nil {
		return err
	}
	if err := r.readTrust(ctx); err != nil {
		return err
	}
	if d.body != "" || d.used.Len() > 0 { // else nothing was sealed for it
		if err := r.checkRecipients(); err != nil {
			return err
		}
	}
	condemned, err := r.v.condemnedNames(ctx)
	if err != nil {
		return err
	}
	r.known.fence.Store(r.v.newFence(r.now(), condemned))
	for _, o := range d.objects {
		if condemned[o] {
			return fmt.Errorf("%w: %s is about to be deleted by a prune", ErrRestart, o)
		}
	}
	for series, number := range d.used.All() {
		if !r.known.has(series, number) {
			return fmt.Errorf("%w: pack %s/%010d can no longer be relied on", ErrRestart, series, number)
		}
	}
	return nil
}

// sample fetches the newest pack of the run and opens it with the file key
// that was kept: what the remote has is what was sent. A pack that is not is
// never relied on again; the run starts anew and sends what it held once more.
func (r *Run) sample(ctx context.Context) error {
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last == nil {
		return nil
	}
	err := r.readBack(ctx, last)
	if !isDamage(err) {
		return err
	}
	err = &PackError{last.pack, fmt.Errorf("%w: read back what was just stored: %w", ErrRestart, err)}
	return errors.Join(err, r.known.mark(last.pack, state.PackBad))
}

func (r *Run) readBack(ctx context.Context, last *sentPack) error {
	var buf packBuffer
	if err := r.v.fetchPack(ctx, last.pack, &buf); err != nil {
		return err
	}
	if err := buf.reader.OpenWithKey(buf.object, last.key); err != nil {
		return damaged("%w", err)
	}
	if n, _ := buf.reader.Len(); n != last.entries {
		return damaged("%d chunks, not %d", n, last.entries)
	}
	return nil
}

// checkRecipients encodes the recipients in memory again and compares them
// with the state file's hash, so that a bit flipped in memory cannot seal a
// snapshot to nobody.
func (r *Run) checkRecipients() error {
	if got := hex.EncodeToString(sumOf(r.recipients.Hash())); got != r.sealedTo {
		return errors.New("the recipients in memory are not those of the trust; memory may be failing; nothing was committed")
	}
	if r.v.device().RecipientsHash != r.sealedTo {
		return fmt.Errorf("%w: the vault's recipients changed while it ran", ErrRestart)
	}
	return nil
}

func sumOf(b [32]byte) []byte { return b[:] }

// wait flushes nothing itself; it waits until every pack handed over is
// acknowledged, and returns the first failure.
func (r *Run) wait() error {
	r.work.Wait()
	return context.Cause(r.ctx)
}
