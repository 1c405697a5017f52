package report

import "time"

// Memory is what a daemon remembers from one start to the next.
type Memory struct {
	Version int             `json:"v"`
	Jobs    map[string]*Job `json:"jobs"`
	// PausedUntil: no scheduled run begins before it. A time far ahead means
	// until somebody resumes.
	PausedUntil time.Time `json:"paused_until,omitzero"`
}

// A Job is what is remembered of a job.
type Job struct {
	First time.Time `json:"first"` // when it was first seen
	// Covered is the newest time of its schedule that is answered for: by a
	// run that was good, or by one that failed for good.
	Covered time.Time `json:"covered,omitzero"`
	// Begun is the run at work. One that is still there when a daemon starts
	// died with the one before.
	Begun *Run `json:"begun,omitempty"`
	// Trying: the run for this due time failed, and is tried again.
	Trying *Trying `json:"trying,omitempty"`
	// Held is the due time for which it was noted that conditions keep the job
	// from running.
	Held time.Time `json:"held,omitzero"`

	Last     *Run      `json:"last,omitempty"`     // that ended
	LastGood time.Time `json:"last_good,omitzero"` // begin of the newest good run
	GoodRun  *Run      `json:"good_run,omitempty"` // that run
	LastHand time.Time `json:"last_hand,omitzero"` // begin of the newest run by hand
}

// Trying is a due time whose run failed and is tried again.
type Trying struct {
	Due      time.Time `json:"due"`
	Missed   int       `json:"missed,omitzero"`
	Attempts int       `json:"attempts"` // made so far
	Next     time.Time `json:"next"`     // not before
	Until    time.Time `json:"until"`    // then it has failed for good
}

// Job returns the memory of a job, and makes it if it was never seen.
func (m *Memory) Job(name string, now time.Time) *Job {
	j := m.Jobs[name]
	if j == nil {
		j = &Job{First: now}
		m.Jobs[name] = j
	}
	return j
}

// Ended notes a run that ended.
func (j *Job) Ended(r *Run) {
	j.Begun = nil
	j.Last = r
	if r.Result.Good() && !r.Begin.Before(j.LastGood) {
		j.LastGood, j.GoodRun = r.Begin, r
	}
	if r.Trigger == Hand {
		j.LastHand = r.Begin
	}
}
