// Package backup takes a snapshot: it walks the project's folders, stores what
// the vault does not have, and commits.
//
//	res, err := backup.Run(ctx, v, backup.Options{Project: id, Roots: roots})
//
// A run is one pass over two sorted streams, the walk and the manifest of the
// last run. What is equal in both is copied as it is, without being opened,
// parsed or allocated for; what is not is read, cut into chunks and stored.
// Reading, hashing and compressing go on in as many workers as there are
// cores, each filling packs of its own, while packs are sealed, checked and
// uploaded beside them. One goroutine writes the manifest in walk order.
//
// What could not be read is named in the snapshot, in the Result and through
// OnEvent, and makes the run partial. A file that changes while it is read is
// read again, and stored and marked if it goes on changing. Nothing is skipped
// in silence.
package backup
