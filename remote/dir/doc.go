// Package dir keeps a remote in a folder: on a second disk, a USB drive, or a
// mounted network share.
//
//	store, err := dir.Create("/mnt/backup/coffer") // or Open, for one that is there
//
// An object is a file of the same name below the folder. It is written under a
// temporary name beside its place, synced, renamed, and the folder synced, with
// every folder newly made on the way: when Put returns, the object survives a
// power cut, and a file under an object's name is never half written. Files
// have mode 0600 and folders 0700 whatever the umask says. Nothing outside of
// the folder is ever touched, wherever links inside of it may point.
//
// A staged object is a file .pending-<random> in the folder of its name, made
// durable at once; publishing is one rename. Publishing is refused once its
// life has passed, by the wall clock or by a clock that goes on while the
// machine sleeps. That alone cannot bind a process that is stopped between
// looking and renaming, so [Store.Sweep] is the other half: once it has removed
// a pending file, the late rename fails.
//
// The remote's clock is the one that stamps new files: of the file server,
// where the folder is a network share, else of this machine.
package dir
