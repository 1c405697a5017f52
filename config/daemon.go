package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What the daemon needs to know: when, under which conditions, and whom to
// tell. Zones and schedules stay text here; who keeps the time takes them apart.

// Schedules say when each kind of job is due, as cron text ("30 2 * * *",
// "@daily", "TZ=Europe/Paris 0 3 * * *"). "" is never; the file says "off".
type Schedules struct {
	Backup string
	Forget string
	Verify string
	Drill  string
	Prune  string
}

// Daemon is what holds for the daemon as a whole.
type Daemon struct {
	RetryFor       time.Duration // how long after it was due a failed run is tried again; 0 is not at all
	WebAddress     string        // host:port of the web page and of /metrics, or "" for none
	WebAllowRemote bool          // WebAddress may be one that others can reach
	MetricsFile    string        // Prometheus text file to write after each run, absolute, or ""
	LogLevel       LogLevel
	Conditions     Conditions // of projects that say nothing else, and of the jobs of vaults
}

// Conditions say when a due run may begin.
type Conditions struct {
	Jitter    time.Duration // each run is put off by a fixed part of this; 0 is none
	MaxAge    time.Duration // age of the newest good snapshot from which on it is an alarm; 0 goes by the schedule
	OnBattery OnBattery
	Metered   Metered
	Network   Network
}

// OnBattery is the charge, in percent, below which no run begins on battery:
// BatteryRun or 0 is none, BatterySkip or 101 is any. In text it is "run",
// "skip" or "skip-below 30%".
type OnBattery int

const (
	BatteryRun  OnBattery = 0
	BatterySkip OnBattery = 101
)

// Skips reports whether a run is skipped on battery with this charge in percent.
func (b OnBattery) Skips(charge int) bool { return charge < int(b) }

// parseOnBattery reads on-battery.
func parseOnBattery(s string) (OnBattery, error) {
	const like = `write "run", "skip" or "skip-below 30%"`
	switch s {
	case "run":
		return BatteryRun, nil
	case "skip":
		return BatterySkip, nil
	}
	charge, ok := strings.CutPrefix(s, "skip-below ")
	charge, percent := strings.CutSuffix(charge, "%")
	if !ok {
		return 0, wrong(like, "it cannot be %.40q", s)
	}
	n := 0
	for _, c := range charge {
		if c < '0' || c > '9' || len(charge) > 3 {
			n = 0
			break
		}
		n = n*10 + int(c-'0')
	}
	if !percent || n < 1 || n > 100 {
		return 0, wrong(like, "%.40q has no charge from 1%% to 100%%", s)
	}
	return OnBattery(n), nil
}

// String returns the text that the file has for b.
func (b OnBattery) String() string {
	switch b {
	case BatteryRun:
		return "run"
	case BatterySkip:
		return "skip"
	}
	return fmt.Sprintf("skip-below %d%%", int(b))
}

// Metered says what to do on a line that is paid by volume.
type Metered string

const (
	MeteredRun  Metered = "run"
	MeteredSkip Metered = "skip"
)

// Network says what to do while the remote does not answer.
type Network string

const (
	NetworkWait Network = "wait" // until it does, within a limit, before the run begins
	NetworkRun  Network = "run"  // begin, and fail if it must be
)

// LogLevel is the least that the daemon logs.
type LogLevel string

const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// Keep says which snapshots of a project stay: each number and Within is a
// reason to stay, and one is enough. The zero Keep keeps everything.
type Keep struct {
	Last    int // the newest, whatever their age
	Hourly  int // the last of each of so many hours
	Daily   int
	Weekly  int
	Monthly int
	Yearly  int
	Within  Span     // what is not older than this
	Tags    []string // what has one of these
}

// IsZero reports whether there is no policy, so that everything is kept. Tags
// alone are none: they would let go of all that has no tag.
func (k Keep) IsZero() bool {
	return k.Last+k.Hourly+k.Daily+k.Weekly+k.Monthly+k.Yearly == 0 && k.Within == Span{}
}

// A Hook is a command that the shell runs, or none if Command is empty.
type Hook struct {
	Command string
	Timeout time.Duration // after which it is ended
}

// Notify is somebody to tell. Exactly one of URL, URLFile, Ping, PingFile and
// Desktop is set.
type Notify struct {
	Name     string
	URL      string   // of a message service that needs no secret
	URLFile  string   // absolute path of a file that holds such a URL, secret or not
	Ping     string   // http or https; told of every run: its start, success, failure and log
	PingFile string   // absolute path of a file that holds such an address
	Desktop  bool     // the user's desktop session
	Events   []Event  // what it is told of; nil for a ping
	Projects []string // names of those it is told about; empty is all
}

// IsPing reports whether n is told of every run, not of changes.
func (n Notify) IsPing() bool { return n.Ping != "" || n.PingFile != "" }

// An Event is a change of state worth a message.
type Event string

const (
	EventFailed    Event = "failed"    // runs began to fail
	EventPartial   Event = "partial"   // runs began to miss files
	EventStale     Event = "stale"     // nothing good for longer than max-age
	EventRecovered Event = "recovered" // all of these is over
	EventDamage    Event = "damage"    // the vault lost or altered something, or went back in time
	EventKit       Event = "kit"       // no copy of the recovery kit was confirmed yet
)

// Events returns all there are.
func Events() []Event {
	return []Event{EventFailed, EventPartial, EventStale, EventRecovered, EventDamage, EventKit}
}

// parseEvent reads an item of events.
func parseEvent(s string) (Event, error) {
	if e := Event(s); slices.Contains(Events(), e) {
		return e, nil
	}
	return "", notOneOf(s, Events())
}
