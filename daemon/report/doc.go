// Package report has the words in which the daemon speaks of its work, and
// keeps what it must remember: what each run did, and how each job stands.
//
// A [Run] is one execution of a job. A [Job] is what is remembered of a job
// between runs. [Memory] holds the jobs of a daemon, and is saved whole by a
// [Store] each time something changes that a crash must not undo; finished
// runs are also appended to a history that people and programs read.
//
// # What survives
//
// The memory is written to a temporary file, synced and renamed, and its former
// generation is kept: a kill or a power cut leaves the new one, or the former
// one, never a mixture. A file that is damaged all the same is known by its
// checksum and passed over. The history is written before the memory, so that
// a run that ended is in one of them: [Store.LastGood] tells.
//
// Nothing here is needed to restore, and all of it may be deleted.
package report
