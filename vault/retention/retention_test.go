package retention

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// series makes good snapshots of one project, one every step up to now, oldest
// first.
func series(n int, step time.Duration) []Snapshot {
	var out []Snapshot
	for i := range n {
		at := now.Add(-time.Duration(n-1-i) * step)
		out = append(out, Snapshot{ID: fmt.Sprint(i), Project: "p", Device: "d", Stored: at, Claimed: at, Known: true, Files: 1000, Bytes: 1e6})
	}
	return out
}

// staying lists the IDs of what stays, and tells the kind of what is not good.
func staying(ds []Decision) string {
	var out []string
	for _, d := range ds {
		if d.Stays && d.Kind == Good {
			out = append(out, d.Snapshot.ID)
		} else if d.Stays {
			out = append(out, d.Snapshot.ID+d.Kind.String()[:1])
		}
	}
	return strings.Join(out, " ")
}

func TestPolicies(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	tagged := series(5, day)
	tagged[1].Tags = []string{"a", "delivered"}
	held := series(5, day)
	held[0].Held = []string{"pinned"}
	for _, c := range []struct {
		name   string
		policy Policy
		all    []Snapshot
		want   string
	}{
		{"none", Policy{}, series(3, hour), "0 1 2"},
		{"tags alone", Policy{Tags: []string{"x"}}, series(3, hour), "0 1 2"},
		{"last", Policy{Last: 2}, series(5, hour), "3 4"},
		{"the minimum", Policy{Last: 1, Minimum: 3}, series(5, hour), "2 3 4"},
		{"hourly", Policy{Hourly: 2}, series(6, 20*time.Minute), "4 5"}, // 11:40 and 12:00
		{"daily", Policy{Daily: 3}, series(10, 6*hour), "2 6 9"},        // 18:00, 18:00 and 12:00
		{"weekly", Policy{Weekly: 2}, series(14, day), "9 13"},          // a Sunday and a Thursday
		{"monthly", Policy{Monthly: 3}, series(70, day), "12 43 69"},    // 30 September, 31 October, 26 November
		{"yearly", Policy{Yearly: 2}, series(12, 30*day), "0 11"},       // 31 December and 26 November
		{"within", Policy{Within: Span{Days: 2, Hours: 1}}, series(6, day), "3 4 5"},
		{"tag", Policy{Last: 1, Tags: []string{"delivered"}}, tagged, "1 4"},
		{"held", Policy{Last: 1}, held, "0 4"},
		{"several reasons", Policy{Last: 1, Daily: 2, Weekly: 3}, series(30, day), "18 25 28 29"},
		{"nothing to decide", Policy{Last: 1}, nil, ""},
	} {
		if got := staying(Apply(c.policy, c.all, now)); got != c.want {
			t.Errorf("%s: stay %s, want %s", c.name, got, c.want)
		}
	}
}

// In the night in which clocks go back, the hour that comes twice is two hours,
// and the day is one.
func TestClocksGoBack(t *testing.T) {
	var all []Snapshot
	for i, at := range []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"} { // 02:30 in Berlin, twice
		stored, _ := time.Parse(time.RFC3339, at)
		all = append(all, Snapshot{ID: fmt.Sprint(i), Stored: stored, Claimed: stored, Known: true, Files: 1})
	}
	berlin := zone("Europe/Berlin")
	if got := staying(Apply(Policy{Hourly: 5, Location: berlin}, all, now)); got != "0 1" {
		t.Errorf("hourly: %s", got)
	}
	if got := staying(Apply(Policy{Daily: 5, Location: berlin}, all, now)); got != "1" {
		t.Errorf("daily: %s", got)
	}
}

// The week of New Year is one, whatever year it belongs to.
func TestNewYear(t *testing.T) {
	all := series(400, 24*time.Hour) // ends on 26 November 2026; index 70 is 1 January
	if got := staying(Apply(Policy{Weekly: 50}, all[:73], now)); !strings.HasSuffix(got, " 66 72") {
		t.Errorf("weekly: %s, want a Sunday, 28 December, and Saturday, 3 January", got)
	}
}

// A folder that is not mounted, a run that could not read, a clock that is
// wrong: none costs a good snapshot, and each is kept for its own.
func TestGarbageByHand(t *testing.T) {
	const day = 24 * time.Hour
	all := series(12, day)
	all[7].Files, all[7].Bytes = 0, 0
	all[8].Partial = true
	all[9].Files = 100
	all[10].Claimed = now.AddDate(-1, 0, 0)
	all[11].Bytes = 10
	got := Apply(Policy{Last: 2}, all, now)
	// The last two good ones, the last two that are good or partial, the last
	// two of all whose time can be right, and the one with a strange time.
	if staying(got) != "5 6 8p 9d 10s 11d" {
		t.Errorf("stay: %s", staying(got))
	}
	for i, want := range map[int]string{
		6: "the newest good one; of the last 2", 8: "the newest; of the last 2", 7: "doubtful, and the policy asks for no more, counting better ones",
		10: "its device dates it to 2025-11-26, the remote to 2026-11-25: forget it by its ID", 0: "the policy asks for no more",
	} {
		if why := strings.Join(got[i].Why, "; "); why != want {
			t.Errorf("%d: why %q, want %q", i, why, want)
		}
	}
}

// What stays small for a month is the new size, and then old ones go.
func TestShrunk(t *testing.T) {
	const day = 24 * time.Hour
	all := series(60, day)
	for i := 20; i < len(all); i++ {
		all[i].Files = 10
	}
	got := Apply(Policy{Last: 3}, all, now)
	if got[49].Kind != Doubtful || got[50].Kind != Good {
		t.Errorf("after 29 days %s, after 30 %s", got[49].Kind, got[50].Kind)
	}
	if staying(got) != "57 58 59" {
		t.Errorf("stay: %s", staying(got))
	}
	got = Apply(Policy{Last: 3}, all[:49], now)
	if staying(got) != "17 18 19 46d 47d 48d" {
		t.Errorf("before: stay: %s", staying(got))
	}

	// Empty is never the new size.
	for i := 20; i < len(all); i++ {
		all[i].Files, all[i].Bytes = 0, 0
	}
	if got := staying(Apply(Policy{Last: 3}, all, now)); got != "17 18 19 57d 58d 59d" {
		t.Errorf("empty: stay: %s", got)
	}
}

// One device's or project's snapshots never take another's place.
func TestGroups(t *testing.T) {
	all := series(8, time.Hour)
	for i := range all {
		all[i].Device = string("ab"[i%2])
		all[i].Project = string("pq"[i/4])
	}
	if got := staying(Apply(Policy{Last: 1}, all, now)); got != "2 3 6 7" {
		t.Errorf("stay: %s", got)
	}
}

// The order in which snapshots are given decides nothing.
func TestOrder(t *testing.T) {
	each(t, 1000, func(t *testing.T, d dice, p Policy, all []Snapshot) {
		want := map[string]bool{}
		for _, d := range Apply(p, all, now) {
			want[d.Snapshot.ID] = d.Stays
		}
		slices.Reverse(all)
		for _, d := range Apply(p, all, now) {
			if d.Stays != want[d.Snapshot.ID] {
				t.Errorf("%s stays: %t, and %t in another order", d.Snapshot.ID, want[d.Snapshot.ID], d.Stays)
			}
		}
	})
}

// Thousands of snapshots are decided in no time.
func BenchmarkApply(b *testing.B) {
	all := series(10_000, time.Hour)
	for b.Loop() {
		Apply(Policy{Last: 10, Hourly: 24, Daily: 14, Weekly: 8, Monthly: 24, Yearly: 10}, all, now)
	}
}

// A span is written as the config has it.
func TestSpanString(t *testing.T) {
	for want, s := range map[string]Span{
		"": {}, "2y5m7d3h": {Years: 2, Months: 5, Days: 7, Hours: 3}, "30d": {Days: 30}, "1y12h": {Years: 1, Hours: 12},
	} {
		if got := s.String(); got != want {
			t.Errorf("%+v is written %q, want %q", s, got, want)
		}
	}
}
