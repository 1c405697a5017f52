package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"coffer/config"
	"coffer/daemon"
	"coffer/daemon/notify"
	"coffer/daemon/report"
)

// A voice tells people, and services that watch, how the daemon's work goes.
// Messages wait in an outbox on the disk until they are delivered, and all that
// takes time happens beside the loop.
type voice struct {
	store  *report.Store
	log    *slog.Logger
	host   string
	sender *notify.Sender
	ctx    context.Context // of what is sent; ended by Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	mind    *voiceMind               // guarded by mu
	targets []notify.Target          // guarded by mu
	pingers []projectPinger          // guarded by mu
	sending map[string]bool          // guarded by mu: targets to which a letter is on its way
	since   time.Time                // guarded by mu: the last look
	woke    time.Time                // guarded by mu: when the machine woke up or the daemon began
	offline bool                     // guarded by mu: the last delivery found no network
	remotes map[string]config.Remote // guarded by mu: by the names of vaults in the config
}

// voiceMind is what a voice remembers.
type voiceMind struct {
	Told   map[string]notify.Told `json:"told"` // by job
	Outbox notify.Outbox          `json:"outbox"`
	Kits   map[string]time.Time   `json:"kits"` // by vault: when the last reminder was sent
}

// projectPinger is somebody who is told of every run of some projects.
type projectPinger struct {
	name     string
	projects []string // empty is all
	pinger   *notify.Pinger
}

var _ daemon.Voice = (*voice)(nil)

const voiceFile = "voice.json"

// wallNow is the time by the wall clock alone, which goes on while the machine
// sleeps.
func wallNow() time.Time { return time.Now().Round(0) }

// newVoice makes a voice that remembers what was told before.
func newVoice(store *report.Store, log *slog.Logger) *voice {
	mind, err := report.Load[voiceMind](store, voiceFile)
	if err != nil {
		log.Warn("what people were told is not known any more; some of it may be told again", "why", err)
	}
	if mind.Told == nil {
		mind.Told = map[string]notify.Told{}
	}
	if mind.Kits == nil {
		mind.Kits = map[string]time.Time{}
	}
	name, _ := os.Hostname()
	v := &voice{store: store, log: log, host: name, mind: mind, sender: notify.NewSender(notify.SenderOptions{}), sending: map[string]bool{}, woke: wallNow()}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Began pings that a run begins.
func (v *voice) Began(r report.Run) { v.ping(r, notify.PingStart, "") }

// Ended pings how a run ended. What is tried again is no failure yet.
func (v *voice) Ended(r report.Run, final bool) {
	kind := notify.PingLog
	switch {
	case r.Result == report.OK:
		kind = notify.PingSuccess
	case r.Code == exitInterrupted: // somebody ended it, or it goes on at the next start
	case r.Result == report.Partial, r.Result == report.Failed && (final || r.Trigger == report.Hand):
		kind = notify.PingFail
	}
	v.ping(r, kind, runText(r))
}

// runText is what a ping says of a run: never a name of a file.
func runText(r report.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s after %s\n", r.Job, r.Result, r.End.Sub(r.Begin).Round(time.Second))
	if r.Why != "" {
		fmt.Fprintf(&b, "%s\n", forOthers(r.Why))
	}
	if s := r.Stored; s != nil {
		fmt.Fprintf(&b, "snapshot %.8s: %s, %s; %s stored\n", s.Snapshot, plural(s.Files, "file"), bytesText(s.Bytes), bytesText(s.Uploaded))
		if s.Unread > 0 {
			fmt.Fprintf(&b, "%s could not be read\n", plural(s.Unread, "entry"))
		}
	}
	return b.String()
}

func (v *voice) ping(r report.Run, kind notify.PingKind, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.pingers {
		if r.Project == "" && len(p.projects) > 0 || r.Project != "" && len(p.projects) > 0 && !slices.Contains(p.projects, r.Project) {
			continue
		}
		if r.Verb != "backup" && kind != notify.PingFail {
			continue // a service counts the runs of what it watches: the backups
		}
		v.work.Go(func() {
			if err := p.pinger.Ping(v.ctx, kind, r.ID, text); err != nil {
				v.log.Warn("a ping was not delivered", "notify", p.name, "why", err)
			}
		})
	}
}

// Look tells what changed, and sends what is due.
func (v *voice) Look(now time.Time, s report.Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.since) > 3*daemon.Step || now.Before(v.since) {
		v.woke = now // it slept, or its clock was set
	}
	v.since = now
	if len(v.targets) == 0 {
		return
	}
	changed := false
	for i := range s.Jobs {
		j := &s.Jobs[i]
		told, messages := notify.Watch(v.mind.Told[j.Job], v.facts(j, s, now), now)
		v.mind.Told[j.Job] = told
		for _, m := range messages {
			v.log.Info("telling", "event", m.Event, "subject", m.Subject)
			v.post(m, now)
			changed = true
		}
	}
	changed = v.remindOfKit(now) || changed
	if changed {
		v.save()
	}
	v.deliver(now)
}

// post puts a message into the outbox.
func (v *voice) post(m notify.Message, now time.Time) {
	for _, l := range v.mind.Outbox.Post(m, v.targets, now) {
		v.log.Warn("a message was never delivered", "notify", l.Target, "subject", l.Message.Subject)
	}
}

// deliver sends what is due, one letter to each target at a time. The caller
// holds mu.
func (v *voice) deliver(now time.Time) {
	for _, l := range v.mind.Outbox.Due(now) {
		i := slices.IndexFunc(v.targets, func(t notify.Target) bool { return t.Name == l.Target })
		if i < 0 || v.sending[l.Target] {
			continue
		}
		v.sending[l.Target] = true
		t := v.targets[i]
		v.work.Go(func() { v.send(t, l) })
	}
}

func (v *voice) send(t notify.Target, l notify.Letter) {
	err := v.sender.Send(v.ctx, t, l.Message, wallNow())
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sending, t.Name)
	if errors.Is(v.ctx.Err(), context.Canceled) {
		return // it stays in the outbox
	}
	now := wallNow()
	if v.mind.Outbox.Settle(l.ID, err, now) {
		v.log.Error("a message was given up", "notify", t.Name, "subject", l.Message.Subject, "why", err)
	} else if err != nil {
		v.log.Warn("a message waits for its next try", "notify", t.Name, "subject", l.Message.Subject, "why", err)
	}
	if err == nil && v.offline {
		v.mind.Outbox.Hurry(now) // the network is back
	}
	v.offline = err != nil
	v.save()
	if err == nil {
		v.deliver(now)
	}
}

// save saves what is remembered. The caller holds mu.
func (v *voice) save() {
	if err := v.store.Save(voiceFile, v.mind); err != nil {
		v.log.Error("what people were told could not be saved", "why", err)
	}
}

// closeGrace is how long the daemon's end waits for what is on its way.
const closeGrace = 2 * time.Second

// Close waits a moment for what is on its way. The rest stays in the outbox.
func (v *voice) Close() {
	done := make(chan struct{})
	go func() { v.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(closeGrace):
	}
	v.cancel()
	<-done
}
