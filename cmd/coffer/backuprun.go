package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"coffer/config"
	"coffer/daemon/report"
	"coffer/vault"
	"coffer/vault/backup"
)

// backupProject backs one project up and tells the result. An outcome says
// that it is partial. What was stored is noted in r.
func (d *door) backupProject(ctx context.Context, c *config.Config, f backupFlags, p config.Project, r *report.Run) error {
	ch, err := d.chooseFor(c, p)
	if err != nil {
		return err
	}
	if err := refuseOwn(ch, p.Paths); err != nil {
		return err
	}
	if _, _, err := compression(c, f, onBattery); err != nil {
		return err // before a vault is made
	}
	if f.DryRun {
		return d.dryRun(ctx, f, p, ch)
	}
	v, born, err := d.openOrMake(ctx, ch)
	if err != nil {
		return err
	}
	o, err := d.backupOptions(c, f, p, v)
	if err != nil {
		return err
	}
	o.Uploads, o.Never = ch.vault.Connections, ownPlaces(ch.vault.Remote)
	if born != nil {
		o.Never = ownPlaces(born.remote)
	}
	res, err := d.runBackup(ctx, v, o)
	if err != nil {
		return d.backupFailed(err, born)
	}
	r.Stored = stored(res)
	return d.tellBackup(v, o, res, born)
}

// stored is a result as a run notes it.
func stored(res backup.Result) *report.Stored {
	return &report.Stored{
		Snapshot: res.Snapshot, Unchanged: res.Unchanged, Files: res.Files, Bytes: res.Bytes,
		Read: res.ReadBytes, Uploaded: res.Stored, Unread: res.UnreadCount,
	}
}

// runBackup runs it and shows how far it is.
func (d *door) runBackup(ctx context.Context, v *vault.Vault, o backup.Options) (backup.Result, error) {
	began := time.Now()
	var total atomic.Int64
	defer d.guessTotal(ctx, v, o, &total)()
	m := d.showProgress(func() sample { return backupSample(o.Progress, total.Load(), time.Since(began)) })
	defer m.finish()
	o.OnEvent = d.backupEvent
	return backup.Run(ctx, v, o)
}

// guessTotal finds how much there is to do, which a guess of the time left
// goes by: what the project held last time, or, where someone looks on, what a
// walk beside the first run counts. The function it returns ends that walk.
func (d *door) guessTotal(ctx context.Context, v *vault.Vault, o backup.Options, total *atomic.Int64) (stop func()) {
	for s, err := range v.State().RecentSnapshots() {
		if err == nil && s.Project == string(o.Project) {
			total.Store(s.Bytes)
		}
	}
	if total.Load() > 0 || d.quiet || d.json || !d.draws() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err := backup.DryRun(ctx, backup.DryOptions{Roots: o.Roots, Walk: o.Walk, Never: o.Never})
		if err == nil {
			total.Store(res.Bytes)
		}
	}()
	return func() { cancel(); <-done }
}

// bareFile is an error of a file without its path, which stands beside it.
func bareFile(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
