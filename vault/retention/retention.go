package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// Accept is for how long snapshots must have been small until one counts
	// as good again.
	Accept = 30 * 24 * time.Hour
	// Lag is how far a device's time may lie before the remote's: the clock of
	// a run stands still while its machine sleeps.
	Lag = 7 * 24 * time.Hour
	// Ahead is how far a time may lie in the future.
	Ahead = 15 * time.Minute
)

// A Policy says what stays. Each number, Within and Tags are reasons to stay,
// and one is enough. A policy without any number or Within lets nothing go.
type Policy struct {
	Last    int // the newest, whatever their age
	Hourly  int // the last of each of so many hours in which there are any
	Daily   int
	Weekly  int // ISO weeks, from Monday on
	Monthly int
	Yearly  int
	Within  Span     // what is not older than this before the newest
	Tags    []string // what has one of these

	// Minimum is how many of the newest good ones stay of each project and
	// device, whatever else is said; 0 means 1.
	Minimum int
	// Location is where hours and days begin; nil means UTC.
	Location *time.Location
}

// A Span is a stretch of the calendar.
type Span struct{ Years, Months, Days, Hours int }

// before returns the time that lies one span before t.
func (s Span) before(t time.Time) time.Time {
	return t.AddDate(-s.Years, -s.Months, -s.Days).Add(-time.Duration(s.Hours) * time.Hour)
}

// IsZero reports whether the policy lets nothing go. Tags alone are none: they
// would let go of all that has no tag.
func (p Policy) IsZero() bool {
	return p.Last+p.Hourly+p.Daily+p.Weekly+p.Monthly+p.Yearly == 0 && p.Within == Span{}
}

// A Snapshot is what the decision rests on.
type Snapshot struct {
	ID      string // unlike all others
	Project string
	Device  string    // that made it; one that took another's place counts as that one
	Stored  time.Time // by the remote's clock
	Claimed time.Time // by its device

	// What its body says.
	Known   bool // without it the rest is not
	Partial bool
	Files   int64
	Bytes   int64
	Tags    []string

	Held []string // reasons from elsewhere why it stays: a pin, the vault's floor
}

// A Kind says how much a snapshot is worth.
type Kind int

const (
	Good Kind = iota
	Partial
	Doubtful // empty, or far smaller than the good one before it
	Strange  // its time cannot be right
	Unknown  // nobody here can read what it holds
)

// String is the word for the kind.
func (k Kind) String() string {
	return [...]string{"good", "partial", "doubtful", "strange", "unknown"}[k]
}

// A Decision says of one snapshot whether it stays.
type Decision struct {
	Snapshot Snapshot
	Kind     Kind
	Stays    bool
	Why      []string // why it stays, or why it goes; never empty
}

// Apply decides for all snapshots, in the order in which they are given. now is
// a time of the remote's clock.
func Apply(p Policy, snapshots []Snapshot, now time.Time) []Decision {
	out := make([]Decision, len(snapshots))
	groups := map[[2]string][]*Decision{}
	for i, s := range snapshots {
		d := &out[i]
		d.Snapshot, d.Why = s, slices.Clone(s.Held)
		if why := strange(s, now); why != "" {
			d.Kind, d.Why = Strange, append(d.Why, why)
			continue
		}
		if !s.Known {
			d.Kind, d.Why = Unknown, append(d.Why, "what it holds cannot be read here")
			continue
		}
		key := [2]string{s.Project, s.Device}
		groups[key] = append(groups[key], d)
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b *Decision) int {
			return cmp.Or(a.Snapshot.Stored.Compare(b.Snapshot.Stored), cmp.Compare(a.Snapshot.ID, b.Snapshot.ID))
		})
		p.decide(g)
	}
	for i := range out {
		d := &out[i]
		if d.Stays = len(d.Why) > 0; !d.Stays {
			d.Why = []string{d.Kind.farewell()}
		}
	}
	return out
}

// strange says what is wrong with the times of s, or "".
func strange(s Snapshot, now time.Time) string {
	switch {
	case s.Stored.After(now.Add(Ahead)):
		return "it is from the future: forget it by its ID, or see to the remote's clock"
	case s.Claimed.After(s.Stored.Add(Ahead)):
		return "its device dated it to the future: forget it by its ID"
	case s.Claimed.Before(s.Stored.Add(-Lag)):
		return fmt.Sprintf("its device dates it to %s, the remote to %s: forget it by its ID",
			s.Claimed.UTC().Format(time.DateOnly), s.Stored.UTC().Format(time.DateOnly))
	}
	return ""
}

// farewell says why a snapshot of that kind goes.
func (k Kind) farewell() string {
	if k == Good {
		return "the policy asks for no more"
	}
	return k.String() + ", and the policy asks for no more, counting better ones"
}

// decide finds for a group, oldest first, why each stays.
func (p Policy) decide(group []*Decision) {
	verdicts := judge(snapshotsOf(group))
	for i, d := range group {
		d.Kind = verdicts[i].kind
	}
	if p.IsZero() {
		for _, d := range group {
			d.Why = append(d.Why, "no policy lets it go")
		}
		return
	}
	for _, kind := range []Kind{Good, Partial, Doubtful} {
		var lane []*Decision
		for _, d := range slices.Backward(group) {
			if d.Kind <= kind {
				lane = append(lane, d)
			}
		}
		p.reasons(lane, kind)
	}
	keepMeasures(group, verdicts)
}

// reasons adds, to the snapshots of one kind in a lane, why they stay. The lane
// is newest first and holds the better ones too.
func (p Policy) reasons(lane []*Decision, kind Kind) {
	p.newest(lane, kind)
	for _, d := range lane {
		if p.Within != (Span{}) && !d.Snapshot.Stored.Before(p.Within.before(lane[0].Snapshot.Stored)) {
			d.add(kind, "within "+p.Within.String())
		}
		for _, t := range d.Snapshot.Tags {
			if slices.Contains(p.Tags, t) {
				d.add(kind, "tag "+t)
			}
		}
	}
	for _, period := range p.periods() {
		seen := map[string]bool{}
		for _, d := range lane {
			name := period.name(d.Snapshot.Stored.In(p.location()))
			if len(seen) < period.most && !seen[name] {
				d.add(kind, "last of "+name)
			}
			seen[name] = true
		}
	}
}

// newest adds the reasons that go by number: the minimum, and Last.
func (p Policy) newest(lane []*Decision, kind Kind) {
	least := 1
	if kind == Good {
		least = max(1, p.Minimum)
	}
	for i, d := range lane {
		switch {
		case i < least && kind == Good:
			d.add(kind, count(least, "the newest good one", "of the newest %d good ones"))
		case i < least:
			d.add(kind, "the newest")
		}
		if i < p.Last {
			d.add(kind, count(p.Last, "the last one", "of the last %d"))
		}
	}
}

// add adds a reason to a snapshot of that kind. One of a better kind has it
// from its own lane.
func (d *Decision) add(kind Kind, why string) {
	if d.Kind == kind {
		d.Why = append(d.Why, why)
	}
}

func count(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(more, n)
}

func (p Policy) location() *time.Location {
	if p.Location == nil {
		return time.UTC
	}
	return p.Location
}

// A period is a kind of stretch of the calendar of which the last snapshot
// stays.
type period struct {
	most int
	name func(time.Time) string
}

func (p Policy) periods() []period {
	layout := func(s string) func(time.Time) string { return func(t time.Time) string { return t.Format(s) } }
	return []period{
		{p.Hourly, layout("2006-01-02 15h -07:00")}, // when clocks go back an hour comes twice
		{p.Daily, layout(time.DateOnly)},
		{p.Weekly, func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprintf("%d-W%02d", y, w) }},
		{p.Monthly, layout("2006-01")},
		{p.Yearly, layout("2006")},
	}
}

// String is the span as it is written in the config: 2y5m7d3h.
func (s Span) String() string {
	var b []byte
	for _, part := range []struct {
		n    int
		unit byte
	}{{s.Years, 'y'}, {s.Months, 'm'}, {s.Days, 'd'}, {s.Hours, 'h'}} {
		if part.n != 0 {
			b = append(fmt.Append(b, part.n), part.unit)
		}
	}
	return string(b)
}
