package main

import (
	"errors"
	"testing"
	"time"

	"coffer/daemon/notify"
	"coffer/daemon/report"
)

// Damage of other objects is another finding, though it is told in the same
// words; the code and the hint stay what they were.
func TestFindings(t *testing.T) {
	d := new(door)
	seen := map[string]bool{}
	for _, objects := range [][]string{{"packs/a"}, {"packs/b"}, {"packs/a", "packs/b"}} {
		v := d.judge(t.Context(), found(outcome{exitDamage, "1 problem"}, objects))
		if v.Result != report.Partial || v.Code != exitDamage || v.Why != "1 problem" || v.Found == "" || seen[v.Found] {
			t.Errorf("%v: %+v", objects, v)
		}
		seen[v.Found] = true
	}
	same := d.judge(t.Context(), found(told{errors.New("1 problem"), exitDamage, "do this"}, []string{"packs/b", "packs/a", "packs/b"}))
	if !seen[same.Found] || same.Code != exitDamage || same.Hint != "do this" {
		t.Errorf("%+v", same)
	}
	if v := d.judge(t.Context(), found(outcome{exitDamage, "1 problem"}, nil)); v.Found != "" || v.Code != exitDamage {
		t.Errorf("nothing new: %+v", v)
	}
}

// What a backup found open only a verification of the same vault can close.
func TestVoiceKnowsWhoLooked(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_STATE_HOME", "")
	now := time.Now()
	v := &voice{mind: &voiceMind{Told: map[string]notify.Told{"backup p": {Damage: "lost", DamageSince: now.Add(-2 * time.Hour)}}}}
	run := func(result report.Result, ago time.Duration) *report.Run {
		return &report.Run{Result: result, Begin: now.Add(-ago), End: now, Found: "f"}
	}
	backup := report.JobStatus{Job: "backup p", Verb: "backup", Project: "p", Vault: "home", Last: run(report.OK, time.Minute)}
	for _, c := range []struct {
		job  report.JobStatus
		want bool
	}{
		{report.JobStatus{Job: "verify home", Verb: "verify", Vault: "home", Last: run(report.OK, time.Hour)}, true},
		{report.JobStatus{Job: "verify home", Verb: "verify", Vault: "home", Last: run(report.Partial, time.Hour)}, false},
		{report.JobStatus{Job: "verify other", Verb: "verify", Vault: "other", Last: run(report.OK, time.Hour)}, false},
		{report.JobStatus{Job: "drill home", Verb: "drill", Vault: "home", Last: run(report.OK, time.Hour)}, false},
	} {
		f := v.facts(&backup, report.Status{Jobs: []report.JobStatus{backup, c.job}}, now)
		_, messages := notify.Watch(v.mind.Told["backup p"], f, now)
		if told := len(messages) > 0; told != c.want {
			t.Errorf("%s, %s: told %v", c.job.Job, c.job.Last.Result, messages)
		}
	}
	backup.Last = run(report.Partial, 0)
	backup.Last.Code, backup.Last.Why = exitDamage, "lost"
	if f := v.facts(&backup, report.Status{}, now); f.Found != "f" || f.Damage != "lost" || f.Result != notify.ResultOK {
		t.Errorf("%+v", f)
	}
}
