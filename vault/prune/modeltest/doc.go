// Package modeltest is the argument of docs/security.md, "Deleting without
// locks", as a small world that a test walks through to its end: two writers
// and two prunes over a store, three chunks, four packs and two snapshots at a
// time. [Rules.Explore] visits every state that they can reach and looks for
// one in which a visible snapshot that is not forgotten for good needs a pack
// that is gone. There is none; with any rule broken there is, and the shortest
// way to it is printed.
//
//	rules := modeltest.Rules{E: 1, F: 1, G: 4, C: 1, Final: 2, Runs: 2, Prunes: 1, Forgets: 1}
//	res, err := rules.Explore(20_000_000)
//
// # What may happen
//
// Each step of a process is a step of the world, and between any two of them
// anything else may happen, and any time may pass. So every process may be
// suspended anywhere, for any time. Besides:
//
//   - A listing may miss what is younger than E, each commit and each condemned
//     list by itself.
//   - An acknowledgement may be lost: the upload or the commit has happened, and
//     its writer does not know.
//   - Writers and prunes may crash anywhere. What was acknowledged stays noted.
//     A crash of which nothing is left is a process that never goes on.
//   - Clients' clocks may jump: a writer may rely on what was acknowledged to it
//     however long ago. Prunes go by the remote's clock, as real ones do.
//   - The owner forgets snapshots, and withdraws that until ForgetDelay.
//   - A listing that lacks more than it may is noticed by chains and heads, and
//     ends a prune, which a crash shows as well. How it is noticed is tested
//     with the real code.
//
// # How it corresponds to the code
//
//	begin, upload   W1, W2   vault.Begin, Run.Put. A pack is known if a snapshot that
//	                         was seen names it, or it was acknowledged: known.has.
//	stage           W3       remote.Store.Stage, from Run.stageCheckPublish
//	check           W4       Run.check
//	publish         W5       remote.Staged.Publish; late is remote.ErrExpired
//	find, condemn   P1-P3    prune.Make and Plan.condemn
//	sweep, recheck  P4, P5   Plan.lookAgain: what was ready before the sweep
//	remove          P6       Plan.delete
//	E, F, G, C, D            Safety.ListLag, CommitLife, Grace, CondemnAge, ForgetDelay
//	Final                    vault.GoneIn: ForgetDelay and ListLag
//
// It is more liberal than the code where that costs nothing: both writers use
// each other's packs, as a device and its heir, or a clone, do; a writer may rely on what
// a forgotten snapshot names; it may miss one name of a condemned list and see
// the next. Bodies, ledgers and rolls go as packs do and are left out, and so
// are moves. Progress is a snapshot that is forgotten.
package modeltest
