package repair

import "context"

// Done tells what a repair did.
type Done struct {
	PutBack  int // objects
	Written  int // ledgers and rolls that something stands in for now
	Rebuilt  bool
	Chunks   int // known again on this device
	Catalog  int // snapshots whose labels and folders are known again on this device
	Warnings []error
}

// Run does what the plan says. If it fails in between, what was done stays,
// and a new plan has the rest.
func (p *Plan) Run(ctx context.Context) (done Done, err error) {
	warn := func(err error) { done.Warnings = append(done.Warnings, err) }
	for _, s := range p.Steps {
		if s.Kind != PutBack {
			continue
		}
		if err := p.v.PutBack(ctx, s.Object); err != nil {
			return done, err
		}
		done.PutBack++
	}
	if err := p.standIns(ctx, &done, warn); err != nil {
		return done, err
	}
	if !p.rebuilds() {
		return done, nil
	}
	got, err := p.v.RebuildState(ctx, warn)
	done.Rebuilt, done.Chunks, done.Catalog = err == nil, got.Chunks, got.Snapshots
	return done, err
}

func (p *Plan) rebuilds() bool {
	for _, s := range p.Steps {
		if s.Kind == State {
			return true
		}
	}
	return false
}

// standIns commits the lists that stand in for others: each ledger has one of
// its own, since what one names need not be what another does.
func (p *Plan) standIns(ctx context.Context, done *Done, warn func(error)) error {
	for _, s := range p.Steps {
		if s.Kind != StandIn {
			continue
		}
		if err := p.v.Replace(ctx, []string{s.Object}, p.packs[s.Object], warn); err != nil {
			return err
		}
		done.Written++
	}
	return nil
}
