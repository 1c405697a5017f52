package vault

import (
	"context"
	"slices"
	"time"

	"coffer/vault/commit"
)

// A commit whose answer never came is not settled: the request may take effect
// as long as the store does not refuse it. So its name is kept until then, in
// own.json from before it is sent; when it shows, it is this device's own, and
// not a clone's, and the history goes on from it.

// unsettled is a commit that was sent, was looked for and was not there.
type unsettled struct {
	Base  string    `json:"base"`  // base name
	Until time.Time `json:"until"` // by the remote's clock: what was not there then never comes
}

// keepUnsettled bounds how many are kept: those sent last. It takes that many
// tries within two hours to meet it, and then the oldest may be taken for a
// clone's if it comes all the same.
const keepUnsettled = 64

// arrival is how long after it was given up a commit may first be seen: as long
// as a store may accept it, for stores whose clocks are apart, and which show
// late what they have.
func (s Safety) arrival() time.Duration { return s.CommitLife + 2*s.ListLag }

// willSend begins to note that a commit may be sent, so that it is known for
// one of this state's own if its acknowledgement is lost. It is staged and
// checked meanwhile, and not sent before the note is durable.
func (r *Run) willSend(base string) {
	r.own.Pending = append(r.own.Pending, base)
	r.v.beginSave(r.own, true)
}

// awaits tells whether this state has sent a commit of which it is not known
// whether it arrived.
func (h *ownHistory) awaits(base string) bool {
	return slices.Contains(h.Pending, base) || slices.ContainsFunc(h.Unsettled, func(u unsettled) bool { return u.Base == base })
}

// settle notes that a commit has arrived.
func (h *ownHistory) settle(base string) {
	h.Pending = slices.DeleteFunc(h.Pending, func(p string) bool { return p == base })
	h.Unsettled = slices.DeleteFunc(h.Unsettled, func(u unsettled) bool { return u.Base == base })
}

// giveUp makes what is pending unsettled until then, and nothing for longer: a
// clock may have been wrong.
func (h *ownHistory) giveUp(until time.Time) {
	until = until.UTC().Truncate(time.Second)
	for i, u := range h.Unsettled {
		if u.Until.After(until) {
			h.Unsettled[i].Until = until
		}
	}
	for _, base := range h.Pending {
		h.Unsettled = append(h.Unsettled, unsettled{base, until})
	}
	h.Pending = nil
}

// settlePending looks for commits of which it is not known if they arrived: what
// did is a head now, and what can come no more is forgotten.
func (r *Run) settlePending(ctx context.Context) error {
	now := r.now() // before they are looked for
	r.own.giveUp(now.Add(r.v.safety.arrival()))
	arrived, err := r.arrived(ctx)
	if err != nil {
		return err
	}
	for _, c := range arrived {
		if c != nil {
			r.own.follow(c.Name(), c)
		}
	}
	left := slices.DeleteFunc(r.own.Unsettled, func(u unsettled) bool { return !u.Until.After(now) })
	r.own.Unsettled = left[max(0, len(left)-keepUnsettled):]
	return nil
}

// arrived fetches the unsettled commits by their names, because listings may lag
// behind: nil for each that is not there.
func (r *Run) arrived(ctx context.Context) ([]*commit.Commit, error) {
	me, ok := r.v.Trust().Device(r.v.Device())
	if !ok {
		return nil, ErrRevoked
	}
	commits := make([]*commit.Commit, len(r.own.Unsettled))
	err := parallel(ctx, 8, len(commits), func(ctx context.Context, i int) error {
		n, err := commit.ParseBase(r.own.Unsettled[i].Base)
		if err != nil {
			return nil
		}
		n.Device = me.ID
		commits[i], err = r.v.commit(ctx, me, n)
		if isDamage(err) {
			return nil
		}
		return err
	})
	return commits, err
}
