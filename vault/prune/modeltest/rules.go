package modeltest

// Rules are what the world keeps to: the ages, and what each mutant breaks.
//
// Ages are in ticks. A tick is an interval and not a moment, so each rule is
// read the way that allows most: what may happen within x still may at an age
// of x ticks, and what must wait for x no longer has to.
type Rules struct {
	E int // a listing may miss what is not older; 0: listings are always complete
	F int // Safety.CommitLife
	G int // grace of a prune
	C int // Safety.CondemnAge
	D int // Safety.ForgetDelay: so long a forget can be withdrawn

	// Final is the age at which a prune takes a forget for final. With E > 0 it
	// must be more than D + E: else a prune that goes on with an old list may
	// miss a withdrawal of the last moment.
	Final int
	// Folder: the store cannot refuse a late commit; a prune sweeps its pending
	// file away instead.
	Folder bool

	// How many runs, prunes and forgets may begin, each at most 7.
	Runs, Prunes, Forgets int

	NoRecheck   bool // P6 deletes the whole list
	IgnoreLists bool // W4 looks at no condemned list
	NoExpiry    bool // a staged commit can be published for ever, and no sweep removes it
	DeleteFirst bool // P6 comes before P3
	CommitFirst bool // W5 comes before W1
	Truncated   bool // a listing that lacks commits is taken for a complete one
	SweepEarly  bool // in a folder, the grace need not have passed before the sweep, but before the second look
}

// start is a vault with one settled snapshot of two packs.
func (r *Rules) start() state {
	s := state{left: budget{uint8(r.Runs), uint8(r.Prunes), uint8(r.Forgets)}}
	s.packs[0] = pack{life: there, chunk: 0, age: 9}
	s.packs[1] = pack{life: there, chunk: 1, age: 9}
	s.snaps[0] = snap{used: 1, needs: 0b11, age: 9}
	r.settle(&s)
	return s
}

// lost reports whether a visible snapshot needs a pack that is not there. One
// that is forgotten for good is no longer in the state.
func (s *state) lost() bool {
	for _, c := range s.snaps {
		for p := range s.packs {
			if c.used == 1 && c.needs.has(p) && s.packs[p].life != there {
				return true
			}
		}
	}
	return false
}

// next yields everything that may happen in s, and what comes of it.
func (r *Rules) next(s *state, yield func(step, *state)) {
	emit := func(what step, n *state) {
		r.settle(n)
		yield(what, n)
	}
	r.tick(s, emit)
	for w := range s.writers {
		r.writer(s, w, emit)
	}
	for q := range s.prunes {
		r.prune(s, q, emit)
	}
	for i := range s.snaps {
		r.owner(s, i, emit)
	}
}

// tick lets time pass. Whatever does nothing meanwhile is slow, or asleep.
func (r *Rules) tick(s *state, emit func(step, *state)) {
	n := *s
	for i := range n.packs {
		n.packs[i].age++
		older(&n.packs[i].doom)
	}
	for i := range n.snaps {
		n.snaps[i].age++
		older(&n.snaps[i].forgotten)
		older(&n.snaps[i].withdrawn)
	}
	for i := range n.writers {
		if w := &n.writers[i]; w.at >= staged && !r.swept(w) {
			w.staged++
		}
	}
	emit(step{what: tick}, &n)
}

// older is the next age of what may not be.
func older(age *uint8) {
	if *age > 0 {
		*age++
	}
}

// young tells what a listing may still miss.
func (r *Rules) young(age uint8) bool { return r.E > 0 && int(age) <= r.E }

// doomed tells whether a reader of the condemned lists meets p in one: surely,
// or perhaps.
func (r *Rules) doomed(p *pack) (surely, perhaps bool) {
	if p.doom == 0 {
		return false, false
	}
	young := r.young(p.doom - 1)
	return !young, young
}

// swept reports whether a prune has removed the pending file of w.
func (r *Rules) swept(w *writer) bool { return r.Folder && int(w.staged) == r.F+2 }

// settle makes equal what nothing can tell apart any more.
func (r *Rules) settle(s *state) {
	for i := range s.snaps {
		r.settleSnap(&s.snaps[i])
	}
	for i := range s.writers {
		if w := &s.writers[i]; !r.swept(w) {
			w.staged = min(w.staged, uint8(r.F+1))
		}
	}
	for i := range s.prunes {
		if p := &s.prunes[i]; p.at == deleting && p.list == 0 {
			*p = prune{}
		}
	}
	for i := range s.packs {
		r.settlePack(s, i)
	}
}

// settleSnap lets a withdrawal that everyone must see, or nobody can miss in
// time, end the forget, and a forget that is final end the snapshot.
func (r *Rules) settleSnap(c *snap) {
	if c.used == 0 {
		*c = snap{}
		return
	}
	if c.age = min(c.age, uint8(r.E+1)); r.E == 0 {
		c.age = 0
	}
	age := int(c.forgotten) - 1
	unseen := r.E + 1 - (int(c.withdrawn) - 1) // ticks until all must see the withdrawal
	switch {
	case c.withdrawn > 0 && (r.E == 0 || unseen <= 0 || age+unseen <= r.Final):
		c.forgotten, c.withdrawn = 0, 0
	case c.forgotten > 0 && c.withdrawn == 0 && age >= max(r.Final, r.D+1):
		*c = snap{}
	}
}

// settlePack frees the name of a pack that is gone and that nothing names but
// lists that everyone must see. Its doom outlives it in the real store; here a
// new pack may take its place.
func (r *Rules) settlePack(s *state, i int) {
	p := &s.packs[i]
	if p.life == unused {
		*p = pack{}
		return
	}
	p.doom = min(p.doom, uint8(max(r.E+1, r.G)+1))
	if p.age = min(p.age, uint8(r.C)); p.life == gone {
		p.age = uint8(r.C)
	}
	if surely, _ := r.doomed(p); !surely || r.IgnoreLists {
		return
	}
	for w := range s.writers {
		s.writers[w].acks &^= one(i) // it can never be relied on again
	}
	if p.life == gone && !s.named(i) {
		*p = pack{}
	}
}

// named reports whether any process or snapshot names pack i.
func (s *state) named(i int) bool {
	for _, in := range s.sets() {
		if in.has(i) {
			return true
		}
	}
	return false
}

// owner forgets snapshot i, and brings it back.
func (r *Rules) owner(s *state, i int, emit func(step, *state)) {
	c := s.snaps[i]
	n := *s
	switch {
	case c.used == 0 || c.withdrawn > 0:
	case c.forgotten == 0 && s.left.forgets > 0:
		n.left.forgets--
		n.snaps[i].forgotten = 1
		emit(step{what: forget, set: c.needs}, &n)
	case c.forgotten > 0 && int(c.forgotten-1) <= r.D:
		n.snaps[i].withdrawn = 1
		emit(step{what: withdraw, set: c.needs}, &n)
	}
}
