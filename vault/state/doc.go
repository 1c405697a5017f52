// Package state keeps what one device knows about one vault: its keys, and
// what it remembers so that a run is cheap. Nothing in it is ever trusted over
// the remote.
//
// A folder, opened as a [Dir], holds:
//
//	device.json, device.json.old   keys, recipients, pinned trust, series, next numbers ([Device])
//	projects.json                  project key -> project ID
//	catalog.jsonl                  own snapshots, a line each ([Snapshot])
//	index/sorted, index/tail-<n>   chunk ID -> ref ([Index])
//	packs/<series>                 what is known of each pack ([PackTable])
//	wounds/<pack>                  chunks of packs found bad or missing ([Wound])
//	projects/<id>/manifest-<h>     the last run's entries of one root ([ManifestReader])
//	projects/<id>/checkpoint-<h>   the same, of a run at work or interrupted ([ManifestWriter], [Base])
//	<name>                         small files of the caller's own ([ReadSmall], [Dir.WriteSmall])
//	run.lock write.lock
//
// Order of use: [Open] (or [Create] and [Dir.CreateDevice]); what a run
// changes (index, pack tables, manifests) only under [Dir.LockRun]. The small
// files take the other lock by themselves, for the milliseconds a change needs.
// Each lock dies with the process that holds it.
//
// Promises:
//
//   - Files are 0600 and folders 0700, whatever the umask.
//   - Small files are replaced whole: temporary file, sync, rename, sync of the
//     folder. A kill or a power cut at any point leaves the old or the new one.
//     Only who says that either will do (see [Dir.PutSmall]) does not wait for
//     the last of these.
//   - What says what it said before is not written again.
//   - Every file, page, block, record and line carries a checksum. Damage is
//     [ErrDamaged] for the small files and absence, counted, for the rest: a
//     lookup is right or finds nothing. Only device.json cannot be made anew
//     from elsewhere; its former generation is kept beside it (see
//     [Dir.RecoverDevice]).
//   - Opening anything is O(1) in what was ever stored, but for the index's
//     tail, which is bounded; memory stays flat.
package state
