package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"coffer/vault/commit"
	"coffer/vault/trust"
)

// A Past is the whole signed history of a vault, read and verified anew, with
// the times at which the remote stored it: what a prune decides by. Where it is
// not whole, Stops says why, and nothing may be deleted on its word.
type Past struct {
	Now   time.Time // by the remote's clock, before anything was listed
	Trust time.Time // when the remote stored the trust in force, which says who may condemn

	// Commits are all that count, by device and number. Forgets, moves and
	// dismissals of devices without the role for them are left out.
	Commits []*Said
	// Ends are the names of the commits that no other one follows.
	Ends []string

	Stops []Problem // why nothing may be deleted
	Odd   []Problem // what is reported and stops nothing: junk of strangers

	dismissed map[string]bool
}

// A Said is a commit that counts.
type Said struct {
	*commit.Commit           // without its Heads
	Stored         time.Time // by the remote's clock
}

// Stop adds a reason for deleting nothing, unless a device that may do so has
// said that deletion need not wait for the object to heal.
func (p *Past) Stop(object string, err error, harms string) {
	if !p.dismissed[object] {
		p.Stops = append(p.Stops, Problem{object, err, harms})
	}
}

// Past reads the history of all devices. Of a listing it takes nothing on
// trust: a part that is missing shows by the chains, by the commits that others
// have seen, by what this device remembers, and by seen, the ends of a Past
// that was read before.
func (v *Vault) Past(ctx context.Context, seen ...string) (*Past, error) {
	for try := 0; ; try++ {
		if err := v.refreshTrust(ctx, nil); err != nil {
			return nil, err
		}
		r := &pastReader{v: v, trust: v.Trust(), past: &Past{dismissed: map[string]bool{}}, known: map[string]string{}}
		err := r.read(ctx, seen)
		if err != nil {
			return nil, err
		}
		if !r.newer || try > 0 {
			return r.past, nil
		}
		// A trust was made meanwhile: the next look knows it, or it is gone.
	}
}

// read is one look. What this device remembers is read before anything is
// listed: a backup beside it may commit at any moment.
func (r *pastReader) read(ctx context.Context, seen []string) (err error) {
	r.remember(seen)
	if r.past.Now, err = r.v.store.Now(ctx); err != nil {
		return fmt.Errorf("ask %s for its time: %w", r.v.store.Location(), err)
	}
	if err := r.lookAtTrust(ctx); err != nil {
		return err
	}
	if err := r.list(ctx); err != nil {
		return err
	}
	for i := range r.trust.Devices {
		if err := r.device(ctx, &r.trust.Devices[i]); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// pastReader is a Past in the making.
type pastReader struct {
	v      *Vault
	trust  *trust.Trust
	past   *Past
	listed map[trust.DeviceID][]listed
	there  map[commit.Name]bool
	known  map[string]string // full names of commits that must be there -> who knows them
	stops  []Problem         // before dismissals are known
	newer  bool              // a commit knows a newer trust
}

// listed is a commit's name as a listing shows it.
type listed struct {
	name   commit.Name
	stored time.Time
}

func (r *pastReader) stop(object string, err error, harms string) {
	r.stops = append(r.stops, Problem{object, err, harms})
}

func (r *pastReader) odd(object string, err error) {
	r.past.Odd = append(r.past.Odd, Problem{object, err, "nothing: it is left out, and never deleted"})
}

// lookAtTrust finds out since when the trust in force has been there for all
// to see, and that there is none after it.
func (r *pastReader) lookAtTrust(ctx context.Context) error {
	there := false
	for info, err := range r.v.store.List(ctx, "trust/", "") {
		if err != nil {
			return fmt.Errorf("list trusts: %w", err)
		}
		if info.Name == r.v.TrustName() {
			r.past.Trust, there = info.Time, true
		}
	}
	if !there {
		r.stop(r.v.TrustName(), fmt.Errorf("%w: the trust in force is gone", ErrRollback), "nothing yet: the next backup of this device stores it again")
	}
	for _, name := range r.v.belief.Load().unopened {
		r.stop(name, errors.New("it is newer than the trust in force, and this device cannot open it"), "nothing; but who may do what is not known here")
	}
	return nil
}

// list lists all commits. Then it asks of each device what comes after the last
// name shown: where a listing was cut short, something does.
func (r *pastReader) list(ctx context.Context) error {
	r.listed, r.there = map[trust.DeviceID][]listed{}, map[commit.Name]bool{}
	last := map[trust.DeviceID]string{}
	for info, err := range r.v.store.List(ctx, "commits/", "") {
		if err != nil {
			return fmt.Errorf("list commits: %w", err)
		}
		r.take(info.Name, info.Time, last)
	}
	for _, d := range r.trust.Devices {
		for info, err := range r.v.store.List(ctx, "commits/"+string(d.ID)+"/", last[d.ID]) {
			if err != nil {
				return fmt.Errorf("list commits: %w", err)
			}
			if r.old(info.Time) {
				r.stop(info.Name, fmt.Errorf("%w: a listing of all commits did not show it", ErrRollback), "nothing; but what the remote lists cannot be relied on")
			}
			r.take(info.Name, info.Time, last)
		}
	}
	return nil
}

// take enters a name that was listed.
func (r *pastReader) take(name string, stored time.Time, last map[trust.DeviceID]string) {
	n, err := commit.ParseName(name)
	if err != nil {
		r.odd(name, err)
		return
	}
	if _, ok := r.trust.Device(n.Device); !ok {
		r.odd(name, errors.New("its device is not in the trust"))
		return
	}
	last[n.Device] = name
	r.listed[n.Device] = append(r.listed[n.Device], listed{n, stored})
	r.there[n] = true
}

// remember notes which commits must be there because this device has seen
// them.
func (r *pastReader) remember(seen []string) {
	for _, name := range seen {
		r.known[name] = "the last prune"
	}
	if r.v.dir == nil {
		return
	}
	h := r.v.loadOwn()
	for _, name := range h.Heads {
		r.known[name] = "this device"
	}
	for _, s := range h.Others {
		r.known[s.Name] = "this device"
	}
}

// device reads the commits of one device and holds each against those it
// follows.
func (r *pastReader) device(ctx context.Context, dev *trust.Device) error {
	h := &line{dev: dev, listed: r.listed[dev.ID], at: map[string]int{}}
	h.commits = make([]*commit.Commit, len(h.listed))
	h.bad = make([]error, len(h.listed))
	for i, l := range h.listed {
		h.at[l.name.Base()] = i
	}
	err := parallel(ctx, 8, len(h.listed), func(ctx context.Context, i int) error {
		c, err := r.v.commit(ctx, dev, h.listed[i].name)
		if isDamage(err) {
			h.bad[i] = err
			return nil
		}
		h.commits[i] = c
		return err
	})
	if err != nil {
		return err
	}
	r.follow(h)
	return nil
}

// line is the history of one device.
type line struct {
	dev     *trust.Device
	listed  []listed
	commits []*commit.Commit // nil where they are bad
	bad     []error
	at      map[string]int // place by base name
}

const unknownHarm = "what it says is not known: if it is a snapshot, what that needs"

// follow goes from the commits that must be there to all that came before
// them, and takes in those that count.
func (r *pastReader) follow(h *line) {
	queue := r.starts(h)
	counts := make([]bool, len(h.listed))
	followed := map[string]bool{}
	for len(queue) > 0 {
		base := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		i, there := h.at[base]
		if !there {
			r.gone(h.dev, base)
			continue
		}
		if counts[i] {
			continue
		}
		counts[i] = true
		if h.commits[i] == nil {
			r.stop(h.listed[i].name.String(), h.bad[i], unknownHarm)
			continue
		}
		for _, p := range h.commits[i].Prev {
			followed[p] = true
			queue = append(queue, p)
		}
	}
	for i, l := range h.listed {
		if !counts[i] {
			continue
		}
		if h.commits[i] != nil {
			r.fits(h, h.commits[i])
			r.count(h.dev, h.commits[i], l.stored)
		}
		if !followed[l.name.Base()] {
			r.past.Ends = append(r.past.Ends, l.name.String())
		}
	}
}

// gone tells of a commit that another one follows.
func (r *pastReader) gone(dev *trust.Device, base string) {
	n, _ := commit.ParseBase(base)
	n.Device = dev.ID
	r.stop(n.String(), fmt.Errorf("%w: a later commit of device %s (%s) follows it, and it is gone", ErrRollback, dev.ID, dev.Label), unknownHarm)
}

// starts names the commits from which a device's history is followed back: all
// that are listed, or for a revoked device the last ones that its trust names.
func (r *pastReader) starts(h *line) []string {
	var out []string
	if h.dev.Until == nil {
		for _, l := range h.listed {
			out = append(out, l.name.Base())
		}
		return out
	}
	want := h.dev.Until.Also
	if h.dev.Until.Seq > 0 {
		want = append(slices.Clone(want), h.dev.Until.Hash)
	}
	for _, hash := range want {
		i := slices.IndexFunc(h.listed, func(l listed) bool { return l.name.Hash() == hash })
		if i < 0 {
			r.stop(fmt.Sprintf("commits/%s/", h.dev.ID), fmt.Errorf("%w: the last commit of device %s (%s), %.16s, is gone", ErrRollback, h.dev.ID, h.dev.Label, hash), unknownHarm)
			continue
		}
		out = append(out, h.listed[i].name.Base())
	}
	return out
}

// fits holds a commit's chain against those it follows. One that is gone or bad
// has stopped all, or was dismissed.
func (r *pastReader) fits(h *line, c *commit.Commit) {
	var prevs []*commit.Commit
	for _, p := range c.Prev {
		i, ok := h.at[p]
		if !ok || h.commits[i] == nil {
			return
		}
		prevs = append(prevs, h.commits[i])
	}
	if err := c.Follows(prevs...); err != nil {
		r.stop(c.Name().String(), damaged("%w", err), "nothing yet; but the history before it is not the one its device signed")
	}
}

// count takes in a commit that counts.
func (r *pastReader) count(dev *trust.Device, c *commit.Commit, stored time.Time) {
	for _, h := range c.Heads {
		if n, err := commit.ParseBase(h.Name); err == nil {
			n.Device = h.Device
			r.known[n.String()] = "device " + string(dev.ID)
		}
	}
	c.Heads = nil
	if n, _, err := trust.ParseName(c.Trust); err == nil && n > r.trust.N {
		r.newer = true
		r.stop(c.Trust, fmt.Errorf("%w: commit %s names this trust, and %s shows none after trust %d", ErrRollback, c.Name(), r.v.store.Location(), r.trust.N), "nothing yet; but who may do what is not known")
	}
	switch c.Kind {
	case commit.Forget, commit.Move, commit.Dismiss:
		if !dev.Has(c.Role()) {
			r.odd(c.Name().String(), fmt.Errorf("device %s has no role %q", dev.ID, c.Role()))
			return
		}
	}
	for _, name := range c.Dismisses {
		r.past.dismissed[name] = true
	}
	r.past.Commits = append(r.past.Commits, &Said{c, stored})
}

// finish looks for the commits that must be there, and applies dismissals.
func (r *pastReader) finish(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		if err := r.mustBe(ctx, name); err != nil {
			return err
		}
	}
	for _, s := range r.stops {
		r.past.Stop(s.Object, s.Err, s.Harms)
	}
	return nil
}

// mustBe stops all if a commit that somebody has seen is not there. One that
// was stored since this look began is as good as one that comes after it.
func (r *pastReader) mustBe(ctx context.Context, name string) error {
	n, err := commit.ParseName(name)
	if err != nil || r.there[n] {
		return nil
	}
	dev, ok := r.trust.Device(n.Device)
	switch {
	case !ok:
		r.newer = true
		r.stop(name, fmt.Errorf("%w: it was seen by %s, and the trust in force knows nothing of its device", ErrRollback, r.known[name]), unknownHarm)
	case dev.Until != nil: // the trust says how far its history goes
	default:
		fresh, err := r.isFresh(ctx, name)
		if fresh || err != nil {
			return err
		}
		r.stop(name, fmt.Errorf("%w: it was seen by %s, and %s does not show it", ErrRollback, r.known[name], r.v.store.Location()), unknownHarm)
	}
	return nil
}

// isFresh tells whether an object is there and was stored since this look began.
func (r *pastReader) isFresh(ctx context.Context, name string) (bool, error) {
	for info, err := range r.v.store.List(ctx, name, "") {
		if err != nil {
			return false, fmt.Errorf("look for %s: %w", name, err)
		}
		if info.Name == name && !r.old(info.Time) {
			return true, nil
		}
	}
	return false, nil
}

// old tells whether what was stored then must have been shown by the listings
// of this look. Stores count whole seconds.
func (r *pastReader) old(stored time.Time) bool { return stored.Before(r.past.Now.Add(-time.Minute)) }

// GoneIn returns the snapshots that are no longer to be kept, by the base names
// of their commits, as [Vault.Gone] does, judged by this past alone: so nothing
// that hides from a listing can make a snapshot seem forgotten. A forget counts
// Safety.ListLag later than it can last be withdrawn: a listing may miss a
// withdrawal of the last moment, and a prune may delete at once what an older
// list condemns.
func (v *Vault) GoneIn(p *Past) map[string]bool {
	s := newSayings(v.safety.ForgetDelay)
	for _, c := range p.Commits {
		to := s.forgets
		if c.Withdraw {
			to = s.withdrawals
		}
		for _, base := range c.Forgets {
			to[base] = append(to[base], said{c.Stored, c.Name().Time})
		}
	}
	var snaps []*Snapshot
	for _, c := range p.Commits {
		if c.Kind == commit.Snapshot {
			goes, forgotten := s.goes(c.Name().Base())
			snaps = append(snaps, &Snapshot{Name: c.Name(), Commit: c.Commit, Stored: c.Stored, Forgotten: forgotten, Goes: goes})
		}
	}
	held := floorHolds(v.Trust().Floor, snaps, p.Now)
	gone := map[string]bool{}
	for _, snap := range snaps {
		if snap.Forgotten && !p.Now.Before(snap.Goes.Add(v.safety.ListLag)) && !held[snap] {
			gone[snap.Name.Base()] = true
		}
	}
	return gone
}
