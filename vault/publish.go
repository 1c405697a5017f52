package vault

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/trust"
)

// draft is a commit in the making: what it says, and what it relies on.
type draft struct {
	kind    commit.Kind
	project trust.ProjectID
	body    string // object names
	ledger  string
	ends    []string
	used    *ledger.Set // packs it needs
	objects []string    // rolls, ledger and body it needs that a live ledger or commit names, or that were acknowledged in this run
}

// maxPublish bounds how often a commit that came too late is tried again.
const maxPublish = 5

// publish makes a commit visible: it builds and signs the commit, remembers
// that it may have been sent, stages it, checks everything it relies on, and
// publishes it. The store itself refuses a commit whose check is too old, as
// after a suspend; then all of it is done again.
func (r *Run) publish(ctx context.Context, d draft) (commit.Name, error) {
	for range maxPublish {
		c, obj, err := r.build(ctx, d)
		if err != nil {
			return commit.Name{}, err
		}
		name := c.Name()
		r.own.Pending = name.Base()
		if err := r.v.saveOwn(r.own); err != nil {
			return name, err
		}
		err = r.stageCheckPublish(ctx, d, remote.NewObject(name.String(), obj))
		if errors.Is(err, remote.ErrExpired) {
			r.warn(fmt.Errorf("commit %s came too late (was the machine asleep?); checking again", name.Base()))
			continue
		}
		if err != nil {
			return name, err
		}
		r.v.cache(cacheName(name.String()), obj)
		r.own.follow(name, c)
		r.own.Pending = ""
		return name, r.v.saveOwn(r.own)
	}
	return commit.Name{}, fmt.Errorf("publish commit: %w %d times", remote.ErrExpired, maxPublish)
}

func (r *Run) stageCheckPublish(ctx context.Context, d draft, o remote.Object) error {
	staged, err := r.v.store.Stage(ctx, o, r.v.safety.CommitLife)
	if err != nil {
		return fmt.Errorf("stage commit %s: %w", o.Name, err)
	}
	defer staged.Discard(context.WithoutCancel(ctx))
	if err := r.check(ctx, d); err != nil {
		return err
	}
	if err := staged.Publish(ctx); err != nil {
		return fmt.Errorf("publish commit %s: %w", o.Name, err)
	}
	return nil
}

// build writes and signs the commit that follows this device's heads.
func (r *Run) build(ctx context.Context, d draft) (*commit.Commit, []byte, error) {
	c := &commit.Commit{
		Version: 1, Vault: r.v.trust.Vault, Device: r.v.Device(), Project: d.project, Kind: d.kind,
		Time: r.now().UTC().Truncate(time.Second), Body: d.body, Ledger: d.ledger, Trust: r.v.trustName,
		Ends: d.ends, Heads: r.own.otherHeads(),
	}
	heads, err := r.v.headCommits(ctx, r.own)
	if err != nil {
		return nil, nil, err
	}
	if err := c.Follow(heads...); err != nil {
		return nil, nil, err
	}
	key, err := r.v.signingKey()
	if err != nil {
		return nil, nil, err
	}
	obj, err := c.Sign(key)
	return c, obj, err
}

// headCommits reads this device's heads, as a rule from the cache.
func (v *Vault) headCommits(ctx context.Context, h *ownHistory) ([]*commit.Commit, error) {
	me, ok := v.trust.Device(v.Device())
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

// signingKey is this device's own.
func (v *Vault) signingKey() (ed25519.PrivateKey, error) {
	seed, err := hex.DecodeString(v.dev.SignSeed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("read device keys: the signing key is not in its form")
	}
	return ed25519.NewKeyFromSeed(seed), nil
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
	before := r.v.trustName
	if err := r.v.refreshTrust(ctx, nil); err != nil {
		return err
	}
	if !r.v.trust.Allows(r.v.Device(), trust.Write) {
		return ErrRevoked
	}
	if r.v.trustName != before && r.v.dev.RecipientsHash != hex.EncodeToString(sumOf(r.recipients.Hash())) {
		return fmt.Errorf("%w: the vault's recipients changed while it ran", ErrRestart)
	}
	condemned, err := r.v.condemnedNames(ctx)
	if err != nil {
		return err
	}
	r.known.condemned = condemned
	for _, o := range d.objects {
		if condemned[o] {
			return fmt.Errorf("%w: %s is about to be deleted by a prune", ErrRestart, o)
		}
	}
	r.known.since = r.now().Add(-r.v.safety.AckTrust)
	for series, number := range d.used.All() {
		if !r.known.has(series, number) {
			return fmt.Errorf("%w: pack %s/%010d can no longer be relied on", ErrRestart, series, number)
		}
	}
	return nil
}

// sample fetches the newest pack of the run and opens it with the file key
// that was kept: what the remote has is what was sent.
func (r *Run) sample(ctx context.Context) error {
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last == nil {
		return nil
	}
	var buf packBuffer
	if err := r.v.fetchPack(ctx, last.pack, &buf); err != nil {
		return &PackError{last.pack, fmt.Errorf("read back what was just stored: %w", missingIsDamage(err))}
	}
	if err := buf.reader.OpenWithKey(buf.object, last.key); err != nil {
		return &PackError{last.pack, damaged("read back what was just stored: %w", err)}
	}
	n := 0
	for range buf.reader.Entries() {
		n++
	}
	if n != last.entries {
		return &PackError{last.pack, damaged("read back what was just stored: %d chunks, not %d", n, last.entries)}
	}
	return nil
}

// CheckRecipients encodes the recipients in memory again and compares them
// with the state file's hash, so that a bit flipped in memory cannot seal a
// snapshot to nobody.
func (r *Run) checkRecipients() error {
	if got := hex.EncodeToString(sumOf(r.recipients.Hash())); got != r.v.dev.RecipientsHash {
		return errors.New("the recipients in memory are not those of the trust; memory may be failing; nothing was committed")
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
