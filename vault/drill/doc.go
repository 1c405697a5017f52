// Package drill proves that a vault can be restored, by restoring from it.
//
//	rep, err := drill.Run(ctx, v, drill.Options{})
//
// With the identity it restores files of a snapshot into a scratch folder, as
// [coffer/vault/restore] does for anyone in need: some by chance, the oldest
// and the largest, or all. What lies there then is compared with the manifest
// and, where a file on this machine has not changed since, with that file. It
// measures how long the first byte took and how fast the rest came.
//
// Without the identity it does what can be done: the snapshot's objects are
// there, their bytes are those of their names, and they begin as age files do.
// That is less, and the [Report] says so: whether they open, and to what, was
// not tried.
//
// A drill ends in a Report, which the device signs and keeps with its local
// state, and in a commit. The report counts files and names none: names of
// files that are gone from the disk must not be found on it.
package drill
