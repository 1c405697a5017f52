package web

import (
	_ "embed"
	"fmt"
	"html/template"
	"time"

	"coffer/daemon/report"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style []byte

// A page is the template, parsed.
type page struct{ template *template.Template }

func newPage() *page {
	return &page{template.Must(template.New("page").Parse(pageText))}
}

// A view is what the page shows, in words.
type view struct {
	Version string
	Now     moment
	Since   moment
	Notices []string
	Rows    []row
}

// A row is one job.
type row struct {
	Project, Verb, Vault string
	Health               string // a word, and the name of a colour
	Text                 string // the words beside it
	Why, Hint            string
	Good, Next           moment
	Schedule             string
	Stored               string
}

// A moment is a time for people and for programs. The zero moment is never.
type moment struct {
	Text, Machine, Distance string
}

func (o Options) view() view {
	s := o.Status()
	v := view{Version: s.Version, Now: at(s.Now, s.Now), Since: at(s.Since, s.Now), Notices: o.notices()}
	if s.ConfigError != "" {
		v.Notices = append(v.Notices, "The config was changed and cannot be used; what was before is still in effect. "+s.ConfigError)
	}
	if s.Now.Before(s.PausedUntil) {
		v.Notices = append(v.Notices, "Scheduled runs are paused. To go on:  coffer daemon resume")
	}
	for i := range s.Jobs {
		v.Rows = append(v.Rows, rowOf(&s.Jobs[i], s.Now))
	}
	return v
}

// rowOf puts a job into words.
func rowOf(j *report.JobStatus, now time.Time) row {
	r := row{Project: j.Project, Verb: j.Verb, Vault: j.Vault, Schedule: j.Schedule, Good: at(j.LastGood, now), Next: at(j.Next, now)}
	if j.Project == "" && j.Vault == "" {
		r.Project = j.Job
	}
	if j.Last != nil {
		r.Why, r.Hint = j.Last.Why, j.Last.Hint
		if s := j.Last.Stored; s != nil {
			r.Stored = fmt.Sprintf("%d files, %s", s.Files, size(s.Bytes))
		}
	}
	r.Health, r.Text = health(j, now)
	if r.Health == "running" {
		r.Why, r.Hint = j.Running.Progress, ""
	}
	if r.Health == "waiting" {
		r.Why, r.Hint = j.Waiting, ""
	}
	return r
}

// health is the word for a job: the worst first, but a run at work before all,
// since it may be what mends the rest.
func health(j *report.JobStatus, now time.Time) (word, text string) {
	switch {
	case j.Running != nil:
		return "running", "at work: " + j.Running.Stage
	case j.Stale(now):
		return "stale", "nothing good for too long"
	case j.Waiting != "":
		return "waiting", "due, and waits"
	case j.Last == nil:
		return "new", "did not run yet"
	case j.Trying != nil:
		return "failed", "failed, and is tried again"
	case j.Last.Result == report.Failed:
		return "failed", "failed"
	case j.Last.Result == report.Partial:
		return "partial", "done, but not all"
	case j.Last.Result == report.Skipped:
		return "skipped", "skipped"
	}
	return "ok", "ok"
}

// at puts a time into words, beside now.
func at(t, now time.Time) moment {
	if t.IsZero() {
		return moment{Text: "never"}
	}
	t = t.In(now.Location())
	m := moment{Text: t.Format("Mon 2 Jan 2006, 15:04"), Machine: t.Format(time.RFC3339)}
	switch d := now.Sub(t); {
	case d >= time.Minute:
		m.Distance = span(d) + " ago"
	case d <= -time.Minute:
		m.Distance = "in " + span(-d)
	default:
		m.Distance = "now"
	}
	return m
}

// span is a length of time, roughly.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// size is a number of bytes, roughly.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1000, 0
	for ; f >= 999.95; i++ {
		f /= 1000
	}
	return fmt.Sprintf("%.1f %cB", f, units[i])
}
