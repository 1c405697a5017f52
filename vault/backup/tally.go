package backup

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/manifest"
)

// tally counts what a run finds and tells its Options' listeners.
type tally struct {
	o        *Options
	progress *Progress

	mu  sync.Mutex
	res Result // guarded by mu

	commit commit.Name // once it is made
}

func newTally(o *Options) *tally {
	t := &tally{o: o, progress: o.Progress}
	if t.progress == nil {
		t.progress = new(Progress)
	}
	return t
}

// tell calls OnEvent; mu keeps calls from overlapping.
func (t *tally) tell(e Event) {
	if t.o.OnEvent != nil {
		t.o.OnEvent(e)
	}
}

func (t *tally) missed(path string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.UnreadCount++
	t.res.Partial = true
	if len(t.res.Unread) < keepNames {
		t.res.Unread = append(t.res.Unread, Miss{path, err})
	}
	t.tell(Event{Kind: Unread, Path: path, Err: err})
}

// firstMiss is why the first root could not be read.
func (t *tally) firstMiss() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.res.Unread) == 0 {
		return errors.New("no folder was named")
	}
	return fmt.Errorf("%s: %w", t.res.Unread[0].Path, t.res.Unread[0].Err)
}

func (t *tally) changed(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.ChangedCount++
	if len(t.res.Changed) < keepNames {
		t.res.Changed = append(t.res.Changed, path)
	}
	t.tell(Event{Kind: Changed, Path: path})
}

func (t *tally) excluded(path, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.ExcludedCount++
	t.tell(Event{Kind: Excluded, Path: path, Why: why})
}

func (t *tally) leftOut(path, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.LeftOutCount++
	t.tell(Event{Kind: LeftOut, Path: path, Why: why})
}

func (t *tally) warn(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.Warnings = append(t.res.Warnings, err)
	t.tell(Event{Kind: Warning, Err: err})
}

// warnOf warns of what the vault noticed on the way and has not told yet.
func (t *tally) warnOf(problems []vault.Problem) {
	for _, p := range problems {
		told := slices.ContainsFunc(t.res.Warnings, func(w error) bool { return errors.Is(w, p.Err) })
		if !told {
			t.warn(fmt.Errorf("%w (%s; harms: %s)", p.Err, p.Object, p.Harms))
		}
	}
}

func (t *tally) removed(n int64) {
	if n > 0 {
		t.mu.Lock()
		t.res.RemovedFiles += n
		t.mu.Unlock()
	}
}

func (t *tally) kept(st *files.Stat) {
	t.mu.Lock()
	if st.Type == files.Regular {
		t.res.KeptFiles++
	}
	t.entry(st.Type, st.Size)
	t.mu.Unlock()
}

func (t *tally) stored(e *manifest.Entry, it *item) {
	t.mu.Lock()
	if e.Type == files.Regular {
		switch {
		case it.spare, it.still && !e.Changed:
			t.res.KeptFiles++
		case it.fresh:
			t.res.NewFiles++
		default:
			t.res.ChangedFiles++
		}
	}
	t.entry(e.Type, e.Size)
	t.mu.Unlock()
}

// entry counts one entry of the snapshot. mu must be held.
func (t *tally) entry(typ files.Type, size int64) {
	t.progress.Entries.Add(1)
	switch typ {
	case files.Regular:
		t.res.Files++
		t.res.Bytes += size
		t.progress.Files.Add(1)
		t.progress.Bytes.Add(size)
	case files.Dir:
		t.res.Dirs++
	default:
		t.res.Others++
	}
}

// count adds bytes read from a file.
func (p *pass) count(n int64) { p.t.progress.Read.Add(n) }

func (p *pass) showCurrent(path string) {
	if p.o.Progress != nil {
		abs := p.abs(path)
		p.t.progress.Current.Store(&abs)
	}
}

func (p *pass) missed(path string, err error) { p.t.missed(p.abs(path), err) }
func (p *pass) changed(path string)           { p.t.changed(p.abs(path)) }
