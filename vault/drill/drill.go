package drill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/restore"
)

// Options say what is tried. Snapshot must be set; the zero value of all else
// works.
type Options struct {
	Snapshot *vault.Snapshot
	Label    string // of its project, as people know it, for the report

	Files    int   // drawn by chance, beside the oldest and the largest; 0: 20. Packs, without the identity
	All      bool  // every file
	MaxBytes int64 // that the files drawn have together; 0: 1 GiB. With All there is no limit

	// Target is the folder to restore into, which must not hold anything; it
	// stays. "": one is made for the time of the drill, where the system keeps
	// temporary files.
	Target string

	NoRecord  bool // do not commit how it ended
	Progress  *restore.Progress
	OnProblem func(path string, err error) // a file that was not proven, and why; one call at a time
}

// Run does a drill. The error is why it could not be done to the end; what it
// found is in the Report, which is signed and kept if this is an enrolled
// device.
func Run(ctx context.Context, v *vault.Vault, o Options) (Report, error) {
	if o.Files == 0 {
		o.Files = 20
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	d := &drill{v: v, o: &o}
	d.rep.begin(v, &o)
	work := d.objects
	if v.HasIdentity() {
		work = d.restore
	}
	if err := work(ctx); err != nil {
		return d.rep, err
	}
	d.rep.conclude()
	return d.rep, d.finish(ctx)
}

// A drill is one at work.
type drill struct {
	v   *vault.Vault
	o   *Options
	rep Report
}

// problem tells of a file that was not proven.
func (d *drill) problem(path string, err error) {
	if d.o.OnProblem != nil {
		d.o.OnProblem(path, err)
	}
}

// restore does the real thing.
func (d *drill) restore(ctx context.Context) error {
	began := time.Now()
	src, err := d.v.Source(ctx, d.o.Snapshot)
	if err != nil {
		return err
	}
	picks, err := d.choose(ctx, src)
	if err != nil {
		return err
	}
	if err := d.firstByte(ctx, picks); err != nil {
		return err
	}
	target, clean, err := d.scratch()
	if err != nil {
		return err
	}
	for i, p := range picks {
		if err = d.restoreRoot(ctx, src, p, filepath.Join(target, fmt.Sprint(i+1))); err != nil {
			break
		}
	}
	d.rep.Seconds = time.Since(began).Seconds()
	return errors.Join(err, clean())
}

// scratch returns the folder to restore into, and what takes it away again.
func (d *drill) scratch() (dir string, clean func() error, err error) {
	if d.o.Target == "" {
		dir, err = os.MkdirTemp("", "coffer-drill-")
		return dir, func() error { return removeAll(dir) }, err
	}
	entries, err := os.ReadDir(d.o.Target)
	switch {
	case err == nil && len(entries) > 0:
		return "", nil, fmt.Errorf("drill into %s: %w: it is not empty", d.o.Target, fs.ErrExist)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", nil, err
	}
	return d.o.Target, func() error { return nil }, nil
}

// removeAll removes a folder whose folders may have any mode.
func removeAll(dir string) error {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// restoreRoot restores what was chosen of one root and compares it.
func (d *drill) restoreRoot(ctx context.Context, src *vault.Source, p *pick, target string) error {
	began := time.Now()
	res, err := restore.Run(ctx, src, restore.Options{
		Target: target, Paths: []string{p.root.Path}, Include: p.include, Verify: true, Progress: d.o.Progress,
		OnEvent: func(e restore.Event) {
			switch e.Action {
			case restore.Damaged, restore.Failed, restore.Refused:
				d.problem(filepath.Join(p.root.Path, e.Path), e.Err)
			}
		},
	})
	if err != nil && !errors.Is(err, vault.ErrDamaged) && !errors.Is(err, restore.ErrPartial) {
		return err
	}
	d.rep.restored(&res, time.Since(began))
	return d.compare(ctx, src, p, target)
}

// firstByte measures how long someone in need waits for the first byte: the
// snapshot is opened, one file found in it, and the pack read that has its
// beginning.
func (d *drill) firstByte(ctx context.Context, picks []*pick) error {
	for _, p := range picks {
		if p.first == "" {
			continue
		}
		began := time.Now()
		src, err := d.v.Source(ctx, d.o.Snapshot)
		if err != nil {
			return err
		}
		err = restore.Cat(ctx, src, p.first, stopper{})
		if errors.Is(err, errFirst) {
			d.rep.FirstByte = time.Since(began).Seconds()
			return nil
		}
		if vault.IsRemote(err) {
			return err
		}
		return nil // what is wrong with it the restore finds as well
	}
	return nil
}

// errFirst ends a Cat at its first byte.
var errFirst = errors.New("the first byte has come")

type stopper struct{}

func (stopper) Write([]byte) (int, error) { return 0, errFirst }

// finish signs the report, keeps it, and commits how the drill ended.
func (d *drill) finish(ctx context.Context) error {
	if d.v.Device() == "" {
		return nil
	}
	if err := d.rep.keep(d.v); err != nil {
		return err
	}
	if d.o.NoRecord {
		return nil
	}
	if d.rep.Level == Restored {
		d.rep.NotRecorded = d.v.RecordDrill(ctx, d.rep.detail(), nil)
	} else {
		d.rep.NotRecorded = d.v.RecordCheck(ctx, d.rep.detail(), nil)
	}
	return nil
}

func (r *Report) detail() commit.Detail {
	return commit.Detail{
		Result: r.Result, Snapshot: r.Commit, Objects: uint64(r.Packs), Bytes: uint64(r.PackBytes), Bad: uint64(r.Bad), Missing: uint64(r.Missing),
	}
}
