package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A collector makes metrics of a snapshot when it is asked to.
type collector struct {
	source func() Snapshot

	info, start, paused                                             *prometheus.Desc
	first, success, ended, duration, result, next, maxAge, on, runs *prometheus.Desc
	files, bytes, stored, unread                                    *prometheus.Desc
	vaultBytes, vaultSnapshots, verified, damaged, kit              *prometheus.Desc
}

func newCollector(source func() Snapshot) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("coffer_"+name, help, labels, nil)
	}
	job := func(name, help string, more ...string) *prometheus.Desc {
		return desc(name, help, append([]string{"kind", "project", "vault"}, more...)...)
	}
	vault := func(name, help string) *prometheus.Desc { return desc(name, help, "vault") }
	return &collector{
		source:   source,
		info:     desc("build_info", "Always 1; the label tells the version.", "version"),
		start:    desc("start_timestamp_seconds", "When the daemon started."),
		paused:   desc("paused", "1 if no scheduled run begins because somebody paused them."),
		first:    job("job_first_seen_timestamp_seconds", "When the daemon first knew of the job."),
		success:  job("job_last_success_timestamp_seconds", "When the newest good run of the job began."),
		ended:    job("job_last_run_timestamp_seconds", "When the newest run of the job ended, however it did."),
		duration: job("job_last_run_duration_seconds", "How long the newest run of the job took."),
		result:   job("job_last_run_result", "1 for the result of the newest run of the job, 0 for the others.", "result"),
		next:     job("job_next_run_timestamp_seconds", "When the job is due next; in the past if it is owed."),
		maxAge:   job("job_max_age_seconds", "How old the newest good run of the job may be before that is an alarm."),
		on:       job("job_running", "1 while a run of the job is at work."),
		runs:     job("job_runs_total", "Runs of the job that ended since the daemon started, by result.", "result"),
		files:    job("backup_files", "Files in the newest good backup."),
		bytes:    job("backup_bytes", "Size of the files in the newest good backup."),
		stored:   job("backup_stored_bytes", "What the newest good backup added to the vault."),
		unread:   job("backup_unread_files", "Files and folders that the newest good backup could not read."),

		vaultBytes:     vault("vault_bytes", "What the vault holds on its remote."),
		vaultSnapshots: vault("vault_snapshots", "Snapshots that the vault holds."),
		verified:       vault("vault_last_verified_timestamp_seconds", "When the vault was last verified."),
		damaged:        vault("vault_damaged", "1 if the newest look at the vault found something wrong."),
		kit:            vault("vault_kit_confirmed", "1 if a copy of the recovery kit was tried, 0 if it is still to be."),
	}
}

// Describe names every metric there can be.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.info, c.start, c.paused, c.first, c.success, c.ended, c.duration, c.result, c.next, c.maxAge, c.on, c.runs,
		c.files, c.bytes, c.stored, c.unread, c.vaultBytes, c.vaultSnapshots, c.verified, c.damaged, c.kit,
	} {
		out <- d
	}
}

// A teller sends values of one snapshot.
type teller chan<- prometheus.Metric

func (t teller) gauge(d *prometheus.Desc, v float64, labels ...string) {
	t <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// count leaves out what is not known.
func (t teller) count(d *prometheus.Desc, n int64, labels ...string) {
	if n >= 0 {
		t.gauge(d, float64(n), labels...)
	}
}

func (t teller) time(d *prometheus.Desc, at time.Time, labels ...string) {
	if !at.IsZero() {
		t.gauge(d, float64(at.UnixMilli())/1000, labels...)
	}
}

func (t teller) flag(d *prometheus.Desc, is bool, labels ...string) {
	v := 0.0
	if is {
		v = 1
	}
	t.gauge(d, v, labels...)
}

// Collect tells what the source knows now.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	t, s := teller(out), c.source()
	t.gauge(c.info, 1, label(s.Version))
	t.time(c.start, s.Start)
	t.flag(c.paused, s.Paused)
	for _, j := range s.Jobs {
		c.job(t, j)
	}
	for _, v := range s.Vaults {
		name := label(v.Name)
		t.count(c.vaultBytes, v.Bytes, name)
		t.count(c.vaultSnapshots, int64(v.Snapshots), name)
		t.time(c.verified, v.LastVerified, name)
		t.flag(c.damaged, v.Damaged, name)
		t.flag(c.kit, v.KitConfirmed, name)
	}
}

// job tells of one job.
func (c *collector) job(t teller, j Job) {
	labels := []string{label(j.Kind), label(j.Project), label(j.Vault)}
	with := func(result string) []string { return append(labels[:3:3], result) }
	t.time(c.first, j.FirstSeen, labels...)
	t.time(c.success, j.LastSuccess, labels...)
	t.time(c.ended, j.LastRun, labels...)
	t.time(c.next, j.Next, labels...)
	t.flag(c.on, j.Running, labels...)
	if j.MaxAge > 0 {
		t.gauge(c.maxAge, j.MaxAge.Seconds(), labels...)
	}
	if !j.LastRun.IsZero() {
		t.gauge(c.duration, j.Duration.Seconds(), labels...)
	}
	for _, result := range Results {
		if j.Result != "" {
			t.flag(c.result, j.Result == result, with(result)...)
		}
		t <- prometheus.MustNewConstMetric(c.runs, prometheus.CounterValue, float64(j.Ended[result]), with(result)...)
	}
	if n := j.Newest; n != nil {
		t.count(c.files, n.Files, labels...)
		t.count(c.bytes, n.Bytes, labels...)
		t.count(c.stored, n.Stored, labels...)
		t.count(c.unread, n.Unread, labels...)
	}
}
