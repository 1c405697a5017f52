package notify

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Result is how a run ended.
type Result string

const (
	ResultNone    Result = "" // there was none yet
	ResultOK      Result = "ok"
	ResultPartial Result = "partial"
	ResultSkipped Result = "skipped"
	ResultFailed  Result = "failed"
)

// Facts are the newest that is known of one job of one project.
type Facts struct {
	Host    string // this machine, as its owner calls it
	Project string
	Job     string // backup, verify, ...: the verb to run it by hand

	Seen      time.Time     // when the job was first seen; its age counts from then on at first
	LastGood  time.Time     // when the newest good run ended, or zero; whether a partial one counts is for the caller to say
	MaxAge    time.Duration // from which age on it is an alarm; 0 for none, as while it is paused
	NotBefore time.Time     // no alarm about age before this: a machine that just woke up has its catch-up first

	Result   Result // of the newest run that ended
	ResultAt time.Time
	Final    bool   // it failed and is not tried again until it is due again
	Tries    int    // how often it was tried before that
	Why      string // why it failed: one line without names of files
	Missed   int    // files that a partial run could not read

	Damage   string    // what the newest run found wrong with the vault, in one line
	DamageAt time.Time // when; zero is when that run ended
	// Found tells what was found from what else would read the same; "" is what
	// was told before.
	Found string
	// Whole is when a verification last found nothing wrong with the vault, or zero.
	Whole time.Time
}

// A Health is what a person was told last of a job.
type Health string

const (
	Healthy     Health = ""
	HalfHealthy Health = "partial"
	Failing     Health = "failing"
	Outdated    Health = "stale"
)

// Told is what people were told of one job of one project. The zero value is
// right for a new job. It survives being written down as JSON.
type Told struct {
	Health      Health    `json:"health,omitempty"`
	Since       time.Time `json:"since,omitzero"`       // when the job ceased to be healthy
	Events      []Event   `json:"events,omitempty"`     // told since then
	Damage      string    `json:"damage,omitempty"`     // what was told of the vault
	Found       string    `json:"found,omitempty"`      // which damage that was
	DamageSince time.Time `json:"damageSince,omitzero"` // when that began
}

// Watch compares what is known now with what was told, and returns what is
// told once the messages are in the outbox. Called again with the same facts
// it has nothing more to say.
func Watch(told Told, f Facts, now time.Time) (Told, []Message) {
	var messages []Message
	if m, ok := told.watchHealth(f, now); ok {
		messages = append(messages, m)
	}
	if m, ok := told.watchDamage(f); ok {
		messages = append(messages, m)
	}
	return told, messages
}

// watchHealth tells of a change of health. From stale to failing is none for
// a person: it was bad and still is.
func (t *Told) watchHealth(f Facts, now time.Time) (Message, bool) {
	was, is := t.Health, t.health(f, now)
	if was == is {
		return Message{}, false
	}
	t.Health = is
	if is == Healthy {
		m := f.recovered(*t)
		t.Since, t.Events = time.Time{}, nil
		return m, true
	}
	if was == Outdated && is == Failing {
		return Message{}, false
	}
	m := f.tell(is, now)
	if t.Since.IsZero() {
		t.Since = f.badSince(is)
	}
	if !slices.Contains(t.Events, m.Event) {
		t.Events = append(slices.Clone(t.Events), m.Event)
	}
	return m, true
}

// health is how the job fares now. What says nothing, as a skipped run or a
// failure that is tried again, leaves it as it was told, unless a good run
// went by unseen.
func (t *Told) health(f Facts, now time.Time) Health {
	switch {
	case f.stale(now):
		return Outdated
	case t.Health == Outdated && !f.LastGood.After(t.Since) && !f.young(now):
		return Outdated // a pause or a wake-up makes nothing well
	case f.Result == ResultOK:
		return Healthy
	case f.Result == ResultPartial:
		return HalfHealthy
	case f.Result == ResultFailed && f.Final:
		return Failing
	case t.Health != Healthy && f.LastGood.After(t.Since):
		return Healthy
	}
	return t.Health
}

// badSince is when the trouble began that h tells of.
func (f Facts) badSince(h Health) time.Time {
	if h == Outdated {
		return f.goodSince()
	}
	return f.ResultAt
}

// stale reports whether nothing good happened for too long.
func (f Facts) stale(now time.Time) bool {
	return f.MaxAge > 0 && !f.goodSince().IsZero() && !now.Before(f.NotBefore) && now.Sub(f.goodSince()) > f.MaxAge
}

// young reports whether the newest good run is within a limit, as one that was
// raised.
func (f Facts) young(now time.Time) bool {
	return f.MaxAge > 0 && now.Sub(f.goodSince()) <= f.MaxAge
}

// goodSince is the instant from which the age counts.
func (f Facts) goodSince() time.Time {
	if f.LastGood.IsZero() {
		return f.Seen
	}
	return f.LastGood
}

// watchDamage tells of damage when it is found, when it changes or is other
// damage that reads the same, and when it is gone, which only a verification
// that was good can say: a backup does not look at what is stored.
func (t *Told) watchDamage(f Facts) (Message, bool) {
	was := t.Damage
	other := f.Found != "" && f.Found != t.Found
	switch {
	case f.Damage == "" && (was == "" || !f.foundWhole(t.DamageSince)):
		return Message{}, false
	case f.Damage != "" && was == f.Damage && !other:
		return Message{}, false
	}
	if f.DamageAt.IsZero() {
		f.DamageAt = f.ResultAt
	}
	if f.Damage == "" && f.Whole.After(f.DamageAt) {
		f.DamageAt = f.Whole
	}
	t.Damage, t.Found = f.Damage, cmp.Or(f.Found, t.Found)
	if f.Damage == "" {
		t.Found = ""
	}
	if f.Damage == "" {
		m := f.healed(t.DamageSince)
		t.DamageSince = time.Time{}
		return m, true
	}
	if was == "" {
		t.DamageSince = f.DamageAt
	}
	return f.damage(), true
}

// foundWhole tells whether a verification has found nothing wrong since.
func (f Facts) foundWhole(since time.Time) bool {
	return f.Job == "verify" && f.Result == ResultOK || f.Whole.After(since)
}

// message is what all messages about f have in common.
func (f Facts) message(e Event, at time.Time, what, body string) Message {
	m := Message{Event: e, At: at, Subject: subject(f.Host, what), Body: body}
	m.Urgent = e == Failed || e == Stale || e == Damage
	if f.Project != "" {
		m.Projects = []string{f.Project}
	}
	return m
}

// tell is the message that health got worse.
func (f Facts) tell(h Health, now time.Time) Message {
	switch h {
	case Outdated:
		return f.outdated(now)
	case Failing:
		return f.failing()
	}
	return f.half()
}

func (f Facts) failing() Message {
	tries := ""
	if f.Tries > 1 {
		tries = fmt.Sprintf(" after %d tries", f.Tries)
	}
	return f.message(Failed, f.ResultAt, "the "+f.what()+" fails",
		fmt.Sprintf("The %s on %s failed at %s%s: %s\n\n%s\nIt is tried again when it is next due, and you hear of it when it works.\n\nTo see more:  coffer logs\nTo try now:   %s",
			f.what(), plain(f.Host), clock(f.ResultAt), tries, f.why(), f.safe(f.ResultAt), f.command()))
}

func (f Facts) half() Message {
	if f.Job != "backup" {
		return f.message(Partial, f.ResultAt, "the "+f.what()+" is incomplete",
			fmt.Sprintf("The %s on %s at %s was done in part only: %s\n\n%s\nYou hear of it again when all of it is done.\n\nTo see more:  coffer logs",
				f.what(), plain(f.Host), clock(f.ResultAt), f.why(), f.safe(f.ResultAt)))
	}
	files := fmt.Sprintf("%d files", f.Missed)
	switch f.Missed {
	case 0:
		files = "some files"
	case 1:
		files = "1 file"
	}
	return f.message(Partial, f.ResultAt, "the "+f.what()+" misses files",
		fmt.Sprintf("The %s on %s could not read %s at %s.\n\nSafe: all else was backed up; of what was missed, the newest earlier backup still holds its state.\nYou hear of it again when nothing is missed.\n\nTo see which:  coffer logs",
			f.what(), plain(f.Host), files, clock(f.ResultAt)))
}

func (f Facts) outdated(now time.Time) Message {
	reason := ""
	if f.Why != "" && f.Result != ResultOK {
		reason = fmt.Sprintf(" The last run ended so: %s.", f.why())
	}
	never := ""
	if f.LastGood.IsZero() {
		never = ", since it was set up"
	}
	return f.message(Stale, now, "no good "+f.what()+" for "+span(now.Sub(f.goodSince())),
		fmt.Sprintf("There has been no good %s on %s for %s%s; the limit is %s.%s\n\n%s\nYou hear of it again when it works.\n\nTo see why:  coffer status\nTo try now:  %s",
			f.what(), plain(f.Host), span(now.Sub(f.goodSince())), never, span(f.MaxAge), reason, f.safe(now), f.command()))
}

func (f Facts) recovered(t Told) Message {
	at := f.ResultAt
	if f.LastGood.After(at) || at.IsZero() {
		at = f.LastGood
	}
	m := f.message(Recovered, at, "the "+f.what()+" is well again",
		fmt.Sprintf("The %s on %s is well again since %s, after %s of trouble that began at %s.\n\nNothing is left to do.",
			f.what(), plain(f.Host), clock(at), span(at.Sub(t.Since)), clock(t.Since)))
	m.Ends = t.Events
	return m
}

func (f Facts) damage() Message {
	return f.message(Damage, f.DamageAt, "the vault is damaged",
		fmt.Sprintf("A look at the vault of %s at %s found: %s\n\nSafe: what the damage does not touch can be restored, and the next backup of files that are still on this machine mends what it can. Nothing is deleted as long as this is open. You hear of it again when a verification finds nothing wrong.\n\nTo see all of it:  coffer verify",
			f.owner(), clock(f.DamageAt), clip(plain(f.Damage), 400)))
}

func (f Facts) healed(since time.Time) Message {
	m := f.message(Recovered, f.DamageAt, "the vault is whole again",
		fmt.Sprintf("A look at the vault of %s at %s found nothing wrong any more. The damage was found at %s.\n\nNothing is left to do.",
			f.owner(), clock(f.DamageAt), clock(since)))
	m.Ends = []Event{Damage}
	return m
}

// safe says what is not lost, which is what a reader wants to know first.
func (f Facts) safe(now time.Time) string {
	if f.Job != "backup" {
		return "Safe: your backups; this job only looks after them."
	}
	if f.LastGood.IsZero() {
		return "Safe: your files on this machine; there is no backup of them yet."
	}
	return fmt.Sprintf("Safe: the newest good backup is of %s, %s old, and can be restored in full.", clock(f.LastGood), span(now.Sub(f.LastGood)))
}

// nouns are what the verbs of jobs are called in a sentence.
var nouns = map[string]string{"verify": "verification", "drill": "restore drill", "forget": "forgetting", "prune": "pruning"}

func (f Facts) what() string {
	noun := nouns[f.Job]
	if noun == "" {
		noun = f.Job
	}
	if f.Project == "" {
		return noun
	}
	return noun + " of " + clip(plain(f.Project), 60)
}

func (f Facts) owner() string {
	if f.Project == "" {
		return plain(f.Host)
	}
	return clip(plain(f.Project), 60) + " on " + plain(f.Host)
}

func (f Facts) why() string {
	if f.Why == "" {
		return "no reason was given"
	}
	return clip(plain(f.Why), 400)
}

func (f Facts) command() string {
	if f.Job == "backup" {
		return "coffer backup now " + clip(plain(f.Project), 60)
	}
	return "coffer " + f.Job
}

// The kit is asked for a day after the vault was made, and then once a week.
const (
	kitFirst = 24 * time.Hour
	kitAgain = 7 * 24 * time.Hour
)

// WatchKit returns the reminder that no copy of the recovery kit was confirmed
// yet, if it is time for it. told is when the last one was sent, since is when
// the kit was made. The caller does not ask once a copy is confirmed.
func WatchKit(told, since time.Time, host, vault string, now time.Time) (time.Time, Message, bool) {
	wait, from := kitFirst, since
	if told.After(since) {
		wait, from = kitAgain, told
	}
	if age := now.Sub(from); age >= 0 && age < wait {
		return told, Message{}, false
	}
	m := Message{Event: Kit, At: now, Subject: subject(host, "keep a copy of the recovery kit"),
		Body: fmt.Sprintf("No copy of the recovery kit of the vault %s on %s has been confirmed. If this machine is lost or stolen before you keep one elsewhere, nothing can be restored; and as long as the kit lies here, whoever takes the machine can read every backup.\n\nPrint it, or copy it to where this machine cannot lose it; then:  coffer kit confirm",
			clip(plain(vault), 60), plain(host))}
	return now, m, true
}
