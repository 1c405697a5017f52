package prune

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/remote"
	"coffer/vault"
)

// Result tells what a prune did.
type Result struct {
	Swept     int // files that staged commits had left in a folder
	Deleted   Tallies
	Repacked  vault.Repacked
	Condemned Tallies
	Lists     []string  // condemned lists that were published
	Waiting   Tallies   // condemned, and to be deleted later
	Ready     time.Time // when the first of them can be, if nothing changes
}

// Run does what the plan says, as far as it is still right: it looks again at
// all of it, and deletes only what is still dead. With an error the Result
// tells what was done until then; a further prune goes on from there. Errors: a
// *StoppedError, a *TooManyError, vault.ErrNoRole, fs.ErrPermission where the
// credentials may not delete, and what the store says. A plan is run once.
func (p *Plan) Run(ctx context.Context) (r Result, err error) {
	if p.o.DryRun {
		return r, nil
	}
	if err := p.Stopped(); err != nil {
		return r, err
	}
	if len(p.Delete) > 0 {
		if r.Swept, err = p.lookAgain(ctx); err != nil {
			return r, err
		}
		if err := p.delete(ctx, &r); err != nil {
			return r, err
		}
	}
	if len(p.chosen) > 0 {
		if err := p.repack(ctx, &r); err != nil {
			return r, err
		}
		if err := p.lookAfter(ctx); err != nil {
			return r, err
		}
	}
	err = p.condemn(ctx, &r)
	r.Waiting, r.Ready = r.Condemned, p.Ready
	r.Waiting.addAll(p.Waiting)
	if len(r.Lists) > 0 && r.Ready.IsZero() {
		r.Ready = p.Now.Add(p.Grace)
	}
	return r, err
}

// lookAfter makes the plan anew after a repack: what it freed can be condemned.
func (p *Plan) lookAfter(ctx context.Context) error {
	again, err := lookAt(ctx, p.v, p.o.Progress, p.at.past.Ends)
	if err != nil {
		return err
	}
	again.contains(p.at)
	p.at = again
	p.sort(again)
	return p.Stopped()
}

// lookAgain makes the plan anew. First it clears away staged commits of which
// nothing would be seen: after that they cannot become visible. Only what was
// to be deleted before that still is: a commit that was staged before a list
// was there, and whose process stopped in publishing it, must be cleared away
// after the list's grace, however long this process slept in between.
func (p *Plan) lookAgain(ctx context.Context) (swept int, err error) {
	if swept, err = remote.Sweep(ctx, p.v.Store()); err != nil {
		return swept, fmt.Errorf("clear away commits that came too late: %w", err)
	}
	again, err := lookAt(ctx, p.v, p.o.Progress, p.at.past.Ends)
	if err != nil {
		return swept, err
	}
	again.contains(p.at)
	p.at = again
	due := p.Delete
	p.sort(again)
	p.deleteOnly(due)
	if err := p.v.MayMaintain(); err != nil {
		return swept, err
	}
	if err := p.Stopped(); err != nil {
		return swept, err
	}
	return swept, p.TooMany()
}

// deleteOnly lets wait what is to be deleted now and was not when due was made.
func (p *Plan) deleteOnly(due []Object) {
	was := map[string]bool{}
	for _, o := range due {
		was[o.Name] = true
	}
	p.Delete = slices.DeleteFunc(p.Delete, func(o Object) bool {
		if !was[o.Name] {
			p.Waiting, p.Ready = append(p.Waiting, o), p.Now
		}
		return !was[o.Name]
	})
}

// deleters is how many objects are deleted at a time. Each is a request of its
// own: of many in one, some stores do half and do not say which.
const deleters = 8

// delete deletes what is to go, each kind to its end before the next.
func (p *Plan) delete(ctx context.Context, r *Result) error {
	p.o.Progress.stage("deleting")
	p.o.Progress.Total.Store(int64(len(p.Delete)))
	for rest := p.Delete; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Kind == rest[0].Kind {
			n++
		}
		done, err := p.deleteAll(ctx, rest[:n])
		r.Deleted[rest[0].Kind] = done
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// deleteAll deletes objects of one kind.
func (p *Plan) deleteAll(ctx context.Context, objects []Object) (done Tally, err error) {
	gone := make([]bool, len(objects))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deleters)
	for i, o := range objects {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !strings.HasPrefix(o.Name, folders[o.Kind]) {
				panic("prune: about to delete " + o.Name)
			}
			if err := p.v.Store().Delete(ctx, o.Name); err != nil {
				return fmt.Errorf("delete %s: %w", o.Name, err)
			}
			gone[i] = true
			p.o.Progress.Done.Add(1)
			return nil
		})
	}
	err = g.Wait()
	for i, o := range objects {
		if gone[i] {
			done.add(o.Size)
		}
	}
	return done, err
}

// listSize is how many names a condemned list holds at most: some 14 MiB.
const listSize = 100_000

// condemn publishes what is dead and was not condemned before.
func (p *Plan) condemn(ctx context.Context, r *Result) error {
	p.o.Progress.stage("publishing what is to go")
	seq := uint64(1)
	for _, l := range p.at.lists {
		if l.Device == p.v.Device() {
			seq = max(seq, l.Seq+1)
		}
	}
	for len(p.Condemn) > 0 {
		part := p.Condemn[:min(len(p.Condemn), listSize)]
		names := make([]string, len(part))
		for i, o := range part {
			names[i] = o.Name
		}
		list, err := p.v.Condemn(ctx, names, seq)
		if err != nil {
			return err
		}
		p.Condemn = p.Condemn[len(part):]
		seq++
		r.Lists = append(r.Lists, list)
		p.mem.left(p.v, list, p.Grace) // it is seen for the first time
		r.Condemned.addAll(part)
	}
	return p.keep()
}
