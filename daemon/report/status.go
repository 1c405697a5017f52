package report

import "time"

// Status is what a daemon says of itself: the answer to coffer status.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Now     time.Time `json:"now"`
	Config  string    `json:"config"` // the file it goes by
	// ConfigError: the file was changed and could not be used; the daemon goes
	// on with what it had.
	ConfigError string      `json:"config_error,omitempty"`
	PausedUntil time.Time   `json:"paused_until,omitzero"`
	Jobs        []JobStatus `json:"jobs"`
}

// JobStatus is how one job stands.
type JobStatus struct {
	Job      string        `json:"job"`
	Verb     string        `json:"verb"`
	Project  string        `json:"project,omitempty"`
	Vault    string        `json:"vault,omitempty"`
	Schedule string        `json:"schedule"`
	Next     time.Time     `json:"next,omitzero"`
	MaxAge   time.Duration `json:"max_age,omitempty"` // 0: no limit
	Running  *Running      `json:"running,omitempty"`
	Waiting  string        `json:"waiting,omitempty"` // why a run that is due does not begin
	Last     *Run          `json:"last,omitempty"`
	First    time.Time     `json:"first"` // when the job was first seen
	LastGood time.Time     `json:"last_good,omitzero"`
	GoodRun  *Run          `json:"good_run,omitempty"` // the newest good run, if it is remembered
	Trying   *Trying       `json:"trying,omitempty"`
}

// Stale tells whether nothing good happened for longer than the job's limit.
func (j *JobStatus) Stale(now time.Time) bool {
	good := j.LastGood
	if good.IsZero() {
		good = j.First // a job that never ran has its time to begin, too
	}
	return j.MaxAge > 0 && now.Sub(good) > j.MaxAge
}

// Running is a run at work.
type Running struct {
	Run      Run    `json:"run"`
	Stage    string `json:"stage"`              // waiting for the network, running a hook, backing up
	Progress string `json:"progress,omitempty"` // in words
}
