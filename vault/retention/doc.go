// Package retention decides which snapshots stay. It is a pure function of
// plain values: it reads no clock, no disk and no remote.
//
// [Apply] takes a [Policy], all snapshots of a vault that are not forgotten,
// and the time, and gives a [Decision] for each: whether it stays, and why, in
// words for people.
//
// # One rule above all
//
// A snapshot is only ever displaced by one that is at least as good. So
// snapshots are sorted into kinds first, see [Kind]: good ones; partial ones,
// whose run could not read all it should; and doubtful ones, which are empty,
// or have lost more than three quarters of the files or bytes that the good one
// before them had. A policy is then applied three times: to the good ones
// alone, to the good and partial ones, and to all. A snapshot stays if it stays
// among those of its own kind and better. So what a broken disk, a folder that
// was not mounted or a hostile device adds takes no good snapshot's place, and
// is itself kept as long as the policy says for one of its age.
//
// A project may really have shrunk. If what was stored for [Accept] was all
// that small, the next one counts as good, and becomes the measure. An empty
// snapshot never does.
//
// # Times
//
// Ages and periods go by the time at which the remote stored the snapshot's
// commit. A device that says something else by more than [Lag] is wrong or
// lies, and so is one that speaks from the future: such a snapshot has a
// [Strange] time, stands for no period, displaces nothing and stays until a
// person forgets it by name. The same goes for what nobody here can judge, as
// its counts are sealed: [Unknown].
//
// # What is promised
//
// Snapshots of different projects or devices never meet. Adding partial, empty,
// strange or unknown snapshots changes nothing for the good ones. Of each
// project and device the newest good ones stay, as many as Policy.Minimum, and
// the newest of all. To apply a policy again to what stayed, at the same time,
// takes away nothing more; to that end what a later one is judged by stays too.
package retention
