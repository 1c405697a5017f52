package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"coffer/files"
	"coffer/vault/manifest"
)

// restore is one call of Run.
type restore struct {
	src     marked
	o       Options
	writes  files.WriterOptions
	uid     int // who we are
	gid     int
	rec     *recorder
	began   time.Time
	counted bool                 // the totals of the progress are known
	names   map[string]string    // of owners, each once
	links   map[string]linkTable // by the name of the root
	packs   map[packKey]bool     // needed, in a dry run
}

type packKey struct {
	series [8]byte
	number uint32
}

// Run restores what o asks for. What cannot be restored does not stop the
// rest: then the Result lists it, and the error is vault.ErrDamaged if the
// vault is at fault for any of it, else ErrPartial. Any other error ended the
// work early: that of ctx, of a remote that does not answer, of a full disk,
// of options that contradict each other; then the Result says how far it got,
// no unfinished file is left, and the same call again goes on from there.
func Run(ctx context.Context, src Source, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	r := &restore{
		src: marked{src}, o: o, writes: o.writerOptions(), began: time.Now(),
		uid: os.Geteuid(), gid: os.Getegid(),
		rec:   &recorder{onEvent: o.OnEvent, progress: o.Progress, res: Result{DryRun: o.DryRun}},
		names: map[string]string{}, links: map[string]linkTable{}, packs: map[packKey]bool{},
	}
	err := r.run(ctx)
	res := r.rec.res
	res.Elapsed = time.Since(r.began)
	if err != nil {
		res.Interrupted = true
		return res, unmark(err)
	}
	return res, res.Err()
}

// unmark takes the mark of this package off an error.
func unmark(err error) error {
	if stop, ok := errors.AsType[*stopError](err); ok {
		return stop.err
	}
	return err
}

func (r *restore) run(ctx context.Context) error {
	sift := newSift(r.o.Include, r.o.Exclude)
	sels, err := newView(r.src.Body()).resolve(ctx, r.src, r.o.Paths)
	if err != nil {
		return err
	}
	r.totals(sels)
	list, err := jobs(sels, &r.o)
	if err != nil {
		return err
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].dir == list[0].dir {
			n++
		}
		if err := r.into(ctx, list[0].dir, list[:n], sift); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// totals takes the totals of the progress from the body, if all is restored.
func (r *restore) totals(sels []selection) {
	body := r.src.Body()
	for _, s := range sels {
		if s.path != "" || len(sels) < len(body.Roots) || len(r.o.Include)+len(r.o.Exclude) > 0 {
			return
		}
	}
	r.counted = true
	if r.o.Progress != nil {
		r.o.Progress.TotalFiles.Store(body.Counts.Files)
		r.o.Progress.TotalBytes.Store(body.Counts.Bytes)
	}
}

// into restores jobs that share a target.
func (r *restore) into(ctx context.Context, dir string, list []job, s *sift) (err error) {
	to, err := openTarget(dir, &r.o, r.writes)
	if err != nil {
		return fmt.Errorf("restore into %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	for _, j := range list {
		name := j.sel.root.name
		if r.links[name] == nil {
			r.links[name] = linkTable{}
		}
		p := &planner{restore: r, sel: j.sel, to: to, dest: j.dest, sift: s, links: r.links[name]}
		if err := p.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wouldWrite counts in a dry run what a file needs.
func (p *planner) wouldWrite(ctx context.Context, e *manifest.Entry, at string) error {
	for ref, err := range manifest.Refs(ctx, e, p.src.Segment) {
		if isDamage(err) {
			p.tell(Damaged, at, e.Stat, err)
			p.settle(e)
			return nil
		}
		if err != nil {
			return err
		}
		if k := (packKey{ref.Series, ref.Number}); !p.packs[k] {
			p.packs[k] = true
			p.rec.res.Packs++
		}
	}
	p.settle(e)
	p.tell(Restored, at, e.Stat, nil)
	return nil
}
