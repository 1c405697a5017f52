package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"coffer/vault/commit"
	"coffer/vault/trust"
)

// A forget hides a snapshot at once, and lets a prune take it away only
// Safety.ForgetDelay after the remote stored the forget. Until then it can be
// withdrawn. Both are judged by the remote's clock: a device could claim any
// time, and a withdrawal that came after the prune would bring back a snapshot
// whose packs are gone.

// said is a forget or a withdrawal of one snapshot.
type said struct {
	stored  time.Time // by the remote's clock
	claimed time.Time
}

// sayings hold what forgets and withdrawals say of snapshots, by the base names
// of these.
type sayings struct {
	delay       time.Duration
	forgets     map[string][]said
	withdrawals map[string][]said
	unread      []string // names of commits that might say more
}

func newSayings(delay time.Duration) *sayings {
	return &sayings{delay: delay, forgets: map[string][]said{}, withdrawals: map[string][]said{}}
}

// hear adds what a commit of dev says, if dev may say it.
func (v *Vault) hear(ctx context.Context, dev *trust.Device, r *record, s *sayings) error {
	if err := v.load(ctx, r); err != nil {
		if isDamage(err) {
			v.notice(r.name.String(), err, "nothing: a forget that cannot be read forgets nothing")
			s.unread = append(s.unread, r.name.String())
			return nil
		}
		return err
	}
	if !dev.Has(r.c.Role()) {
		v.notice(r.name.String(), fmt.Errorf("device %s has no role %q", dev.ID, r.c.Role()), "nothing: it is left out")
		return nil
	}
	to := s.forgets
	if r.c.Withdraw {
		to = s.withdrawals
	}
	for _, base := range r.c.Forgets {
		to[base] = append(to[base], said{r.stored, r.name.Time})
	}
	return nil
}

// goes tells whether a snapshot is forgotten, and since when the earliest
// forget that nobody withdrew takes effect.
func (s *sayings) goes(base string) (at time.Time, forgotten bool) {
	for _, f := range s.forgets[base] {
		end := f.stored.Add(s.delay)
		if slices.ContainsFunc(s.withdrawals[base], func(w said) bool { return w.undoes(f, end) }) {
			continue
		}
		if !forgotten || end.Before(at) {
			at, forgotten = end, true
		}
	}
	return at, forgotten
}

// undoes tells whether a withdrawal counts against a forget that takes effect
// at end. It must have been stored before that. That it came after the forget
// may be seen by either clock: when a vault is copied, all is stored anew in
// any order, and what was brought back must not be lost by that.
func (w said) undoes(f said, end time.Time) bool {
	return w.stored.Before(end) && (!w.stored.Before(f.stored) || !w.claimed.Before(f.claimed))
}

// Gone returns the snapshots that are no longer to be kept at now, a time of
// the remote's clock, by the names of their commits: those that were forgotten
// at least Safety.ForgetDelay ago, without a withdrawal in time, and that the
// trust's floor does not hold. Each call lists all history anew. A forget or withdrawal that cannot be read fails
// it, ErrDamaged, unless dismissed names it.
func (v *Vault) Gone(ctx context.Context, now time.Time, dismissed map[string]bool) (map[string]bool, error) {
	snaps, said, err := v.listAll(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range said.unread {
		if !dismissed[name] {
			return nil, damaged("%s: it may say that a snapshot is to stay, and cannot be read", name)
		}
	}
	if err := v.loadAll(ctx, snaps); err != nil {
		return nil, err
	}
	held := floorHolds(v.Trust().Floor, snaps, now)
	gone := map[string]bool{}
	for _, s := range snaps {
		if s.Commit != nil && s.Forgotten && !now.Before(s.Goes) && !held[s] {
			gone[s.Name.String()] = true
		}
	}
	return gone, nil
}

// floorSlack is how far a claimed time may lie after the remote's before it is
// one from the future, which holds nothing.
const floorSlack = 15 * time.Minute

// floorHolds returns the snapshots that the floor keeps: of each project the
// newest KeepLast, and all of the last KeepDays days, each by the remote's time
// and again by the claimed one. Either clock may have been wrong, and a device
// may lie, but no lie takes away what the other time holds.
func floorHolds(f trust.Floor, snaps []*Snapshot, now time.Time) map[*Snapshot]bool {
	projects := map[trust.ProjectID][]*Snapshot{}
	for _, s := range snaps {
		if s.Commit != nil {
			projects[s.Commit.Project] = append(projects[s.Commit.Project], s)
		}
	}
	held := map[*Snapshot]bool{}
	for _, of := range projects {
		for _, when := range []func(*Snapshot) time.Time{(*Snapshot).storedTime, (*Snapshot).claimedTime} {
			slices.SortFunc(of, func(a, b *Snapshot) int {
				if c := when(b).Compare(when(a)); c != 0 {
					return c
				}
				return commit.Compare(b.Name, a.Name)
			})
			for i, s := range of {
				if i < f.KeepLast || f.KeepDays > 0 && when(s).AddDate(0, 0, f.KeepDays).After(now) {
					held[s] = true
				}
			}
		}
	}
	return held
}

func (s *Snapshot) storedTime() time.Time { return s.Stored }

func (s *Snapshot) claimedTime() time.Time {
	if t := s.Time(); !t.After(s.Stored.Add(floorSlack)) {
		return t
	}
	return s.Stored
}
