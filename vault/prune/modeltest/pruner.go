package modeltest

// prune yields what prune q may do.
func (r *Rules) prune(s *state, q int, emit func(step, *state)) {
	me := &s.prunes[q]
	if me.at != resting {
		n := *s
		n.prunes[q] = prune{}
		emit(step{what: pruneCrash, who: q}, &n)
	}
	switch {
	case me.at == resting && s.left.prunes > 0:
		r.find(s, q, emit)
	case me.at == found:
		r.condemn(s, q, emit)
	case me.at == waiting && r.Folder && (int(me.age) >= r.G || r.SweepEarly):
		r.sweep(s, q, emit)
	case me.at == sweptUp && int(me.age) >= r.G, me.at == waiting && !r.Folder && int(me.age) >= r.G:
		r.recheck(s, q, emit)
	case me.at == deleting:
		r.remove(s, q, emit)
	}
}

// find is P1 and P2: whatever a listing may show of the commits gives a list of
// what is dead.
func (r *Rules) find(s *state, q int, emit func(step, *state)) {
	var old set
	for p := range s.packs {
		if s.packs[p].life == there && int(s.packs[p].age) >= r.C {
			old |= one(p)
		}
	}
	r.views(s, func(live set) {
		dead := old &^ live
		if dead == 0 {
			return
		}
		n := *s
		n.left.prunes--
		n.prunes[q] = prune{at: found, list: dead}
		if r.DeleteFirst {
			n.prunes[q].at = deleting
		}
		emit(step{what: find, who: q, set: dead}, &n)
	})
}

// condemn is P3. A list whose acknowledgement is lost is one whose prune
// crashes.
func (r *Rules) condemn(s *state, q int, emit func(step, *state)) {
	n := *s
	list := s.prunes[q].list
	n.prunes[q] = prune{at: waiting, list: list}
	for p := range n.packs {
		if list.has(p) && n.packs[p].doom == 0 {
			n.packs[p].doom = 1
		}
	}
	emit(step{what: condemn, who: q, set: list}, &n)
}

// sweep is the first half of P5, in a folder.
func (r *Rules) sweep(s *state, q int, emit func(step, *state)) {
	n := *s
	for i := range n.writers {
		if w := &n.writers[i]; w.at >= staged && int(w.staged) > r.F && !r.NoExpiry {
			w.staged = uint8(r.F + 2)
		}
	}
	n.prunes[q].at = sweptUp
	emit(step{what: sweep, who: q}, &n)
}

// recheck is P5: what is not live now, to be deleted.
func (r *Rules) recheck(s *state, q int, emit func(step, *state)) {
	list := s.prunes[q].list
	to := func(dead set) {
		n := *s
		n.prunes[q] = prune{at: deleting, list: dead}
		emit(step{what: recheck, who: q, set: dead}, &n)
	}
	if r.NoRecheck {
		to(list)
		return
	}
	r.views(s, func(live set) { to(list &^ live) })
}

// views yields what is live for each listing that is possible: the newest
// commits may be missing from it, and so may the newest withdrawals. A listing
// that lacks more is noticed and ends the prune, which a crash shows as well.
func (r *Rules) views(s *state, f func(live set)) {
	for seen := range 1 << nSnaps {
		var live set
		possible := true
		for i := range s.snaps {
			surely, perhaps := r.spares(&s.snaps[i])
			if seen>>i&1 == 1 {
				possible = possible && perhaps
				live |= s.snaps[i].needs
			} else {
				possible = possible && !surely
			}
		}
		if possible {
			f(live)
		}
	}
}

// spares tells whether a prune that lists now takes a snapshot for live.
func (r *Rules) spares(c *snap) (surely, perhaps bool) {
	final := c.forgotten > 0 && int(c.forgotten-1) >= r.Final
	switch {
	case c.used == 0 || final && c.withdrawn == 0:
		return false, false
	case final, r.young(c.age), r.Truncated:
		return false, true
	}
	return true, true
}

// remove is one deletion of P6; they come in any order.
func (r *Rules) remove(s *state, q int, emit func(step, *state)) {
	list := s.prunes[q].list
	for p := range s.packs {
		if !list.has(p) {
			continue
		}
		n := *s
		n.prunes[q].list = list &^ one(p)
		if r.DeleteFirst {
			n.prunes[q] = prune{at: found, list: list}
		}
		n.packs[p].life = gone
		emit(step{what: remove, who: q, pack: p}, &n)
	}
}
