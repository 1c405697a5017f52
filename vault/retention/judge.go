package retention

// A verdict is the kind of a snapshot, and which earlier one it was judged by.
type verdict struct {
	kind    Kind
	measure int // its index; -1 if there is none
}

// A track follows what snapshots were like, of one kind and better.
type track struct {
	last int // the newest that counted; -1 at first
	low  int // the first of those since that were small and not empty; -1 if there is none
}

// judge finds the kind of each snapshot of a group, oldest first. Whether one
// that is not partial is good depends on no partial one.
func judge(snaps []Snapshot) []verdict {
	out := make([]verdict, len(snaps))
	good, fair := track{-1, -1}, track{-1, -1} // fair ones may be partial
	for i, s := range snaps {
		t, kind := &good, Good
		if s.Partial {
			t, kind = &fair, Partial
		}
		counts, measure := t.counts(snaps, i)
		out[i] = verdict{kind, measure}
		if !counts {
			out[i].kind = Doubtful
			continue
		}
		*t = track{i, -1}
		if kind == Good {
			fair = track{i, -1}
		}
	}
	return out
}

// counts tells whether a snapshot is like those before it, and which of them
// says so.
func (t *track) counts(snaps []Snapshot, i int) (ok bool, measure int) {
	s := snaps[i]
	if t.last < 0 || !shrunk(s, snaps[t.last]) {
		return true, t.last
	}
	if s.Files == 0 {
		return false, t.last
	}
	if t.low < 0 {
		t.low = i
	}
	if s.Stored.Sub(snaps[t.low].Stored) >= Accept {
		return true, t.low
	}
	return false, t.last
}

// shrunk tells whether s has lost more than three quarters of the files or
// bytes that an earlier one had.
func shrunk(s, from Snapshot) bool {
	return s.Files < from.Files/4 || s.Bytes < from.Bytes/4 || s.Files == 0 && from.Files > 0
}

// keepMeasures lets also stay what is needed to judge again, as now, those that
// stay: without it a doubtful one could pass for good. The first that would be
// judged otherwise lacks its measure, since all before it are as they were; so
// each turn adds one.
func keepMeasures(group []*Decision, verdicts []verdict) {
	for range group {
		i := misjudged(group, verdicts)
		if i < 0 {
			return
		}
		m := group[verdicts[i].measure]
		m.Why = append(m.Why, "a later one is judged by it")
	}
}

// misjudged finds the first of those that stay that is of another kind once the
// others are gone; -1 if there is none.
func misjudged(group []*Decision, verdicts []verdict) int {
	var at []int
	var stay []Snapshot
	for i, d := range group {
		if len(d.Why) > 0 {
			at, stay = append(at, i), append(stay, d.Snapshot)
		}
	}
	for j, v := range judge(stay) {
		if v.kind != verdicts[at[j]].kind {
			return at[j]
		}
	}
	return -1
}

func snapshotsOf(group []*Decision) []Snapshot {
	out := make([]Snapshot, len(group))
	for i, d := range group {
		out[i] = d.Snapshot
	}
	return out
}
