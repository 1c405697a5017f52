// Package files is the disk that a backup protects and a restore fills.
//
// Reading: [OpenTree] pins one root by a descriptor, [Tree.Walk] yields
// everything below it in the order of [Compare], [Tree.Open] opens a regular
// file for its content and [Tree.Detail] reads what a stat call does not say.
// Writing: a [Writer] puts things back below one folder, through os.Root and
// single names relative to pinned folders; metadata is set by descriptor.
//
// What reading promises:
//   - Nothing outside the root is ever read: no symlink is followed in any
//     component of any path, also not one that takes the place of a folder
//     while the walk is on.
//   - Nothing but folders and regular files is opened, so no FIFO can hang a
//     run and no device is touched.
//   - Nothing is left out without a word: what is excluded goes to onSkip with
//     the rule that did it, what cannot be read is yielded with its error.
//   - A rule means what it means to git; the tests ask git. What is in doubt
//     is kept.
//   - A name is any bytes, a path may be longer than the system's PATH_MAX, a
//     folder may hold a million names; memory follows the largest folder.
//   - A walk allocates nothing per entry where the kernel is asked directly
//     (list_getdents.go).
//
// What writing promises:
//   - Nothing lands outside the target, nor in another folder of the target
//     than the path says, whatever links were planted or are being swapped in.
//   - A file appears under its name complete or not at all.
//   - Metadata that could not be put back is told as a [Loss], never fatal and
//     never silent; setuid bits, devices and security.* attributes come back
//     only where asked for or allowed.
package files
