// Package vault gives the objects on a remote their meaning: it opens a vault,
// lists its signed history, reads the chunks of a snapshot, and writes new
// chunks, snapshots and devices into it.
//
// The waist is narrow. [Vault.Snapshots] says what exists, [Vault.Source]
// reads one snapshot, [Vault.Begin] starts a [Run] whose [Lane.Put] stores
// chunks and whose [Run.Commit] makes a snapshot of them. Everything that
// backs up, restores or verifies stands on these. [Vault.PlanForget] says which
// snapshots a policy would let go, [Vault.Forget] and [Vault.Undelete] say so
// to others, and [Vault.Amend] changes who takes part.
//
// # Order of writes
//
// A run writes its packs, then rolls, ledger and body, then stages the commit,
// then checks that everything the commit needs is there and will stay, and
// publishes the commit last. Until then nothing of the run is visible; after
// it everything is. No object is ever overwritten, and nothing takes a lock on
// the remote. A crash anywhere leaves at most objects that no commit names,
// which the next run finds and uses.
//
// # What is lost
//
// A pack that is found missing or bad counts as unknown, so the next run stores
// again what it held and is still on the disk, and commits a move that says
// where those chunks are now: older snapshots find them there. A ledger or roll
// that is lost can be written anew, and a move says that it stands in for it.
// Nothing that is stored is ever changed for that.
//
// # What is believed
//
// A commit counts if the device that signed it is in the trust that the root
// key signed. Commits name bodies, ledgers and trust by hash, ledgers name
// packs by hash, and each chunk has a keyed ID: so whatever a remote returns
// is either what was written or is noticed. Local state only ever saves work;
// it never decides what a snapshot holds.
package vault
