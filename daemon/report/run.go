package report

import (
	"crypto/rand"
	"fmt"
	"time"
)

// A Result is how a run ended.
type Result string

const (
	OK      Result = "ok"
	Partial Result = "partial" // done, but something could not be read, or damage was found
	Skipped Result = "skipped" // a condition kept it from running; Run.Why says which
	Failed  Result = "failed"
)

// Good tells whether the run made what it was for: a partial snapshot is one.
func (r Result) Good() bool { return r == OK || r == Partial }

// A Trigger is why a run began.
type Trigger string

const (
	Scheduled Trigger = "schedule" // its time had come
	CatchUp   Trigger = "catch-up" // its time had come while the daemon, the machine or the remote was off
	Retry     Trigger = "retry"    // the one before it failed
	Hand      Trigger = "hand"     // somebody asked for it
)

// A Run is one execution of a job. Times are by this machine's clock.
type Run struct {
	ID      string  `json:"id"` // a random UUID
	Job     string  `json:"job"`
	Verb    string  `json:"verb"`
	Project string  `json:"project,omitempty"`
	Vault   string  `json:"vault,omitempty"`
	Trigger Trigger `json:"trigger"`

	Due    time.Time `json:"due,omitzero"`    // the time of the schedule that it answers for
	Missed int       `json:"missed,omitzero"` // earlier due times that it answers for as well
	Begin  time.Time `json:"begin"`
	End    time.Time `json:"end,omitzero"`

	Result   Result `json:"result"`
	Why      string `json:"why,omitempty"`      // what failed, was skipped or is incomplete
	Hint     string `json:"hint,omitempty"`     // what to do about it
	Code     int    `json:"code"`               // as a command's exit code
	Found    string `json:"found,omitempty"`    // which damage it found, where it is other than what was found before
	Outage   bool   `json:"outage,omitempty"`   // it failed because the remote could not be reached
	Busy     bool   `json:"busy,omitempty"`     // it was skipped because another process is at work on the vault
	Attempts int    `json:"attempts,omitempty"` // tries for the same due time so far

	Stored *Stored `json:"stored,omitempty"` // of a backup that made a snapshot
}

// Stored says what a backup stored. Sizes are in bytes.
type Stored struct {
	Snapshot  string `json:"snapshot"`
	Unchanged bool   `json:"unchanged,omitempty"`
	Files     int64  `json:"files"`
	Bytes     int64  `json:"bytes"`
	Read      int64  `json:"bytes_read"`
	Uploaded  int64  `json:"bytes_stored"`
	Unread    int64  `json:"unread,omitempty"`
}

// NewID returns a random UUID (version 4) for a run.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
