package vault

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"coffer/vault/commit"
	"coffer/vault/trust"
)

// A Snapshot is a verified commit that made a snapshot.
type Snapshot struct {
	Name      commit.Name
	Commit    *commit.Commit
	Stored    time.Time // when its commit was stored, by the remote's clock; zero if not listed
	Forgotten bool      // a forget names it that was not withdrawn in time
	Goes      time.Time // if forgotten: until then, by the remote's clock, it can be brought back
}

// ID is the snapshot's ID: the hash of its commit, 64 hex digits.
func (s *Snapshot) ID() string { return hex.EncodeToString(s.Name.Sum[:]) }

// Short is the ID as listings show it.
func (s *Snapshot) Short() string { return s.ID()[:8] }

// Time is when the snapshot was committed, as its device claims.
func (s *Snapshot) Time() time.Time { return s.Name.Time }

// A Filter narrows snapshots down; its zero value lets all through.
type Filter struct {
	Project trust.ProjectID
	Device  trust.DeviceID
}

func (f Filter) admits(s *Snapshot) bool {
	return (f.Project == "" || s.Commit.Project == f.Project) && (f.Device == "" || s.Name.Device == f.Device)
}

// Snapshots yields every valid snapshot, oldest first. Forgotten ones are
// yielded too, marked.
func (v *Vault) Snapshots(ctx context.Context) iter.Seq2[*Snapshot, error] {
	return func(yield func(*Snapshot, error) bool) {
		snaps, err := v.list(ctx)
		if err == nil {
			err = v.loadAll(ctx, snaps)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for _, s := range snaps {
			if s.Commit != nil && !yield(s, nil) {
				return
			}
		}
	}
}

// list returns the snapshots of all devices by time, with forgets applied and
// commits not yet fetched.
func (v *Vault) list(ctx context.Context) ([]*Snapshot, error) {
	snaps, _, err := v.listAll(ctx)
	return snaps, err
}

// listAll is list, and what was said of forgetting.
func (v *Vault) listAll(ctx context.Context) ([]*Snapshot, *sayings, error) {
	var snaps []*Snapshot
	said := newSayings(v.safety.ForgetDelay)
	for _, dev := range v.Trust().Devices {
		recs, unread, err := v.historyUnread(ctx, &dev)
		if err != nil {
			return nil, nil, err
		}
		for _, n := range unread {
			if n.Kind == commit.Forget {
				said.unread = append(said.unread, n.String())
			}
		}
		for i := range recs {
			r := &recs[i]
			switch r.name.Kind {
			case commit.Snapshot:
				snaps = append(snaps, &Snapshot{Name: r.name, Commit: r.c, Stored: r.stored})
			case commit.Forget:
				if err := v.hear(ctx, &dev, r, said); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	for _, s := range snaps {
		s.Goes, s.Forgotten = said.goes(s.Name.Base())
	}
	slices.SortStableFunc(snaps, func(a, b *Snapshot) int {
		if c := a.Time().Compare(b.Time()); c != 0 {
			return c
		}
		return strings.Compare(a.Name.String(), b.Name.String())
	})
	return snaps, said, nil
}

// loadAll fetches the commits of snaps. One that is damaged is noticed and
// keeps no commit.
func (v *Vault) loadAll(ctx context.Context, snaps []*Snapshot) error {
	return parallel(ctx, 8, len(snaps), func(ctx context.Context, i int) error {
		err := v.loadSnapshot(ctx, snaps[i])
		if isDamage(err) {
			v.notice(snaps[i].Name.String(), err, "snapshot "+snaps[i].Short()+" cannot be restored until it is back")
			return nil
		}
		return err
	})
}

func (v *Vault) loadSnapshot(ctx context.Context, s *Snapshot) error {
	r := record{name: s.Name, c: s.Commit}
	err := v.load(ctx, &r)
	s.Commit = r.c
	return err
}

// Find resolves what a user wrote to one snapshot: "latest", "latest~N" (the
// N-th before the latest), the first four or more digits of an ID, or a date
// "2006-01-02[T15:04[:05]]" in local time, which means the newest snapshot not
// after it. Forgotten snapshots answer to their ID only.
func (v *Vault) Find(ctx context.Context, spec string, f Filter) (*Snapshot, error) {
	snaps, err := v.list(ctx)
	if err != nil {
		return nil, err
	}
	back, isLatest, err := parseLatest(spec)
	if err != nil {
		return nil, err
	}
	if isLatest {
		return v.newest(ctx, snaps, f, spec, back, time.Time{})
	}
	if t, ok := parseDate(spec); ok {
		return v.newest(ctx, snaps, f, spec, 0, t)
	}
	return v.byID(ctx, snaps, spec)
}

// newest walks back from the end of snaps, fetching only the commits it must
// look at. until, if not zero, is the latest time that counts.
func (v *Vault) newest(ctx context.Context, snaps []*Snapshot, f Filter, spec string, back int, until time.Time) (*Snapshot, error) {
	for _, s := range slices.Backward(snaps) {
		if s.Forgotten || !until.IsZero() && s.Time().After(until) {
			continue
		}
		if err := v.loadSnapshot(ctx, s); err != nil {
			if isDamage(err) {
				v.notice(s.Name.String(), err, "snapshot "+s.Short()+" cannot be restored until it is back")
				continue
			}
			return nil, err
		}
		if !f.admits(s) {
			continue
		}
		if back == 0 {
			return s, nil
		}
		back--
	}
	return nil, notFound(spec, snaps)
}

func notFound(spec string, snaps []*Snapshot) *NotFoundError {
	e := &NotFoundError{Spec: spec}
	for _, s := range snaps {
		if s.Forgotten {
			e.Forgotten++
		} else {
			e.Count++
		}
	}
	return e
}

func (v *Vault) byID(ctx context.Context, snaps []*Snapshot, spec string) (*Snapshot, error) {
	want := strings.ToLower(spec)
	var hits []*Snapshot
	for _, s := range snaps {
		if len(want) >= 4 && strings.HasPrefix(s.ID(), want) {
			hits = append(hits, s)
		}
	}
	switch {
	case len(hits) == 0:
		return nil, notFound(spec, snaps)
	case len(hits) > 1:
		e := &AmbiguousError{Spec: spec}
		for _, s := range hits {
			e.IDs = append(e.IDs, s.ID()[:16])
		}
		return nil, e
	}
	return hits[0], v.loadSnapshot(ctx, hits[0])
}

// parseLatest reads "latest" and "latest~N".
func parseLatest(spec string) (back int, ok bool, err error) {
	if spec == "latest" {
		return 0, true, nil
	}
	rest, ok := strings.CutPrefix(spec, "latest~")
	if !ok {
		return 0, false, nil
	}
	back, err = strconv.Atoi(rest)
	if err != nil || back < 0 {
		return 0, true, fmt.Errorf("snapshot %q: want latest~N with a whole number N", spec)
	}
	return back, true, nil
}

// parseDate reads a date or a date with time. A date alone means its last second.
func parseDate(spec string) (time.Time, bool) {
	spec = strings.TrimPrefix(spec, "@")
	if t, err := time.ParseInLocation("2006-01-02", spec, time.Local); err == nil {
		return t.AddDate(0, 0, 1).Add(-time.Second), true
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, spec, time.Local); err == nil {
			return t, true
		}
	}
	if t, err := time.Parse(time.RFC3339, spec); err == nil {
		return t, true
	}
	return time.Time{}, false
}

// Witness returns the first 16 hex digits of the newest commit's hash, and
// that commit's name. A later restore with this witness can tell whether the
// remote shows at least the state seen now. It is "" in a vault without commits.
func (v *Vault) Witness(ctx context.Context) (string, commit.Name, error) {
	var newest commit.Name
	for _, dev := range v.Trust().Devices {
		recs, err := v.history(ctx, &dev)
		if err != nil {
			return "", newest, err
		}
		for _, r := range recs {
			if newest.Device == "" || newer(r.name, newest) {
				newest = r.name
			}
		}
	}
	if newest.Device == "" {
		return "", newest, nil
	}
	return hex.EncodeToString(newest.Sum[:8]), newest, nil
}

// newer tells whether commit a was made after b. Names count seconds: within
// one, the numbers of a device's commits decide.
func newer(a, b commit.Name) bool {
	return a.Time.After(b.Time) || a.Time.Equal(b.Time) && a.Device == b.Device && a.Seq > b.Seq
}

// Expect checks a witness: it returns the commit that has it and how many
// valid commits are newer. ErrRollback if no verified commit has it.
func (v *Vault) Expect(ctx context.Context, witness string) (commit.Name, int, error) {
	witness = strings.ToLower(strings.TrimSpace(witness))
	if len(witness) < 16 {
		return commit.Name{}, 0, fmt.Errorf("witness %q: want 16 hex digits", witness)
	}
	var all []commit.Name
	for _, dev := range v.Trust().Devices {
		recs, err := v.history(ctx, &dev)
		if err != nil {
			return commit.Name{}, 0, err
		}
		for _, r := range recs {
			all = append(all, r.name)
		}
	}
	for _, n := range all {
		if !strings.HasPrefix(hex.EncodeToString(n.Sum[:]), witness) {
			continue
		}
		follow := 0
		for _, o := range all {
			if newer(o, n) {
				follow++
			}
		}
		return n, follow, nil
	}
	return commit.Name{}, 0, fmt.Errorf("%w: no commit has the witness %s", ErrRollback, witness)
}
