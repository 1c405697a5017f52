package vault

import (
	"fmt"
	"testing"
	"time"

	"coffer/vault/commit"
	"coffer/vault/trust"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// A forget stands unless it was withdrawn in time. In time is what the remote
// says, whatever a device claims.
func TestGoes(t *testing.T) {
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	at := func(stored, claimed time.Duration) said { return said{noon.Add(stored), noon.Add(claimed)} }
	for _, c := range []struct {
		name                 string
		forgets, withdrawals []said
		want                 time.Duration // when it goes; 0 if it does not
	}{
		{"nothing said", nil, nil, 0},
		{"forgotten", []said{at(0, 0)}, nil, week},
		{"its time is claimed to be long ago", []said{at(0, -90*day)}, nil, week},
		{"the earliest counts", []said{at(2*day, 2*day), at(0, 0)}, nil, week},
		{"withdrawn", []said{at(0, 0)}, []said{at(day, day)}, 0},
		{"withdrawn in the same second", []said{at(0, 0)}, []said{at(0, 0)}, 0},
		{"withdrawn in the last second", []said{at(0, 0)}, []said{at(week-1, week-1)}, 0},
		{"withdrawn too late", []said{at(0, 0)}, []said{at(week, week)}, week},
		{"withdrawn too late, claimed to be in time", []said{at(0, 0)}, []said{at(week, day)}, week},
		{"withdrawn, then forgotten again", []said{at(0, 0), at(2*day, 2*day)}, []said{at(day, day)}, 2*day + week},
		{"both forgets withdrawn by one", []said{at(0, 0), at(2*day, 2*day)}, []said{at(3*day, 3*day)}, 0},
		{"one in time for the second forget only", []said{at(0, 0), at(2*day, 2*day)}, []said{at(8*day, 8*day)}, week},
		{"copied: stored in another order", []said{at(20*day, 0)}, []said{at(20*day-1, day)}, 0},
		{"only a withdrawal", nil, []said{at(0, 0)}, 0},
	} {
		s := newSayings(week)
		s.forgets["x"], s.withdrawals["x"] = c.forgets, c.withdrawals
		s.forgets["y"] = []said{at(-30*day, 0)} // another snapshot's
		got, forgotten := s.goes("x")
		if forgotten != (c.want != 0) || forgotten && !got.Equal(noon.Add(c.want)) {
			t.Errorf("%s: forgotten %t, goes %s", c.name, forgotten, got.Sub(noon))
		}
	}
}

// What the floor holds is held by each clock, so that neither lies nor a wrong
// clock take it away.
func TestFloorHolds(t *testing.T) {
	const day = 24 * time.Hour
	snap := func(seq uint64, stored, claimed time.Duration, project string) *Snapshot {
		return &Snapshot{
			Name:   commit.Name{Device: "d100000000000000", Seq: seq, Kind: commit.Snapshot, Time: noon.Add(claimed)},
			Commit: &commit.Commit{Project: trust.ProjectID(project)}, Stored: noon.Add(stored),
		}
	}
	snaps := []*Snapshot{
		1:  snap(1, -60*day, -60*day, "p"),
		2:  snap(2, -50*day, -50*day, "p"),
		3:  snap(3, -40*day, -40*day, "p"),
		4:  snap(4, -39*day, -300*day, "p"), // back-dated
		5:  snap(5, -38*day, 900*day, "p"),  // from the future
		6:  snap(6, -30*day, -2*day, "p"),   // claimed to be newer than it can be
		7:  snap(7, -1*day, -90*day, "p"),   // claimed to be old
		8:  snap(8, -200*day, -200*day, "q"),
		9:  snap(9, time.Second/2, 0, "r"),
		10: {Name: commit.Name{Seq: 10}}, // cannot be read
	}[1:]
	for _, c := range []struct {
		floor trust.Floor
		want  string
	}{
		{trust.Floor{}, "[]"}, // not even what was stored this second, by a clock that counts finer
		{trust.Floor{KeepLast: 1}, "[6 7 8 9]"},
		{trust.Floor{KeepLast: 2}, "[5 6 7 8 9]"},
		{trust.Floor{KeepLast: 3}, "[3 5 6 7 8 9]"},
		{trust.Floor{KeepDays: 7}, "[7 9]"},
		{trust.Floor{KeepDays: 45}, "[3 4 5 6 7 9]"},
		{trust.Floor{KeepLast: 100_000}, "[1 2 3 4 5 6 7 8 9]"},
	} {
		held := floorHolds(c.floor, snaps, noon)
		got := []uint64{}
		for _, s := range snaps {
			if held[s] {
				got = append(got, s.Name.Seq)
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("floor %+v: holds %v, want %s", c.floor, got, c.want)
		}
	}
}
