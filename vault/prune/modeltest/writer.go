package modeltest

// wants are the chunks that a writer has on its disk: one of its own, and one
// that both have.
func wants(w int) [2]uint8 { return [2]uint8{uint8(w), uint8(w + 1)} }

// writer yields what writer w may do.
func (r *Rules) writer(s *state, w int, emit func(step, *state)) {
	me := &s.writers[w]
	if me.at != idle {
		n := *s
		n.writers[w].rest()
		emit(step{what: writerCrash, who: w}, &n)
	}
	switch me.at {
	case idle:
		r.begin(s, w, emit)
	case running:
		if c, ok := s.missing(w); ok {
			r.upload(s, w, c, emit)
			return
		}
		n := *s
		n.writers[w].at = staged
		emit(step{what: stage, who: w, set: me.draft}, &n)
	case staged:
		r.check(s, w, emit)
	case checked:
		r.publish(s, w, emit)
	}
}

// rest ends a run. What was acknowledged stays noted.
func (w *writer) rest() { *w = writer{acks: w.acks} }

// again is a run that has all its packs and must stage its commit once more.
func (w writer) again() writer { return writer{at: running, draft: w.draft, acks: w.acks} }

// missing returns a chunk that no pack of the draft holds.
func (s *state) missing(w int) (uint8, bool) {
	for _, c := range wants(w) {
		if !s.holds(s.writers[w].draft, c) {
			return c, true
		}
	}
	return 0, false
}

func (s *state) holds(in set, c uint8) bool {
	for p := range s.packs {
		if in.has(p) && s.packs[p].chunk == c {
			return true
		}
	}
	return false
}

// begin chooses for each chunk a pack to rely on, or none.
func (r *Rules) begin(s *state, w int, emit func(step, *state)) {
	if s.left.runs == 0 {
		return
	}
	c := wants(w)
	for _, a := range r.choices(s, w, c[0]) {
		for _, b := range r.choices(s, w, c[1]) {
			n := *s
			n.left.runs--
			n.writers[w].at = running
			n.writers[w].draft = a | b
			emit(step{what: begin, who: w, set: a | b}, &n)
		}
	}
}

// choices are the packs to rely on for a chunk, as sets; the empty one means
// an upload.
func (r *Rules) choices(s *state, w int, c uint8) []set {
	var out []set
	must := false
	for p := range s.packs {
		if s.packs[p].life == unused || s.packs[p].chunk != c {
			continue
		}
		surely, perhaps := r.knows(s, w, p)
		if surely || perhaps {
			out = append(out, one(p))
		}
		must = must || surely
	}
	if !must {
		out = append(out, 0)
	}
	return out
}

// knows tells whether writer w can rely on pack p when it begins. What a
// listing may miss may be known or not. An acknowledgement may count whatever
// its age: the client's clock may have jumped.
func (r *Rules) knows(s *state, w, p int) (surely, perhaps bool) {
	condemned, maybe := r.doomed(&s.packs[p])
	if condemned && !r.IgnoreLists {
		return false, false
	}
	perhaps = s.writers[w].acks.has(p)
	for i := range s.snaps {
		if c := &s.snaps[i]; c.used == 1 && c.needs.has(p) {
			perhaps = true
			surely = surely || !r.young(c.age) && c.forgotten == 0
		}
	}
	return surely && !maybe, perhaps
}

// upload stores a chunk in a new pack.
func (r *Rules) upload(s *state, w int, c uint8, emit func(step, *state)) {
	for p := range s.packs {
		if s.packs[p].life != unused {
			continue
		}
		n := *s
		n.packs[p] = pack{life: there, chunk: c}
		if !r.CommitFirst {
			emit(step{what: uploadLost, who: w, pack: p}, &n)
		}
		n.packs[p] = pack{life: there, chunk: c}
		n.writers[w] = s.writers[w]
		n.writers[w].draft |= one(p)
		n.writers[w].acks |= one(p)
		if r.CommitFirst {
			n.packs[p].life = gone // it has a name, and is to be stored after the commit
		}
		emit(step{what: upload, who: w, pack: p}, &n)
		return // any other free name is as good
	}
}

// check reads the condemned lists: each of those that may be missed is seen or
// is not.
func (r *Rules) check(s *state, w int, emit func(step, *state)) {
	passes, fails := true, false
	draft := s.writers[w].draft
	for p := range s.packs {
		if !draft.has(p) || r.IgnoreLists {
			continue
		}
		surely, perhaps := r.doomed(&s.packs[p])
		passes = passes && !surely
		fails = fails || surely || perhaps
	}
	if passes {
		n := *s
		n.writers[w].at = checked
		emit(step{what: checkPasses, who: w, set: draft}, &n)
	}
	if fails {
		n := *s
		n.writers[w].rest()
		emit(step{what: checkFails, who: w, set: draft}, &n)
	}
}

// late reports whether a staged commit can no longer be published.
func (r *Rules) late(w *writer) bool {
	switch {
	case r.NoExpiry:
		return false
	case r.Folder:
		return r.swept(w)
	}
	return int(w.staged) > r.F
}

// publish makes the commit visible, or is refused and goes back to staging. If
// the acknowledgement is lost it does that too: a second commit of the same
// packs may come of it.
func (r *Rules) publish(s *state, w int, emit func(step, *state)) {
	me := s.writers[w]
	if r.late(&me) {
		n := *s
		n.writers[w] = me.again()
		n.writers[w].at = staged
		emit(step{what: publishLate, who: w}, &n)
		return
	}
	for i := range s.snaps {
		if s.snaps[i].used == 1 {
			continue
		}
		n := *s
		n.snaps[i] = snap{used: 1, needs: me.draft}
		lost := n
		n.writers[w].rest()
		emit(step{what: publish, who: w, set: me.draft}, &n)
		lost.writers[w] = me.again()
		emit(step{what: publishLost, who: w, set: me.draft}, &lost)
		return
	}
}
