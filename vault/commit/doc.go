// Package commit holds the signed statements that make a vault's history: that
// a snapshot exists, that others may go, that packs have moved, that a check
// was done.
//
// A [Commit] is filled in, given its place in its device's history with
// [Commit.Follow], and signed with [Commit.Sign]; [Open] reads one back. The
// object is one line of canonical JSON and an armored SSH signature, all in
// clear, so that a stranger can verify it with stock tools:
//
//	sed 1q COMMIT > stmt; sed 1d COMMIT > sig
//	ssh-keygen -Y verify -f allowed_signers -I DEVICE -n coffer-commit -s sig < stmt
//
// # History
//
// Each commit names its predecessors (prev): normally one; none if it is a
// device's first; several where the device's history forked, because its state
// was restored from an image, the machine was cloned, or a commit arrived only
// after the next one was made. Both sides of a fork stay valid and the next
// commit joins them. The number (seq) is one more than the highest of the
// predecessors', so a missing number is a missing commit.
//
// The chain value of a commit stands for all its ancestors ([Chain]). Names
// hold hashes, so from one verified commit ("head") and the chain value at the
// start of its folder, which it carries too, the names of all earlier commits
// in its folder can be authenticated without fetching one of them:
// [VerifyListing]. [VerifyLink] then ties the folder to the one before.
//
// # What is promised
//
// What [Open] returns bears the hash in its name, was signed by the given key,
// is in canonical form, keeps every rule of [Commit.Check], and says of itself
// what its name says. Nothing was parsed before its signature was verified.
// Times are claims and decide nothing.
package commit
