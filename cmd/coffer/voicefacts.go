package main

import (
	"os"
	"time"

	"coffer/daemon/notify"
	"coffer/daemon/report"
	"coffer/vault/verify"
)

// wakeGrace is how long after a wake-up no age is an alarm: the run that makes
// up for it comes first, with its wait for the network.
const wakeGrace = 30 * time.Minute

// facts are what is known of a job, for the watch.
func (v *voice) facts(j *report.JobStatus, s report.Status, now time.Time) notify.Facts {
	f := notify.Facts{
		Host: v.host, Project: j.Project, Job: j.Verb, Seen: j.First, LastGood: j.LastGood, MaxAge: j.MaxAge,
		NotBefore: v.woke.Add(min(wakeGrace, j.MaxAge)),
	}
	if j.Project == "" {
		f.Project = j.Vault
	}
	if now.Before(s.PausedUntil) {
		f.MaxAge = 0
	}
	if v.mind.Told[j.Job].Damage != "" {
		f.Whole = v.whole(j.Vault, s)
	}
	l := j.Last
	if l == nil {
		return f
	}
	f.Result, f.ResultAt, f.Tries, f.Why = notify.Result(l.Result), l.End, l.Attempts, forOthers(l.Why)
	f.Final = j.Trying == nil && l.Trigger != report.Hand
	if l.Stored != nil {
		f.Missed = int(l.Stored.Unread)
	}
	switch {
	case l.Outage:
		// A laptop without a network is no news; that nothing good happened for
		// too long is.
		f.Final = false
	case l.Code == exitDamage && l.Result.Good():
		f.Result, f.Damage, f.DamageAt, f.Found = notify.ResultOK, forOthers(l.Why), l.End, l.Found
	case l.Trigger == report.Hand && l.Result == report.Failed:
		f.Result = notify.ResultNone // whoever asked for it has seen it
	}
	return f
}

// whole tells when a verification last found nothing wrong with a vault: one of
// the daemon, or one by hand, which local state remembers.
func (v *voice) whole(vault string, s report.Status) (at time.Time) {
	for _, j := range s.Jobs {
		// What was found while it ran it may have passed before.
		if l := j.Last; j.Verb == "verify" && j.Vault == vault && l != nil && l.Result == report.OK && l.Begin.After(at) {
			at = l.Begin
		}
	}
	known, err := knownVaults()
	if err != nil {
		return at
	}
	for _, ch := range known {
		if last := verify.Last(ch.dir); ch.vault.Remote == v.remotes[vault] && last != nil && last.Problems+last.Doubts == 0 && last.At.After(at) {
			at = last.At
		}
	}
	return at
}

// remindOfKit posts the reminder that the kit is still on this machine.
func (v *voice) remindOfKit(now time.Time) bool {
	vaults, err := knownVaults()
	if err != nil {
		return false
	}
	posted := false
	for _, ch := range vaults {
		if ch.dev.KitPath == "" {
			continue
		}
		info, err := os.Lstat(string(ch.dev.KitPath))
		if err != nil {
			continue
		}
		told, m, ok := notify.WatchKit(v.mind.Kits[ch.dev.Vault], info.ModTime(), v.host, ch.vault.Remote.String(), now)
		if ok {
			v.mind.Kits[ch.dev.Vault] = told
			v.post(m, now)
			posted = true
		}
	}
	return posted
}
