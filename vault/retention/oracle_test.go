package retention

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The oracle says the same as Apply in another way: for each snapshot by
// itself, by looking at all others, with no order of work and no cleverness.

type oracle struct {
	p   Policy
	all []Snapshot
	now time.Time
}

func older(a, b Snapshot) bool {
	return a.Stored.Before(b.Stored) || a.Stored.Equal(b.Stored) && a.ID < b.ID
}

// kin are the snapshots of the same project and device that can be judged,
// oldest first.
func (o *oracle) kin(s Snapshot) []Snapshot {
	var out []Snapshot
	for _, x := range o.all {
		if x.Project == s.Project && x.Device == s.Device && x.Known && !o.strange(x) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Snapshot) int {
		if older(a, b) {
			return -1
		}
		return 1
	})
	return out
}

func (o *oracle) strange(s Snapshot) bool {
	ahead := s.Claimed.Sub(s.Stored)
	return s.Stored.Sub(o.now) > 15*time.Minute || ahead > 15*time.Minute || -ahead > 7*24*time.Hour
}

// kind judges one snapshot after judging all before it.
func (o *oracle) kind(s Snapshot) Kind {
	if o.strange(s) {
		return Strange
	}
	if !s.Known {
		return Unknown
	}
	kin := o.kin(s)
	return kindIn(kin)[slices.IndexFunc(kin, func(x Snapshot) bool { return x.ID == s.ID })]
}

// kindIn judges in one pass that looks back over all that came before, at each.
func kindIn(kin []Snapshot) []Kind {
	kinds := make([]Kind, len(kin))
	for i, s := range kin {
		worth := Good
		if s.Partial {
			worth = Partial
		}
		ref := -1
		for j := range i {
			if kinds[j] <= worth {
				ref = j
			}
		}
		kinds[i] = worth
		if ref < 0 || 4*(s.Files+1) > kin[ref].Files-kin[ref].Files%4 && 4*(s.Bytes+1) > kin[ref].Bytes-kin[ref].Bytes%4 && (s.Files > 0 || kin[ref].Files == 0) {
			continue
		}
		kinds[i] = Doubtful
		for j := ref + 1; j < i && s.Files > 0; j++ {
			if kin[j].Partial == s.Partial && kin[j].Files > 0 {
				if s.Stored.Sub(kin[j].Stored) >= 30*24*time.Hour {
					kinds[i] = worth
				}
				break
			}
		}
	}
	return kinds
}

// stays tells whether the policy keeps s among those of its kind or better, or
// of any lesser company.
func (o *oracle) stays(s Snapshot) bool {
	k := o.kind(s)
	if len(s.Held) > 0 || k == Strange || k == Unknown || o.p.IsZero() {
		return true
	}
	for company := k; company <= Doubtful; company++ {
		var lane []Snapshot
		kin := o.kin(s)
		for i, kind := range kindIn(kin) {
			if kind <= company {
				lane = append(lane, kin[i])
			}
		}
		if o.staysAmong(s, lane, company) {
			return true
		}
	}
	return false
}

func (o *oracle) staysAmong(s Snapshot, lane []Snapshot, company Kind) bool {
	newer, newest := 0, s
	for _, x := range lane {
		if older(s, x) {
			newer++
		}
		if older(newest, x) {
			newest = x
		}
	}
	least := 1
	if company == Good {
		least = max(1, o.p.Minimum)
	}
	if newer < max(least, o.p.Last) {
		return true
	}
	if w := o.p.Within; w != (Span{}) {
		edge := newest.Stored.AddDate(-w.Years, -w.Months, -w.Days).Add(time.Duration(-w.Hours) * time.Hour)
		if !edge.After(s.Stored) {
			return true
		}
	}
	for _, t := range s.Tags {
		if slices.Contains(o.p.Tags, t) {
			return true
		}
	}
	for unit, most := range []int{o.p.Hourly, o.p.Daily, o.p.Weekly, o.p.Monthly, o.p.Yearly} {
		later, last := map[any]bool{}, true
		for _, x := range lane {
			if older(s, x) {
				later[o.in(unit, x)] = true
				last = last && o.in(unit, x) != o.in(unit, s)
			}
		}
		if last && len(later) < most {
			return true
		}
	}
	return false
}

// in names the hour, day, week, month or year that a snapshot lies in.
func (o *oracle) in(unit int, s Snapshot) any {
	t := s.Stored.In(o.p.Location)
	monday := t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
	switch unit {
	case 0:
		_, offset := t.Zone()
		return [3]int{t.Year(), t.YearDay()*24 + t.Hour(), offset}
	case 1:
		return [2]int{t.Year(), t.YearDay()}
	case 2:
		return [2]int{monday.Year(), monday.YearDay()}
	case 3:
		return [2]int{t.Year(), int(t.Month())}
	}
	return t.Year()
}

// dice make histories and policies. One seed makes one history again.
type dice struct{ *rand.Rand }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

var zones = []*time.Location{time.UTC, zone("Europe/Berlin"), zone("America/New_York"), zone("Asia/Kathmandu"), zone("Pacific/Apia")}

func zone(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return l
}

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func (d dice) policy() Policy {
	p := Policy{Minimum: d.IntN(4), Location: zones[d.IntN(len(zones))]}
	for _, n := range []*int{&p.Last, &p.Hourly, &p.Daily, &p.Weekly, &p.Monthly, &p.Yearly} {
		if d.chance(40) {
			*n = d.IntN(8)
		}
	}
	if d.chance(20) {
		p.Within = Span{d.IntN(2), d.IntN(3), d.IntN(20), d.IntN(30)}
	}
	if d.chance(20) {
		p.Tags = []string{"delivered"}
	}
	return p
}

// history makes up to 30 snapshots of a few projects and devices, in no order.
func (d dice) history() []Snapshot {
	steps := []time.Duration{time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour, 9 * 24 * time.Hour, 40 * 24 * time.Hour}
	step := steps[d.IntN(len(steps))]
	size := int64(1 + d.IntN(2000))
	var out []Snapshot
	t := now
	if d.chance(50) {
		t = t.Add(-time.Duration(d.IntN(400*24)) * time.Hour)
	}
	for i := range 1 + d.IntN(30) {
		t = t.Add(-time.Duration(d.Int64N(2*int64(step) + 1)))
		if d.chance(10) {
			size = max(1, size*int64(1+d.IntN(60))/10)
		}
		s := Snapshot{
			ID: fmt.Sprintf("s%02d", i), Project: "p", Device: "d", Stored: t, Claimed: t.Add(-time.Duration(d.IntN(100)) * time.Second),
			Known: !d.chance(4), Files: size, Bytes: size * 100,
		}
		if d.chance(15) {
			s.Project = "q"
		}
		if d.chance(15) {
			s.Device = "e"
		}
		if d.chance(10) {
			s.Tags = []string{"x", "delivered"}
		}
		if d.chance(3) {
			s.Held = []string{"pinned"}
		}
		d.spoil(&s)
		out = append(out, s)
	}
	d.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// spoil makes some snapshots less than good.
func (d dice) spoil(s *Snapshot) {
	switch d.IntN(14) {
	case 0:
		s.Partial = true
	case 1:
		s.Files, s.Bytes = 0, 0
	case 2:
		s.Files = s.Files / int64(1+d.IntN(10))
	case 3:
		s.Bytes = s.Bytes / int64(1+d.IntN(10))
	case 4:
		s.Partial, s.Files = true, s.Files/int64(1+d.IntN(10))
	case 5:
		s.Claimed = s.Stored.Add(time.Duration(d.IntN(400)-200) * 24 * time.Hour)
	case 6:
		s.Stored = now.Add(time.Duration(d.IntN(60)) * time.Minute)
		s.Claimed = s.Stored
	}
}

const histories = 10_000

// each runs fn on many random histories and policies.
func each(t *testing.T, n int, fn func(t *testing.T, d dice, p Policy, all []Snapshot)) {
	t.Helper()
	for seed := range uint64(n) {
		d := dice{rand.New(rand.NewPCG(seed, 7))}
		p, all := d.policy(), d.history()
		fn(t, d, p, all)
		if t.Failed() {
			t.Fatalf("seed %d, policy %+v", seed, p)
		}
	}
}

// onlyMeasure tells whether a snapshot stays for a later one's sake only.
func onlyMeasure(d Decision) bool {
	for _, why := range d.Why {
		if why != "a later one is judged by it" {
			return false
		}
	}
	return true
}

func TestOracle(t *testing.T) {
	var stay, go_, measures int
	kinds := map[Kind]int{}
	each(t, histories, func(t *testing.T, _ dice, p Policy, all []Snapshot) {
		o := &oracle{p, all, now}
		for i, d := range Apply(p, all, now) {
			if d.Snapshot.ID != all[i].ID || len(d.Why) == 0 {
				t.Fatalf("decision %d is about %s, why %q", i, d.Snapshot.ID, d.Why)
			}
			if k := o.kind(all[i]); k != d.Kind {
				t.Errorf("%s is %s, the oracle says %s", all[i].ID, d.Kind, k)
			}
			kinds[d.Kind]++
			want := o.stays(all[i])
			switch {
			case d.Stays && onlyMeasure(d):
				measures++
				if want {
					t.Errorf("%s stays as a measure; the oracle knows another reason", all[i].ID)
				}
			case d.Stays != want:
				t.Errorf("%s stays: %t, the oracle says %t; why %q", all[i].ID, d.Stays, want, d.Why)
			case d.Stays:
				stay++
			default:
				go_++
			}
		}
	})
	t.Logf("%d stay, %d go, %d stay as measures only; kinds %v", stay, go_, measures, kinds)
	if stay == 0 || go_ == 0 || measures == 0 || len(kinds) != 5 {
		t.Error("the histories are too tame")
	}
}

// What stayed stays if the policy is applied again, and is judged as before.
func TestAgain(t *testing.T) {
	each(t, histories, func(t *testing.T, _ dice, p Policy, all []Snapshot) {
		var left []Snapshot
		kinds := map[string]Kind{}
		for _, d := range Apply(p, all, now) {
			if d.Stays {
				left = append(left, d.Snapshot)
				kinds[d.Snapshot.ID] = d.Kind
			}
		}
		for _, d := range Apply(p, left, now) {
			if !d.Stays || d.Kind != kinds[d.Snapshot.ID] {
				t.Errorf("again: %s stays %t, is %s, was %s", d.Snapshot.ID, d.Stays, d.Kind, kinds[d.Snapshot.ID])
			}
		}
	})
}

// Nothing that a device adds with false times, in part or empty changes what
// happens to a good snapshot.
func TestGarbage(t *testing.T) {
	each(t, histories, func(t *testing.T, d dice, p Policy, all []Snapshot) {
		good := map[string]bool{}
		for _, d := range Apply(p, all, now) {
			if d.Kind == Good && d.Snapshot.Files > 0 { // to one that is empty, an empty one is as good
				good[d.Snapshot.ID] = d.Stays && !onlyMeasure(d)
			}
		}
		more := slices.Clone(all)
		for i := range 1 + d.IntN(12) {
			more = append(more, d.garbage(i, all))
		}
		d.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
		for _, d := range Apply(p, more, now) {
			want, was := good[d.Snapshot.ID]
			if was && (d.Kind != Good || d.Stays != want && !onlyMeasure(d)) {
				t.Errorf("%s was good and stays: %t; now it is %s and stays: %t, why %q", d.Snapshot.ID, want, d.Kind, d.Stays, d.Why)
			}
		}
	})
}

// garbage makes a snapshot that must displace nothing.
func (d dice) garbage(i int, all []Snapshot) Snapshot {
	s := all[d.IntN(len(all))]
	s.ID, s.Held, s.Known, s.Partial = fmt.Sprintf("g%02d", i), nil, true, false
	s.Stored = s.Stored.Add(time.Duration(d.IntN(1000)-500) * time.Minute)
	if s.Stored.After(now) {
		s.Stored = now
	}
	s.Claimed = s.Stored
	switch d.IntN(6) {
	case 0: // back-dated
		s.Claimed = s.Stored.AddDate(0, 0, -8-d.IntN(4000))
	case 1: // dated to the future
		s.Claimed = s.Stored.Add(time.Duration(16+d.IntN(1e6)) * time.Minute)
	case 2: // stored in the future
		s.Stored = now.Add(time.Duration(16+d.IntN(1e6)) * time.Minute)
		s.Claimed = s.Stored
	case 3: // partial, with more in it than all others
		s.Partial, s.Files, s.Bytes = true, s.Files*1000, s.Bytes*1000
	case 4: // partial, with next to nothing
		s.Partial, s.Files, s.Bytes = true, d.Int64N(2), 0
	case 5: // empty
		s.Files, s.Bytes = 0, 0
	}
	return s
}

// Of each project and device the newest good ones stay, and the newest of all.
func TestMinimum(t *testing.T) {
	each(t, histories/4, func(t *testing.T, _ dice, p Policy, all []Snapshot) {
		decisions := Apply(p, all, now)
		slices.SortFunc(decisions, func(a, b Decision) int {
			if older(a.Snapshot, b.Snapshot) {
				return 1
			}
			return -1
		})
		good, any := map[string]int{}, map[string]int{}
		for _, d := range decisions {
			if d.Kind > Doubtful {
				continue
			}
			group := d.Snapshot.Project + d.Snapshot.Device
			if any[group]++; any[group] == 1 && !d.Stays {
				t.Errorf("%s is the newest and goes", d.Snapshot.ID)
			}
			if d.Kind != Good {
				continue
			}
			if good[group]++; good[group] <= max(1, p.Minimum) && !d.Stays {
				t.Errorf("%s is one of the newest good ones and goes", d.Snapshot.ID)
			}
		}
	})
}
