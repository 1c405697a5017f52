package modeltest

// prune yields what prune q may do. Each call of the real one does all of it:
// it deletes what earlier calls have condemned, and condemns what has died
// since. Here each half is a prune of its own, and they may come in any order.
func (r *Rules) prune(s *state, q int, emit func(step, *state)) {
	me := &s.prunes[q]
	if me.at > found {
		n := *s
		n.prunes[q] = prune{}
		emit(step{what: pruneCrash, who: q}, &n)
	}
	switch me.at {
	case resting:
		r.find(s, q, emit)
		r.sweep(s, q, emit)
	case found:
		r.condemn(s, q, emit)
	case sweptUp:
		r.recheck(s, q, emit)
	case deleting:
		r.remove(s, q, emit)
	}
}

// find is P1 and P2: whatever a listing may show of the commits gives a list of
// what is dead.
func (r *Rules) find(s *state, q int, emit func(step, *state)) {
	if s.left.prunes == 0 {
		return
	}
	var old set
	for p := range s.packs {
		if s.packs[p].life == there && s.packs[p].doom == 0 && int(s.packs[p].age) >= r.C {
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

// condemn is P3. A prune that crashes before it is one that never comes to it;
// a list whose acknowledgement is lost is a list.
func (r *Rules) condemn(s *state, q int, emit func(step, *state)) {
	n := *s
	list := s.prunes[q].list
	n.prunes[q] = prune{}
	for p := range n.packs {
		if list.has(p) && n.packs[p].doom == 0 {
			n.packs[p].doom = 1
		}
	}
	emit(step{what: condemn, who: q, set: list}, &n)
}

// ready are the packs that were condemned so long ago that P4 is over.
func (r *Rules) ready(s *state) set {
	var out set
	for p := range s.packs {
		if d := s.packs[p].doom; d > 0 && int(d-1) >= r.G && s.packs[p].life == there {
			out |= one(p)
		}
	}
	return out
}

// sweep begins P5: in a folder it removes pending files, elsewhere there are
// none.
func (r *Rules) sweep(s *state, q int, emit func(step, *state)) {
	ready := r.ready(s)
	switch {
	case r.Folder && r.SweepEarly:
		ready = 1<<nPacks - 1
	case ready == 0:
		return
	case !r.Folder:
		r.recheckOf(s, q, ready, emit)
		return
	}
	n := *s
	for i := range n.writers {
		if w := &n.writers[i]; w.at >= staged && int(w.staged) > r.F && !r.NoExpiry {
			w.staged = uint8(r.F + 2)
		}
	}
	n.prunes[q] = prune{at: sweptUp, list: ready}
	emit(step{what: sweep, who: q}, &n)
}

func (r *Rules) recheck(s *state, q int, emit func(step, *state)) {
	r.recheckOf(s, q, s.prunes[q].list&r.ready(s), emit)
}

// recheckOf is the rest of P5: of what is ready, what is dead now.
func (r *Rules) recheckOf(s *state, q int, ready set, emit func(step, *state)) {
	r.views(s, func(live set) {
		if r.NoRecheck {
			live = 0
		}
		n := *s
		n.prunes[q] = prune{at: deleting, list: ready &^ live}
		emit(step{what: recheck, who: q, set: ready &^ live}, &n)
	})
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
