package restore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"coffer/files"
	"coffer/vault"
)

// ErrPartial: what could be restored was, but some entries were not; the
// Result lists them.
var ErrPartial = errors.New("not everything was restored")

// keepProblems bounds the lists of a Result; the counts have them all.
const keepProblems = 1000

// A Problem is an entry that was not restored, and why.
type Problem struct {
	Path string // as in an Event
	Err  error
}

// Problems counts entries and keeps the first thousand.
type Problems struct {
	Count int64
	First []Problem
}

func (p *Problems) add(path string, err error) {
	p.Count++
	if len(p.First) < keepProblems {
		p.First = append(p.First, Problem{path, err})
	}
}

// keepNames is how many names a Loss keeps.
const keepNames = 5

// A Loss is one kind of metadata that could not be restored, of how many
// entries, the first of them, and why it was lost there.
type Loss struct {
	Kind  string // see files.Loss; also "hard link", "socket", "folder" (the target's own metadata), "unsaved"
	Count int64
	First []string
	Err   error
}

// A Result says what was done; after a dry run, what would be; after an
// interruption, how far it got.
type Result struct {
	// Restored. What was written and then failed to be read back is among them
	// as well as among Failed.
	Files    int64 // regular files, Links not among them
	Folders  int64
	Symlinks int64
	Links    int64 // further names of files
	Specials int64 // FIFOs and devices
	Bytes    int64 // sizes of Files

	// Left as they were.
	Unchanged      int64 // equal already, of any type
	UnchangedBytes int64
	Kept           int64 // different, and to be kept

	Deleted int64

	// Not restored.
	Damaged Problems // the vault could not give what they need
	Failed  Problems // the target did not take them
	Refused Problems // their names cannot stand in the target
	Unsaved Problems // the snapshot does not hold them; what it says of why

	Changed int64  // restored, but they changed while they were saved
	Losses  []Loss // the fidelity report, by kind

	Verified    int64 // files read back and found equal
	Packs       int64 // packs read; in a dry run, packs needed
	Elapsed     time.Duration
	DryRun      bool
	Interrupted bool // the work was cut short: go on by doing it again
}

// Err sums the problems up: an error that is vault.ErrDamaged if the vault was
// at fault for any, one that is ErrPartial if anything else is not restored.
func (r *Result) Err() error {
	var parts []string
	for _, c := range []struct {
		n    int64
		what string
	}{
		{r.Damaged.Count, "damaged in the vault"}, {r.Failed.Count, "failed"},
		{r.Refused.Count, "refused for their names"}, {r.Unsaved.Count, "not in the snapshot"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	switch {
	case len(parts) == 0:
		return nil
	case r.Damaged.Count > 0:
		return fmt.Errorf("%w: not everything was restored: %s", vault.ErrDamaged, strings.Join(parts, ", "))
	}
	return fmt.Errorf("%w: %s", ErrPartial, strings.Join(parts, ", "))
}

// A recorder makes the Result. Its methods are safe for concurrent use.
type recorder struct {
	onEvent  func(Event)
	progress *Progress

	mu  sync.Mutex
	res Result
}

// note records what was done about an entry.
func (r *recorder) note(ev Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch ev.Action {
	case Restored:
		r.count(ev)
	case Unchanged:
		r.res.Unchanged++
		r.res.UnchangedBytes += ev.Size
	case Kept:
		r.res.Kept++
	case Deleted:
		r.res.Deleted++
	case Damaged:
		r.res.Damaged.add(ev.Path, ev.Err)
	case Failed:
		r.res.Failed.add(ev.Path, ev.Err)
	case Refused:
		r.res.Refused.add(ev.Path, ev.Err)
	case Unsaved:
		r.res.Unsaved.add(ev.Path, ev.Err)
	}
	if r.onEvent != nil {
		r.onEvent(ev)
	}
}

// count adds a restored entry. The caller holds mu.
func (r *recorder) count(ev Event) {
	switch ev.Type {
	case files.Regular:
		r.res.Files++
		r.res.Bytes += ev.Size
	case files.Dir:
		r.res.Folders++
	case files.Symlink:
		r.res.Symlinks++
	default:
		r.res.Specials++
	}
}

// linked records a further name of something that was restored.
func (r *recorder) linked(path string, st files.Stat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.res.Links++
	if r.onEvent != nil {
		r.onEvent(Event{Action: Restored, Path: path, Type: st.Type, Size: st.Size})
	}
}

// lost records metadata of path that was not restored.
func (r *recorder) lost(path string, losses ...files.Loss) {
	if len(losses) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range losses {
		i := slices.IndexFunc(r.res.Losses, func(x Loss) bool { return x.Kind == l.Kind })
		if i < 0 {
			i = len(r.res.Losses)
			r.res.Losses = append(r.res.Losses, Loss{Kind: l.Kind, Err: l.Err})
		}
		x := &r.res.Losses[i]
		x.Count++
		if len(x.First) < keepNames {
			x.First = append(x.First, path)
		}
	}
}

// add changes a counter of the Result.
func (r *recorder) add(counter *int64, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*counter += n
}

// settled moves the progress on: a regular file is dealt with, of whose size
// left bytes were not counted yet.
func (r *recorder) settled(left int64) {
	if r.progress != nil {
		r.progress.Files.Add(1)
		r.progress.Bytes.Add(left)
	}
}

// wrote moves the progress on by bytes of a file that goes on.
func (r *recorder) wrote(n int) {
	if r.progress != nil {
		r.progress.Bytes.Add(int64(n))
	}
}

func (r *recorder) working(path *string) {
	if r.progress != nil {
		r.progress.current.Store(path)
	}
}
