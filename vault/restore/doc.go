// Package restore brings a snapshot, or a part of it, back to the disk.
//
//	src, err := v.Source(ctx, snapshot)
//	res, err := restore.Run(ctx, src, restore.Options{Target: dir})
//	for e, err := range restore.List(ctx, src, "src", false) { ... }
//	err = restore.Cat(ctx, src, "src/main.go", os.Stdout)
//
// # Paths
//
// The PATH of SNAPSHOT:PATH is relative to the root, if the snapshot has one.
// If it has several, it begins with the name of one: the base name of the path
// it was saved from, followed by -2, -3 where an earlier root has the same. It
// may also be absolute, as it was when it was saved; a folder above several
// roots stands for all of them. [List] gives paths of this kind.
//
// # Where things land
//
// One folder that is restored to a target lands directly in it: what was
// root/a is then target/a, and the target itself gets the folder's metadata,
// unless it holds other things too. A single file, and each of several
// selections or roots, lands in the target under its base name. In place, each
// thing goes back to where it was saved from.
//
// # How it works
//
//	for each entry of the manifest, in order                         planner.go
//	    what the filters leave out is passed by                      sift.go
//	    a folder is made, or taken as it is                          folders.go
//	    something else is compared with what is there                judge.go
//	    what must be written is added to the window                  window.go
//	when the window is full, or the entries end
//	    the chunks it needs are sorted by pack, the packs are read,
//	    some at once, each frame of them decoded once, and each
//	    chunk written to all places where it belongs                 fetch.go
//	    a file whose last byte is written gets metadata and name     file.go
//	    then symlinks, FIFOs, devices and further names of files     window.go
//	    then, in the folders left since, what the snapshot does not
//	    have is deleted, and they get their metadata, deepest first  remove.go
//
// A window is bounded in entries, chunks, bytes of names and files open at
// once, so memory depends neither on the number of files nor on their size;
// only of hard-link groups something is kept to the end, about a hundred
// bytes each.
//
// # What is promised
//
// Nothing unverified reaches the disk: the source compares each chunk with its
// ID, and a file appears under its name when it is complete. Nothing lands
// outside of the target, whatever names the snapshot has and whatever links
// stand in the target or come in between: all writing goes through
// files.Writer.
//
// A pack that is missing or bad harms the files that need it; a part of the
// manifest that is, the entries in it. They are counted and named, everything
// else is restored, and the error is vault.ErrDamaged. Trouble with one file
// of the target is treated alike, with ErrPartial. Metadata that could not be
// put back is no error, but all of it stands in [Result.Losses].
//
// Interrupted, it leaves no unfinished file, and the same call again goes on:
// what is equal is skipped ([IfChanged]). What a killed one left behind is
// removed when its folder is next restored into.
//
// # Deleting
//
// With [Options.Delete], what the snapshot does not have is removed from each
// folder that is restored as a whole: not from folders that only lead to what
// Include or PATH chose, nothing that Exclude matches, nothing that the backup
// leaves out (by the excludes it was made with, or a .cofferignore above),
// nothing in a folder that could not be read when it was saved, nothing where
// the manifest is damaged and may have had it, nothing on another file system
// that is mounted below, and never through a symlink. A folder that stands
// where a file must go, and is not empty, is removed only with it.
package restore
