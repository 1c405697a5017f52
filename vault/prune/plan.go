package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"coffer/vault"
)

// A Plan says what a prune would do. It is a look at one moment: Run looks
// again before it deletes anything.
type Plan struct {
	Now   time.Time     // by the remote's clock, when the plan was made
	Grace time.Duration // how long what is condemned waits on this remote
	// Unsure says that it is not known yet how long that is, because nothing
	// was probed: Grace is the longer time.
	Unsure bool

	Live    Tallies   // what snapshots and runs need
	Delete  []Object  // condemned, its grace is over, and still dead; in the order of deletion
	Condemn []Object  // dead, and not condemned yet
	Waiting []Object  // condemned, and its grace is not over
	Ready   time.Time // when the first of Waiting can be deleted, if nothing changes; zero if none waits
	Partly  Partly    // with Options.Repack: what is dead inside of packs that are needed
	Young   Tallies   // dead, and too young to be condemned: of runs at work or interrupted

	// Stops is why nothing may be deleted: history or objects that are not as
	// they should be. They also stop condemning.
	Stops []vault.Problem
	// Odd is what others left beside the vault; it is never touched.
	Odd []vault.Problem
	// Warnings tell what made the prune more careful.
	Warnings []error

	v   *vault.Vault
	o   Options
	mem *memory
	at  *look

	chosen   []*part
	chosenAt []string // the newest commits when they were chosen
}

// Make looks at the vault and says what a prune would do. It reads every commit
// and ledger that it has not kept, lists all objects, and probes once whether
// the remote refuses commits that come too late. Errors: vault.ErrNoRole,
// vault.ErrNoIdentity if Options.Repack is set and it was not lent, and what the store says; what is wrong with the vault is in Plan.Stops.
func Make(ctx context.Context, v *vault.Vault, o Options) (*Plan, error) {
	if err := v.MayMaintain(); err != nil {
		return nil, err
	}
	if o.Repack && !v.HasIdentity() {
		return nil, vault.ErrNoIdentity
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	if o.MaxDelete == 0 {
		o.MaxDelete = DefaultMaxDelete
	}
	p := &Plan{v: v, o: o}
	var err error
	if p.mem, err = remember(v.State()); err != nil {
		return nil, err
	}
	if p.at, err = lookAt(ctx, v, o.Progress, p.mem.Ends); err != nil {
		return nil, err
	}
	if p.Grace, err = p.mem.grace(ctx, v, !o.DryRun); p.Grace == 0 {
		return nil, err
	}
	p.warn(err)
	p.Unsure = p.mem.Expiry == nil && err == nil
	p.warnOfClock()
	p.sort(p.at)
	if o.Repack && len(p.Stops) == 0 {
		if err := p.lookIntoPacks(ctx); err != nil {
			return nil, err
		}
	}
	return p, p.keep()
}

func (p *Plan) warn(err error) {
	if err != nil {
		p.Warnings = append(p.Warnings, err)
	}
}

// maxSkew is how far this machine's clock may be from the remote's before that
// is told. The remote's decides.
const maxSkew = 5 * time.Minute

func (p *Plan) warnOfClock() {
	if skew := time.Since(p.at.past.Now); skew.Abs() > maxSkew {
		p.warn(fmt.Errorf("this machine's clock and that of %s are %s apart; the remote's counts", p.v.Location(), skew.Abs().Round(time.Second)))
	}
}

// sort decides what is to be done about each dead object.
func (p *Plan) sort(k *look) {
	p.Now, p.Live, p.Stops, p.Odd = k.past.Now, k.live, k.past.Stops, k.past.Odd
	p.Delete, p.Condemn, p.Waiting, p.Ready, p.Young = nil, nil, nil, time.Time{}, Tallies{}
	ready, waiting := p.sentences(k)
	for _, o := range k.dead {
		due, condemned := waiting[o.Name]
		switch {
		case ready[o.Name]:
			p.Delete = append(p.Delete, o)
		case condemned:
			p.Waiting = append(p.Waiting, o)
			if p.Ready.IsZero() || due.Before(p.Ready) {
				p.Ready = due
			}
		case k.past.Now.Sub(o.Stored) >= p.v.Safety().CondemnAge:
			p.Condemn = append(p.Condemn, o)
		default:
			p.Young[o.Kind].add(o.Size)
		}
	}
}

// sentences tells which dead objects a condemned list names whose grace is
// over, and of the others when it will be. A list counts from when the remote
// stored it, or from the trust in force if that is newer: before, some could
// not know that its signer may condemn.
func (p *Plan) sentences(k *look) (ready map[string]bool, waiting map[string]time.Time) {
	dead := map[string]bool{}
	for _, o := range k.dead {
		dead[o.Name] = true
	}
	ready, waiting = map[string]bool{}, map[string]time.Time{}
	for _, list := range k.lists {
		if !slices.ContainsFunc(list.Objects, func(o string) bool { return dead[o] }) {
			delete(p.mem.Lists, list.Name)
			continue
		}
		start := list.Stored
		if k.past.Trust.After(start) {
			start = k.past.Trust
		}
		due := start.Add(p.Grace)
		if by := k.past.Now.Add(p.mem.left(p.v, list.Name, p.Grace)); by.After(due) {
			due = by
		}
		over := !k.past.Now.Before(due)
		for _, o := range list.Objects {
			if over {
				ready[o] = true
			}
			if first, ok := waiting[o]; !ok || due.Before(first) {
				waiting[o] = due
			}
		}
	}
	return ready, waiting
}

// keep remembers what was seen, for the next prune.
func (p *Plan) keep() error {
	if p.o.DryRun {
		return nil
	}
	if len(p.Stops) == 0 {
		p.mem.Ends = p.at.past.Ends
	}
	if err := p.mem.save(p.v.State()); err != nil {
		return fmt.Errorf("note what was seen: %w", err)
	}
	return nil
}

// A StoppedError says that something is wrong with the vault, so that nothing
// may be deleted. It is vault.ErrRollback if the remote shows an older state
// than was seen, else vault.ErrDamaged.
type StoppedError struct{ Problems []vault.Problem }

func (e *StoppedError) Error() string {
	first := e.Problems[0]
	if n := len(e.Problems) - 1; n > 0 {
		return fmt.Sprintf("nothing was deleted: %v (and %d more)", first, n)
	}
	return fmt.Sprintf("nothing was deleted: %v", first)
}

func (e *StoppedError) Unwrap() error {
	if slices.ContainsFunc(e.Problems, func(p vault.Problem) bool { return errors.Is(p.Err, vault.ErrRollback) }) {
		return vault.ErrRollback
	}
	return vault.ErrDamaged
}

// A TooManyError says that more packs would go than one call may delete.
type TooManyError struct{ Packs, Of int64 }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("nothing was deleted: %d of %d packs would go, more than one call may delete", e.Packs, e.Of)
}

// Allow changes which part of all packs may be deleted, as for a person who has
// seen the plan.
func (p *Plan) Allow(part float64) { p.o.MaxDelete = part }

// Stopped returns why nothing may be deleted, or nil.
func (p *Plan) Stopped() error {
	if len(p.Stops) == 0 {
		return nil
	}
	return &StoppedError{p.Stops}
}

// TooMany returns a *TooManyError if more packs would go than may, or nil.
func (p *Plan) TooMany() error {
	n := Count(p.Delete)[Packs].Count
	of := n + p.Live[Packs].Count + p.Young[Packs].Count + Count(p.Condemn)[Packs].Count + Count(p.Waiting)[Packs].Count
	if float64(n) > p.o.MaxDelete*float64(of) {
		return &TooManyError{n, of}
	}
	return nil
}
