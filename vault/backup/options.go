package backup

import (
	"sync/atomic"
	"time"

	"coffer/chunk/pack"
	"coffer/files"
	"coffer/vault"
	"coffer/vault/trust"
)

// Options say what is backed up.
type Options struct {
	Project trust.ProjectID
	Key     string   // by which this device knows the project: see state.Dir.Project
	Label   string   // of the project, as users know it
	Roots   []string // absolute paths of folders or files
	Walk    files.Options
	Never   []string // absolute paths that are left out wherever they lie: the vault's own
	Tags    []string
	Host    string
	User    string
	Level   pack.Level
	Adapt   bool // compress harder than Level while uploads are slow, lighter while they are fast
	Uploads int  // packs on their way at a time; 0 means 2
	// DedupMemory is for how many days chunks that no manifest names any more
	// stay known; 0 means vault.DedupMemory.
	DedupMemory int
	Workers     int  // 0 means one per core
	DryRun      bool // look and count, store nothing
	Version     string

	Progress *Progress   // may be nil
	OnEvent  func(Event) // may be nil; calls do not overlap
}

// Progress is a run's counters. All may be read at any time.
type Progress struct {
	Files   atomic.Int64 // entries done that are regular files
	Bytes   atomic.Int64 // their bytes
	Entries atomic.Int64 // entries of any kind done
	Read    atomic.Int64 // bytes read from files
	Current atomic.Pointer[string]
	Stats   atomic.Pointer[vault.Stats] // what was stored and sent; nil before the run began
}

// An EventKind says what an Event tells.
type EventKind string

const (
	Unread   EventKind = "unread"   // could not be read, or not all of it
	Changed  EventKind = "changed"  // went on changing while it was read
	Excluded EventKind = "excluded" // left out by a rule
	LeftOut  EventKind = "left-out" // of a kind that is not stored: sockets, other file systems
	Warning  EventKind = "warning"  // about the vault, not a file
	Restart  EventKind = "restart"  // the check before the commit failed; the walk starts again
)

// An Event tells of something a user may want to know at once.
type Event struct {
	Kind EventKind
	Path string // absolute; "" for warnings
	Err  error
	Why  string // the rule, for Excluded and LeftOut
}

// Miss is a path that could not be read.
type Miss struct {
	Path string
	Err  error
}

// Result tells what a run did. Counts are of the snapshot unless they say new.
type Result struct {
	Snapshot  string // ID; "" for a dry run
	Unchanged bool   // equal to the snapshot before it
	Partial   bool   // something could not be read: see Unread

	Files, Dirs, Others int64
	Bytes               int64 // of regular files

	NewFiles, ChangedFiles, KeptFiles, RemovedFiles int64
	ReadBytes                                       int64 // read from changed and new files

	NewChunks int64
	NewBytes  int64 // of new chunks, before compression
	Stored    int64 // bytes uploaded

	Unread      []Miss // the first thousand
	UnreadCount int64
	Changed     []string // the first thousand of ChangedCount
	ChangedCount,
	ExcludedCount, LeftOutCount int64

	Healed vault.Healed // chunks of bad packs that were stored again, for older snapshots

	Start, End time.Time
	Warnings   []error
}

// keepNames bounds the lists of names in a Result and a body.
const keepNames = 1000
