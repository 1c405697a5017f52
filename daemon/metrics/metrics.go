// Package metrics tells Prometheus how the backups fare: over HTTP, or in a
// text file that a node exporter collects. It knows no other room; a function
// gives it plain values, and it keeps none of them.
//
// Names begin with coffer_, times are Unix seconds, sizes are bytes. What is
// not known is left out rather than told as zero, so that
//
//	time() - (coffer_job_last_success_timestamp_seconds or coffer_job_first_seen_timestamp_seconds)
//	  > coffer_job_max_age_seconds
//
// is an alarm that means what it says, also of a job that never ran, and of a
// text file that a dead daemon left behind.
// Labels hold names of projects and vaults, never addresses, folders or files.
// The registry is private: nothing about the Go runtime is told, and nothing
// that other code registers.
package metrics

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Snapshot is what is known at one moment. A zero time or duration says
// that there is none, or that it is not known.
type Snapshot struct {
	Version string
	Start   time.Time // of the daemon
	Paused  bool      // no scheduled run begins
	Jobs    []Job
	Vaults  []Vault
}

// Results are all there are.
var Results = []string{"ok", "partial", "skipped", "failed"}

// A Job is one kind of work for one project, or for a vault as a whole. Project
// and Kind together, or Vault and Kind, are found only once.
type Job struct {
	Project, Vault string // Project is "" for the jobs of a vault
	Kind           string // backup, verify, ...

	FirstSeen   time.Time // when the daemon first knew of it
	LastSuccess time.Time // begin of the newest good run
	LastRun     time.Time // end of the newest run
	Duration    time.Duration
	Result      string         // of the newest run, one of Results; "" is none
	Next        time.Time      // when it is due next
	MaxAge      time.Duration  // from which age on it is an alarm
	Running     bool           // it is at work now
	Ended       map[string]int // runs since the daemon started, by result

	Newest *Content // of the newest good backup, nil for other kinds
}

// Content is what a backup holds.
type Content struct {
	Files  int64
	Bytes  int64 // of those files
	Stored int64 // what the run added to the vault, in bytes
	Unread int64 // files and folders that could not be read
}

// A Vault is where backups rest.
type Vault struct {
	Name         string
	Bytes        int64 // stored; negative is not known
	Snapshots    int   // negative is not known
	LastVerified time.Time
	Damaged      bool // the newest look at it found something wrong
	KitConfirmed bool // a copy of the recovery kit was tried
}

// Metrics answers who asks. Its methods may be called at once, and then call
// the source at once.
type Metrics struct{ registry *prometheus.Registry }

// New makes metrics of a source, which is asked each time anew and should
// answer from memory.
func New(source func() Snapshot) *Metrics {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(newCollector(source))
	return &Metrics{r}
}

// Handler returns what answers GET /metrics. It compresses nothing: the answer
// is a few kilobytes to the same machine.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: 4})
}

// WriteFile writes the metrics to a file that others may read (mode 0644), as
// a node exporter runs as a user of its own. The file is replaced as a whole;
// its folder must exist, and its name should end in .prom.
func (m *Metrics) WriteFile(name string) error {
	if err := prometheus.WriteToTextfile(name, m.registry); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// label makes a value that can be one.
func label(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
