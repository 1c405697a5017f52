package restore

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"coffer/files"
)

// Options say what is restored, where to and how. Target or InPlace must be
// set; the zero value of all else works.
type Options struct {
	// Where to. With Target, what is restored lands directly in that folder if
	// it is one folder; if it is one file, or several folders or files, each
	// lands there under its own base name (a number is added where two share
	// one). InPlace puts each root back to the path it was saved from.
	Target  string
	InPlace bool

	// What. Paths are as in SNAPSHOT:PATH (see the package comment); none means
	// all. Include and Exclude have gitignore syntax, relative to each folder
	// that is restored. With Include, only what it matches, or what lies in a
	// folder that it matches, is restored, and the folders that lead there.
	Paths   []string
	Include []string
	Exclude []string

	// How.
	Overwrite Overwrite
	Delete    bool // remove what the snapshot does not have; see the package comment
	DryRun    bool // change nothing, but count and tell as if
	Verify    bool // read back what was written and compare every chunk's ID; what is equal at a glance is read too
	Sparse    bool // long runs of zeros become holes, also where the file saved had none

	// Metadata that not everyone may set.
	Owner   Choice // owner and group; Auto: as root
	ByName  bool   // owner and group by their names here, where they exist, not by number
	Devices Choice // device nodes; Auto: as root
	SetID   Choice // setuid and setgid bits; Auto: as root

	Workers  int         // packs read at once, each of which takes some 35 MB; 0: 2
	Progress *Progress   // counted while running, if not nil
	OnEvent  func(Event) // told of each entry, one call at a time, if not nil

	bounds bounds // of memory; tests make them small
}

// Overwrite says what happens to a file that is there already and differs in
// type from the one in the snapshot, or whose content may. Folders are never
// replaced by folders; their metadata follows the same rule.
type Overwrite string

const (
	// IfChanged keeps what has the type, size, mtime, mode and, where those
	// are restored, owner and group that the snapshot says (of a symlink the
	// target, of a device the number); all else is written anew. It is the
	// default, and the way to go on after an interruption.
	IfChanged Overwrite = "if-changed"
	// Always writes everything anew.
	Always Overwrite = "always"
	// IfNewer overwrites what has an older mtime than the snapshot says.
	IfNewer Overwrite = "if-newer"
	// Never touches what exists.
	Never Overwrite = "never"
)

// A Choice is yes, no, or what fits who runs the program.
type Choice int8

const (
	Auto Choice = iota // yes if run by root
	Yes
	No
)

func (c Choice) yes(root bool) bool { return c == Yes || c == Auto && root }

// Progress counts while Run works. All of it may be read at any time.
type Progress struct {
	Files, Bytes           atomic.Int64 // regular files dealt with, and their sizes
	TotalFiles, TotalBytes atomic.Int64 // of all there are; they grow on the way where only a part is restored

	current atomic.Pointer[string]
}

// Current returns the path of a file that is being written, or "".
func (p *Progress) Current() string {
	if s := p.current.Load(); s != nil {
		return *s
	}
	return ""
}

// An Action is what was done about an entry.
type Action string

const (
	Restored  Action = "restored"  // written, or made
	Unchanged Action = "unchanged" // was there as the snapshot has it
	Kept      Action = "kept"      // was there, differs, and stays as Overwrite says
	Deleted   Action = "deleted"   // is not in the snapshot
	Damaged   Action = "damaged"   // the vault could not give what it needs; Err says what
	Failed    Action = "failed"    // the target did not take it; Err says why
	Refused   Action = "refused"   // its name cannot stand in the target; Err says why
	Unsaved   Action = "unsaved"   // the snapshot does not hold it: it could not be read when it was made
)

// An Event tells what was done about one entry; in a dry run, what would be.
type Event struct {
	Action Action
	Path   string // relative to Options.Target; absolute if in place
	Type   files.Type
	Size   int64
	Err    error
}

// bounds keep the memory of Run flat: a window is closed, and all that it
// planned is written, when one of them is reached.
type bounds struct {
	entries int // of the manifest
	refs    int
	open    int // files of more than one chunk, each of which may be open at once
	bytes   int // of names and attributes
}

func (b bounds) orDefault() bounds {
	if b == (bounds{}) {
		return bounds{entries: 48 << 10, refs: 48 << 10, open: maxOpen(), bytes: 12 << 20}
	}
	return b
}

// maxOpen is how many files may be open at once. Each takes up to three
// descriptors: itself and its folder's.
func maxOpen() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 32
	}
	return int(min(512, max(16, limit.Cur/6)))
}

func (o *Options) check() error {
	switch {
	case o.Target == "" && !o.InPlace:
		return errors.New("say where to restore to: a target folder, or in place")
	case o.Target != "" && o.InPlace:
		return errors.New("restore to a target folder or in place, not both")
	}
	switch o.Overwrite {
	case "":
		o.Overwrite = IfChanged
	case IfChanged, Always, IfNewer, Never:
	default:
		return fmt.Errorf("overwrite %q: want always, if-changed, if-newer or never", o.Overwrite)
	}
	if o.Delete && o.Overwrite == Never {
		return errors.New("overwrite never and delete contradict each other")
	}
	if o.Workers < 1 {
		o.Workers = 2
	}
	o.bounds = o.bounds.orDefault()
	return nil
}

func (o *Options) writerOptions() files.WriterOptions {
	root := os.Geteuid() == 0
	return files.WriterOptions{
		Owner: o.Owner.yes(root), ByName: o.ByName,
		Devices: o.Devices.yes(root), SetID: o.SetID.yes(root),
		Sparse: o.Sparse, Replace: o.Overwrite != Never,
	}
}
