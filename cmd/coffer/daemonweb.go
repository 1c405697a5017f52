package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"coffer/config"
	"coffer/daemon"
	"coffer/daemon/metrics"
	"coffer/daemon/report"
	"coffer/daemon/web"
	"coffer/vault/verify"
)

// A window is what the daemon shows to who looks in: the page and the metrics,
// and the file of metrics. It counts how runs ended.
type window struct {
	s       *daemonServer
	metrics *metrics.Metrics

	mu      sync.Mutex
	ended   map[string]map[string]int // guarded by mu: by job and result
	file    string                    // guarded by mu: of metrics; "" for none
	address string                    // guarded by mu: in use, and whether others may reach it
	close   context.CancelFunc        // guarded by mu: of the page; nil while there is none
	work    sync.WaitGroup
}

var _ daemon.Voice = (*window)(nil)

func newWindow(s *daemonServer) *window {
	w := &window{s: s, ended: map[string]map[string]int{}}
	w.metrics = metrics.New(w.snapshot)
	return w
}

// set takes over what the config says. A page whose address cannot be opened is
// an error in the log: backups go on without it.
func (w *window) set(c config.Daemon) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file = c.MetricsFile
	wanted := fmt.Sprint(c.WebAddress, " ", c.WebAllowRemote)
	if wanted == w.address {
		return
	}
	if w.close != nil {
		w.close()
		w.close = nil
	}
	w.address = wanted
	if c.WebAddress == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := web.Listen(ctx, c.WebAddress, c.WebAllowRemote)
	if err != nil {
		cancel()
		w.address = "" // the next reload tries again
		w.s.log.Error("the page cannot be shown", "why", err)
		return
	}
	w.s.log.Info("the page is shown", "address", l.Addr().String())
	h := web.Handler(web.Options{Status: w.s.daemon.Status, Notices: w.notices, Metrics: w.metrics.Handler(), AnyName: c.WebAllowRemote})
	w.close = cancel
	w.work.Go(func() {
		if err := web.Serve(ctx, l, h); err != nil && ctx.Err() == nil {
			w.s.log.Error("the page is shown no more", "why", err)
		}
	})
}

// notices are what the owner should do.
func (w *window) notices() []string {
	vaults, err := knownVaults()
	if err != nil {
		return nil
	}
	var out []string
	for _, ch := range vaults {
		if kitIsHere(ch) {
			out = append(out, "The recovery kit of the vault at "+ch.vault.Remote.String()+" is still on this machine. Put a copy elsewhere, then: coffer kit confirm COPY")
		}
	}
	return out
}

// kitIsHere tells whether the kit of a vault is still where it was made.
func kitIsHere(ch chosen) bool {
	if ch.dev.KitPath == "" {
		return false
	}
	_, err := os.Lstat(string(ch.dev.KitPath))
	return err == nil
}

// snapshot is what the metrics tell.
func (w *window) snapshot() metrics.Snapshot {
	s := w.s.daemon.Status()
	out := metrics.Snapshot{Version: s.Version, Start: s.Since, Paused: s.Now.Before(s.PausedUntil)}
	for i := range s.Jobs {
		out.Jobs = append(out.Jobs, w.job(&s.Jobs[i]))
	}
	w.s.mu.Lock()
	c := w.s.config
	w.s.mu.Unlock()
	for _, v := range c.Vaults {
		out.Vaults = append(out.Vaults, w.vault(c, v))
	}
	return out
}

func (w *window) job(j *report.JobStatus) metrics.Job {
	out := metrics.Job{
		Project: j.Project, Vault: j.Vault, Kind: j.Verb, FirstSeen: j.First, LastSuccess: j.LastGood,
		Next: j.Next, MaxAge: j.MaxAge, Running: j.Running != nil, Ended: map[string]int{},
	}
	if l := j.Last; l != nil {
		out.LastRun, out.Duration, out.Result = l.End, l.End.Sub(l.Begin), string(l.Result)
	}
	if g := j.GoodRun; g != nil && g.Stored != nil {
		out.Newest = &metrics.Content{Files: g.Stored.Files, Bytes: g.Stored.Bytes, Stored: g.Stored.Uploaded, Unread: g.Stored.Unread}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for result, n := range w.ended[j.Job] {
		out.Ended[result] = n
	}
	return out
}

func (w *window) vault(c *config.Config, v config.Vault) metrics.Vault {
	out := metrics.Vault{Name: v.Name, Bytes: -1, Snapshots: -1}
	ch, err := (&door{}).choose(c, v.Name, nil)
	if err != nil || ch.dir == nil {
		return out
	}
	out.KitConfirmed = !kitIsHere(ch)
	if last := verify.Last(ch.dir); last != nil {
		out.LastVerified, out.Damaged, out.Bytes = last.At, last.Problems > 0, last.Bytes
	}
	return out
}

func (w *window) Began(report.Run) {}

// Ended counts, and writes the file.
func (w *window) Ended(r report.Run, _ bool) {
	w.mu.Lock()
	if w.ended[r.Job] == nil {
		w.ended[r.Job] = map[string]int{}
	}
	w.ended[r.Job][string(r.Result)]++
	file := w.file
	w.mu.Unlock()
	if file == "" {
		return
	}
	if err := w.metrics.WriteFile(file); err != nil {
		w.s.log.Error("the file of metrics cannot be written", "why", err)
	}
}

func (w *window) Look(time.Time, report.Status) {}

func (w *window) Close() {
	w.mu.Lock()
	if w.close != nil {
		w.close()
	}
	w.mu.Unlock()
	w.work.Wait()
}

// voices are several as one.
type voices []daemon.Voice

var _ daemon.Voice = voices(nil)

func (v voices) Began(r report.Run) {
	for _, one := range v {
		one.Began(r)
	}
}

func (v voices) Ended(r report.Run, final bool) {
	for _, one := range v {
		one.Ended(r, final)
	}
}

func (v voices) Look(now time.Time, s report.Status) {
	for _, one := range v {
		one.Look(now, s)
	}
}

func (v voices) Close() {
	for _, one := range v {
		one.Close()
	}
}
