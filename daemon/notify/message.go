package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// An Event is what a message is about. The words are those of the config.
type Event string

const (
	Failed    Event = "failed"    // runs began to fail
	Partial   Event = "partial"   // runs began to miss files
	Stale     Event = "stale"     // nothing good for longer than max-age
	Recovered Event = "recovered" // all of these is over
	Damage    Event = "damage"    // the vault lost or altered something
	Kit       Event = "kit"       // no copy of the recovery kit was confirmed
	Test      Event = "test"      // somebody asked whether messages arrive
)

// Bounds of what is sent: some services refuse what is longer, in bytes.
const (
	maxSubject = 120
	maxBody    = 1800
)

// lateness is the delay from which on a message says that it is late.
const lateness = 10 * time.Minute

// A Message is one thing to tell a person. It is a plain value that survives
// being written down as JSON.
type Message struct {
	Event    Event     `json:"event"`
	Projects []string  `json:"projects,omitempty"` // whom it concerns; none is all
	Ends     []Event   `json:"ends,omitempty"`     // what was told of and is over, if it recovered
	At       time.Time `json:"at"`                 // when the thing happened
	Urgent   bool      `json:"urgent,omitempty"`
	Subject  string    `json:"subject"` // one line
	Body     string    `json:"body"`    // plain text, makes sense alone
}

// Text returns the body as it is to be sent now: a late message says so.
func (m Message) Text(now time.Time) string {
	text := clip(m.Body, maxBody)
	if now.Sub(m.At) < lateness {
		return text
	}
	return fmt.Sprintf("%s\n\nThis was found at %s and could not be sent before %s.", text, clock(m.At), clock(now.In(m.At.Location())))
}

// A Target is somebody to tell. Exactly one of URL and Desktop is set.
type Target struct {
	Name     string
	URL      string // of a service, a secret
	Desktop  func(context.Context, Toast) error
	Events   []Event  // what it wants to hear of; nil is all
	Projects []string // names of those it wants to hear about; nil is all
}

// A Toast is a message on a screen.
type Toast struct {
	Title  string
	Text   string
	Urgent bool
}

// Wants reports whether t is to be told of m. That something is over concerns
// only those who were told that it began. A test is for everybody.
func (t Target) Wants(m Message) bool {
	if m.Event == Test {
		return true
	}
	if len(t.Projects) > 0 && len(m.Projects) > 0 && !common(t.Projects, m.Projects) {
		return false
	}
	if t.Events == nil {
		return true
	}
	return slices.Contains(t.Events, m.Event) && (m.Event != Recovered || len(m.Ends) == 0 || common(t.Events, m.Ends))
}

// TestMessage is what a person asks for who wants to see whether it arrives.
func TestMessage(host string, now time.Time) Message {
	return Message{Event: Test, At: now, Subject: subject(host, "this is a test"),
		Body: fmt.Sprintf("Coffer on %s can reach you here. Nothing has happened: somebody asked for this message at %s.", plain(host), clock(now))}
}

func common[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}

// subject begins with the sender, as mails are sorted by it.
func subject(host, what string) string {
	return clip("Coffer on "+plain(host)+": "+what, maxSubject)
}

// clock is how a message writes a time: with its zone, as it may be read
// elsewhere.
func clock(t time.Time) string { return t.Format("2006-01-02 15:04 -07:00") }

// span is how a message writes a length of time.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// plain makes one line of text that others wrote: no line breaks that would
// forge a header or a sentence of ours, nothing invisible.
func plain(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

// clip shortens text to at most n bytes, by whole characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const more = "..."
	return strings.ToValidUTF8(s[:n-len(more)], "") + more
}
