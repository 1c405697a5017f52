package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"coffer/config"
	"coffer/daemon"
	"coffer/daemon/control"
	"coffer/daemon/report"
)

// backupOrder is a backup that a command hands to the daemon.
type backupOrder struct {
	Flags    backupFlags `json:"flags"`
	Projects []string    `json:"projects"`
	JSON     bool        `json:"json,omitempty"`
	Quiet    bool        `json:"quiet,omitempty"`
	Verbose  bool        `json:"verbose,omitempty"`
	Terminal bool        `json:"terminal,omitempty"`
}

// leftTo is an exit code whose words were printed already.
type leftTo int

func (e leftTo) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// handled is the end of a command whose work was done elsewhere.
func handled(exit int, err error) error {
	if err == nil && exit != exitOK {
		return leftTo(exit)
	}
	return err
}

// handOver lets a running daemon do the backup, if there is one that knows all
// of the projects and nothing on the command line says another place or key.
// What it prints is printed here. done is false if this process must do it.
func (d *door) handOver(ctx context.Context, c *config.Config, f backupFlags, projects []config.Project) (exit int, done bool, err error) {
	if d.onBehalf != nil || f.Here || f.DryRun || f.To != "" || d.remote != "" || d.vault != "" || d.kit != "" || d.identity != "" {
		return 0, false, nil
	}
	o := backupOrder{Flags: f, JSON: d.json, Quiet: d.quiet, Verbose: d.verbose, Terminal: d.draws()}
	for _, p := range projects {
		if _, err := c.Project(p.Name); err != nil {
			return 0, false, nil // folders: they are no job of the daemon's
		}
		o.Projects = append(o.Projects, p.Name)
	}
	client, err := d.daemonOf(ctx, o.Projects)
	if client == nil || err != nil {
		return 0, false, err
	}
	defer client.Close()
	exit, err = d.watchFar(ctx, client, o)
	if err != nil {
		return 0, true, hinted(err, "what was stored is kept; see how it stands:  coffer status\nor do it in this process:  coffer backup now --here")
	}
	return exit, true, nil
}

// daemonOf finds a running daemon that goes by the same config and has a job
// for each project; nil if there is none.
func (d *door) daemonOf(ctx context.Context, projects []string) (*control.Client, error) {
	client, err := d.dialDaemon(ctx)
	if errors.Is(err, control.ErrNoDaemon) {
		return nil, nil
	}
	if err != nil {
		d.note("the daemon cannot be asked, so this process does the work: %v", err)
		return nil, nil
	}
	status, err := client.Status(ctx)
	path, _ := d.configPath()
	if err != nil || !sameFile(path, status.Config) || !hasJobs(status, projects) {
		client.Close()
		return nil, nil
	}
	return client, nil
}

func (d *door) dialDaemon(ctx context.Context) (*control.Client, error) {
	path, err := socketPath()
	if err != nil {
		return nil, err
	}
	return control.Dial(ctx, path)
}

func hasJobs(s report.Status, projects []string) bool {
	jobs := map[string]bool{}
	for _, j := range s.Jobs {
		jobs[j.Job] = true
	}
	for _, p := range projects {
		if !jobs[backupJob(p)] {
			return false
		}
	}
	return true
}

// socketPath is where a daemon listens.
func socketPath() (string, error) {
	if p := os.Getenv("COFFER_SOCKET"); p != "" {
		return filepath.Abs(p)
	}
	dir, err := daemonDir()
	return filepath.Join(dir, "control.sock"), err
}

// daemonDir is where a daemon keeps what it remembers.
func daemonDir() (string, error) {
	root, err := stateRoot()
	return filepath.Join(root, "daemon"), err
}

// watchFar shows work that a daemon does as if it were done here.
func (d *door) watchFar(ctx context.Context, client *control.Client, o backupOrder) (int, error) {
	var state atomic.Pointer[farState]
	var m *meter
	defer func() {
		if m != nil {
			m.finish()
		}
	}()
	return client.Do(ctx, o, func(f control.Frame) {
		switch {
		case f.Out != nil:
			_, _ = d.out.Write(f.Out)
		case f.Err != nil:
			d.writeAbove(f.Err)
		case string(f.State) == "null" && m != nil:
			m.finish()
			m = nil
		case f.State != nil:
			s := new(farState)
			if json.Unmarshal(f.State, s) != nil || s.Text == "" {
				return
			}
			if state.Swap(s); m == nil {
				m = d.showProgress(func() sample { now := state.Load(); return sample{text: now.Text, current: now.Current} })
			}
		}
	})
}

// daemonWork does for a command what it handed over.
func (d *door) daemonWork(dm *daemon.Daemon) control.Work {
	return func(ctx context.Context, request json.RawMessage, s *control.Stream) int {
		var o backupOrder
		b := &behalf{stream: s}
		sub := d.sub(s.Out(), s.Err(), b)
		if err := json.Unmarshal(request, &o); err != nil {
			return sub.leave(ctx, usagef("the command and the daemon are of different versions; start the daemon anew", "read the order: %w", err))
		}
		sub.json, sub.quiet, sub.verbose, b.terminal = o.JSON, o.Quiet, o.Verbose, o.Terminal
		b.around = func(ctx context.Context, p config.Project, do body) error { return sub.byDaemon(ctx, dm, p, do) }
		return sub.leave(ctx, sub.backupNow(ctx, o.Flags, o.Projects))
	}
}

// byDaemon runs a project's backup as the daemon's job.
func (d *door) byDaemon(ctx context.Context, dm *daemon.Daemon, p config.Project, do body) error {
	name := backupJob(p.Name)
	d.onBehalf.progress = func(look func() string) { dm.OnProgress(name, look) }
	var err error
	began := false
	r, handErr := dm.Hand(ctx, name, func(ctx context.Context, r *report.Run) error {
		began = true
		err = do(ctx, r)
		return err
	}, func(why string) { d.note("%s", why) })
	if handErr != nil {
		return handErr
	}
	return aroundError(r, err, began)
}
