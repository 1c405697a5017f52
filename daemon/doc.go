// Package daemon keeps the time: it runs each job when its schedule says so,
// catches up once on what was missed, tries again what failed, and remembers
// all of it over suspends, reboots and crashes.
//
// A [Daemon] is made with [New] and works in [Daemon.Run] until its context
// ends. What there is to do comes from [Options.Load], which is asked again
// when the config changes. Runs that somebody asks for go through
// [Daemon.Hand], by the same gates.
//
// # The loop
//
// The loop wakes at least every [Step], looks at the wall clock, and asks for
// each job whether a due time lies between what is answered for and now. It
// never waits for a due time with one long timer: such a timer stands still
// while a laptop sleeps, and knows nothing of a clock that is set. So a due
// time that passed unseen, for whatever reason, is found at the next look, and
// any number of them make one run.
//
// # What is promised
//
//   - Before a run begins, and when it has ended, that is saved. A run that
//     dies with its process is owed still, and made up for at the next start.
//   - A due time is answered for by a good run that began after it, or by a
//     failure that was tried again until [Plan.RetryFor] was over; while the
//     remote cannot be reached, it stays owed. It is never answered for twice: where the memory is lost, the vault tells when the
//     newest snapshot began ([Plan.Evidence]).
//   - One run at a time on a vault. Other processes are kept out by the
//     vault's own lock; while one of them is at work, a run waits.
//   - When the context ends, runs are cancelled and waited for; they stop in
//     order and leave what the next run goes on from.
package daemon
