// Package kit writes and reads the recovery kit: one text file that restores
// everything.
//
// A kit is itself a valid age identity file: the secret stands on a line of
// its own and all else in # comments, so that `age -d -i kit.txt` works as it
// is. The comments tell a human what to do with it, and a machine where the
// vault is and which state of its trust the kit has seen, so that a restore
// needs nothing but the kit, the remote and its credentials.
//
// [Write] makes the text and [Parse] reads it. Between the two a kit is
// printed, mailed, pasted into password managers and typed from paper, so
// Parse forgives what that does to a text: byte order marks, foreign line
// ends, blanks, comments wrapped into several lines, a secret broken into
// several lines. The secret has a checksum of its own. Any age identity file
// with one identity is read as a kit that says nothing else.
//
// # Facts
//
// The lines for the machine are of the form `# name: value`. No line but the
// secret's is longer than 72 columns, or a mail program might wrap it and age
// would refuse the file; so a long value goes on in lines of the form
// `# name+: rest`, and the value is what stands after the colon and one blank,
// put together with nothing between. A value that is not plain ASCII with
// single blanks is written as a quoted Go string.
//
//	remote   where the vault is, as remote.Store.Location gives it
//	vault    the vault's ID
//	root     the root key as an allowed_signers line of the principal coffer-root
//	trust    number and SHA-256 of the newest trust when the kit was written
//	written  when that was
//	label    the device it was written on
//
// The root key is derived from the secret whenever a kit is read, and the line
// is compared with it: a kit put together from two is refused.
package kit
