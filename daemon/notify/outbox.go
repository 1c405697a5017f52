package notify

import (
	"errors"
	"slices"
	"time"
)

// Limits of an outbox. A target that cannot be reached is waited for as long
// as somebody is on holiday; one that answers and refuses is not, since the
// message would keep later ones from being tried.
const (
	maxLetters     = 200
	unreachableFor = 14 * 24 * time.Hour
	refusedFor     = 24 * time.Hour
)

// letterWaits are the times between the tries of a letter; the last repeats.
var letterWaits = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute}

// ErrRefused is in the error of a message that a service has answered and not
// taken: trying again at once is no use.
var ErrRefused = errors.New("refused")

// A Letter is a message on its way to one target.
type Letter struct {
	ID      uint64    `json:"id"`
	Target  string    `json:"target"` // its name
	Message Message   `json:"message"`
	Posted  time.Time `json:"posted"`
	Tries   int       `json:"tries,omitempty"`
	Next    time.Time `json:"next"` // not before
}

// An Outbox holds what is still to be delivered, oldest first. The zero value
// is empty. It is a plain value: no method waits or sends, and the caller
// guards and saves it.
type Outbox struct {
	Letters []Letter `json:"letters,omitempty"`
	LastID  uint64   `json:"lastID,omitempty"`
}

// Post adds a letter for each target that wants the message. It returns what
// had to go to make room: the oldest.
func (o *Outbox) Post(m Message, targets []Target, now time.Time) (dropped []Letter) {
	for _, t := range targets {
		if t.Wants(m) {
			o.LastID++
			o.Letters = append(o.Letters, Letter{ID: o.LastID, Target: t.Name, Message: m, Posted: now, Next: now})
		}
	}
	if over := len(o.Letters) - maxLetters; over > 0 {
		dropped = slices.Clone(o.Letters[:over])
		o.Letters = slices.Delete(o.Letters, 0, over)
	}
	return dropped
}

// Due returns the letters to try now: for each target its oldest, so that an
// all-clear never overtakes the alarm. Settle each, then ask again.
func (o *Outbox) Due(now time.Time) []Letter {
	var due []Letter
	seen := map[string]bool{}
	for _, l := range o.Letters {
		if !seen[l.Target] && !soon(l.Next, now) {
			due = append(due, l)
		}
		seen[l.Target] = true
	}
	return due
}

// soon reports whether next lies ahead, by no more than a wait: further ahead
// the clock was wrong when it was set.
func soon(next, now time.Time) bool {
	ahead := next.Sub(now)
	return ahead > 0 && ahead <= letterWaits[len(letterWaits)-1]
}

// Next returns when Due has something to say, or zero if the box is empty.
func (o *Outbox) Next() time.Time {
	var next time.Time
	seen := map[string]bool{}
	for _, l := range o.Letters {
		if !seen[l.Target] && (next.IsZero() || l.Next.Before(next)) {
			next = l.Next
		}
		seen[l.Target] = true
	}
	return next
}

// Settle notes how a try to deliver a letter ended: it goes if err is nil, and
// otherwise waits for the next try. It reports whether the letter was given
// up, which is for the log.
func (o *Outbox) Settle(id uint64, err error, now time.Time) (gaveUp bool) {
	i := slices.IndexFunc(o.Letters, func(l Letter) bool { return l.ID == id })
	if i < 0 {
		return false
	}
	l := &o.Letters[i]
	l.Tries++
	limit := unreachableFor
	if errors.Is(err, ErrRefused) {
		limit = refusedFor
	}
	if err == nil || now.Sub(l.Posted) > limit {
		o.Letters = slices.Delete(o.Letters, i, i+1)
		return err != nil
	}
	l.Next = now.Add(letterWaits[min(l.Tries, len(letterWaits))-1])
	return false
}

// Hurry makes every letter due: the network is back.
func (o *Outbox) Hurry(now time.Time) {
	for i := range o.Letters {
		o.Letters[i].Next = now
	}
}

// Keep drops the letters of targets that are no more, and returns them.
func (o *Outbox) Keep(targets []Target) (dropped []Letter) {
	gone := func(l Letter) bool {
		return !slices.ContainsFunc(targets, func(t Target) bool { return t.Name == l.Target })
	}
	for _, l := range o.Letters {
		if gone(l) {
			dropped = append(dropped, l)
		}
	}
	o.Letters = slices.DeleteFunc(o.Letters, gone)
	return dropped
}
