// Package prune deletes what no snapshot needs any more, without a lock and
// beside runs at work: it first says what it means to delete, waits, looks
// again, and deletes only what is still dead.
//
//	plan, err := prune.Make(ctx, v, prune.Options{})
//	res, err := plan.Run(ctx)
//
// One call does both halves, so a prune is something to repeat. What earlier
// calls condemned and whose grace has passed by the remote's clock is deleted;
// what has died since is condemned, in a signed list that every writer reads
// before it commits. [Make] only looks; nothing changes before [Plan.Run].
//
// # What is dead
//
// Live is what live commits need: snapshots that no forget in effect names,
// progress that nothing has ended, moves as long as a live ledger names a pack
// that they replace, and what stands in for a live ledger or roll. Of each its
// body, its ledger, the rolls and the packs that the ledger names; and where a
// live list cannot be read, all packs and rolls that it could name. All else
// below packs/, rolls/, ledgers/, snapshots/ and moves/ that has a name of the
// right form is dead, and condemned once it is older than Safety.CondemnAge. Trusts, commits
// and condemned lists are never deleted, and nothing that others put beside the
// vault is.
//
// # What is needed to delete
//
// The whole history: every commit from each device's newest that anyone has
// seen, without gaps, chains that fit, signatures that hold; and every object
// that it needs, there and of its size. Anything less stops the deletion until
// it has healed or a commit of kind dismiss names it. What was seen when the
// plan was made must be seen again right before the deletion.
//
// # Order
//
// Writers store what is named before what names it. A prune deletes in the
// reverse order: bodies and maps of moves first, then ledgers, then rolls,
// packs last, each kind to its end before the next is begun. So a prune that is
// killed leaves dead objects, and no commit's ledger that names what is gone.
//
// docs/security.md, "Deleting without locks", has the argument why no live
// object is ever deleted.
package prune
