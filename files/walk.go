package files

import (
	"context"
	"iter"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Options say what a walk leaves out. The zero value keeps everything but the
// content of cache folders and what .cofferignore files name.
type Options struct {
	Exclude       []string // gitignore syntax, relative to the root; ignore files have the last word
	IgnoreFiles   []string // names of files with further rules, per folder; nil: .cofferignore
	CacheDirs     bool     // keep what is in folders with a valid CACHEDIR.TAG
	OneFileSystem bool     // do not enter folders on which something else is mounted
	Parallel      int      // goroutines that read; 0: as many as processors, at least four
}

// An Entry is one thing found by a walk. It and what it points to are valid
// until the next step of the walk.
type Entry struct {
	Path []byte // relative to the root; empty for the root itself
	Stat Stat   // Type is 0 if it could not be statted

	// Mount tells entries on different file systems apart, for hard-link
	// groups: two entries are the same file if Mount and Stat.Ino are equal.
	// It is the path, relative to the root, of the mount point the entry lies
	// on; for the rare hard-linked file whose device is not that of its folder,
	// a NUL and the device number follow.
	Mount []byte

	// Err says why the entry could not be statted, or the folder not be listed
	// to its end (what could be listed follows). If it is fs.ErrNotExist, the
	// entry vanished during the walk.
	Err error
}

// Walk yields the root and everything below it in the order of Compare. It
// never follows a symlink. Up to Parallel goroutines list and stat ahead of
// the consumer, within bounds. An error other than that of an entry (only
// that of ctx) ends the walk.
//
// Each thing that is left out is told to onSkip, if there is one, with the
// reason; of an excluded folder only the folder itself is told, of a cache
// folder or a mount point (which are yielded, but what they hold is not) too.
// An ignore file that cannot be applied is told as well; its folder is then
// kept whole.
func (t *Tree) Walk(ctx context.Context, o Options, onSkip func(path, why string)) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		if t.base != "" {
			yield(t.single(), nil)
			return
		}
		w := newWalk(t, o, onSkip)
		defer w.close()
		w.run(ctx, yield)
	}
}

// single is the entry of a root that is not a folder.
func (t *Tree) single() *Entry {
	e := &Entry{}
	e.Err = lstatAt(t.fd, append([]byte(t.base), 0), &e.Stat)
	return e
}

// reasons for onSkip other than a rule
const (
	whyCache = "cache folder (CACHEDIR.TAG)"
	whyMount = "other file system"
)

// Bounds of reading ahead, in entries. A folder counts for itself what its
// descriptor and buffers cost.
const (
	windowSize  = 256
	aheadMax    = 8192
	folderCost  = 32
	windowsMax  = 8   // windows of one folder in flight
	depthOpen   = 128 // folders above the current one that keep their descriptor
	depthSearch = 64  // folders above the current one that are searched for work
)

// A walk is one run through a tree. The consumer's goroutine goes through the
// folders depth first; workers take the next folder or window that it will
// come to and that nobody has begun. What nobody has begun when the consumer
// gets there it does itself, so that it never waits for a worker to start.
type walk struct {
	tree    *Tree
	rules   *rules
	ignore  []string
	cacheOK bool
	oneFS   bool
	onSkip  func(path, why string)
	device  uint64 // of the root

	// Of the consumer alone.
	entry Entry
	path  []byte
	mount []byte
	own   *scratch

	group sync.WaitGroup

	mu      sync.Mutex // guards all below, and what folders and windows say it does
	work    sync.Cond  // workers wait for something to do
	ready   sync.Cond  // the consumer waits for a worker
	idle    int        // workers that wait
	ahead   int        // cost of what is read and not yet reached
	stop    bool
	stack   []*folder // from the root to where the consumer is
	folders []*folder // all there are, to close their descriptors at the end
	freeF   []*folder
	freeW   []*window
}

// A folder is one that is being read or gone through. Without mark: written by
// who reads it, then read by all once done is set; mu guards the rest.
type folder struct {
	nameList
	parent *folder
	name   []byte // in the parent's arena, with its NUL
	stat   Stat   // of what was opened
	err    error
	why    string // it is yielded, but what it holds is left out
	mount  []byte
	rules  *rules
	notes  []note

	fd      int       // guarded by mu
	users   int       // guarded by mu: tasks that use fd
	pending int       // guarded by mu: windows and folders below that still need fd
	done    bool      // guarded by mu
	cost    int       // guarded by mu: its part of ahead
	next    int       // guarded by mu: first name that is in no window
	full    bool      // guarded by mu: everything below has been begun
	windows []*window // guarded by mu: the first is where the consumer is

	// Of the consumer alone.
	win     *window // where it is: the first of windows
	at      int     // next entry in win
	pathLen int     // of the path of its entries up to their names
}

// A note is something about an entry of a folder that onSkip must hear.
type note struct{ name, why string }

// A window is a stretch of a folder's names with what lstat said.
type window struct {
	from, to int // names
	found    []found
	kids     []int32 // entries that are folders to enter

	done  bool // guarded by mu
	cost  int  // guarded by mu
	begun int  // guarded by mu: kids that somebody has begun to read
	used  int  // guarded by mu: kids that the consumer has reached
	full  int  // guarded by mu: kids below which everything has been begun
}

type found struct {
	stat Stat
	err  error
	rule *pattern // excluded by
	why  string   // yielded, but not entered
	kid  *folder  // guarded by mu
}

// A scratch is the working memory of one goroutine.
type scratch struct {
	buf     []byte // for getdents
	path    []byte
	matcher matcher
}

func newScratch() *scratch { return &scratch{buf: make([]byte, 32<<10)} }

func newWalk(t *Tree, o Options, onSkip func(path, why string)) *walk {
	w := &walk{
		tree: t, rules: optionRules(o.Exclude), ignore: o.IgnoreFiles,
		cacheOK: o.CacheDirs, oneFS: o.OneFileSystem, onSkip: onSkip, own: newScratch(),
	}
	if w.ignore == nil {
		w.ignore = []string{".cofferignore"}
	}
	if w.onSkip == nil {
		w.onSkip = func(string, string) {}
	}
	w.work.L, w.ready.L = &w.mu, &w.mu
	n := o.Parallel
	if n <= 0 {
		n = max(4, runtime.GOMAXPROCS(0)) // more than processors: they mostly wait for a disk
	}
	for range n - 1 { // the consumer is one of them
		w.group.Go(w.worker)
	}
	return w
}

// close waits for the workers and gives back every descriptor.
func (w *walk) close() {
	w.mu.Lock()
	w.stop = true
	w.work.Broadcast()
	w.mu.Unlock()
	w.group.Wait()
	for _, f := range w.folders {
		if f.fd >= 0 {
			unix.Close(f.fd)
		}
	}
}

// run is the consumer.
func (w *walk) run(ctx context.Context, yield func(*Entry, error) bool) {
	root := w.root()
	if !w.emitFolder(root, yield) {
		return
	}
	for f := root; f != nil; f = w.top() {
		win := w.current(f)
		if win == nil {
			w.pop()
			continue
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		e := &win.found[f.at]
		name := f.nameList.name(f.names[win.from+f.at])
		f.at++
		w.path = append(w.path[:f.pathLen], name...)
		if !w.emit(f, win, e, yield) {
			return
		}
	}
}

func (w *walk) emit(f *folder, win *window, e *found, yield func(*Entry, error) bool) bool {
	switch {
	case e.rule != nil:
		w.onSkip(string(w.path), e.rule.why)
		return true
	case e.err == nil && e.stat.Type == Dir && e.why == "":
		return w.emitFolder(w.enter(f, win, e), yield)
	}
	if e.why != "" {
		w.onSkip(string(w.path), e.why)
	}
	w.entry = Entry{Path: w.path, Stat: e.stat, Mount: w.mountOf(f, &e.stat), Err: e.err}
	return yield(&w.entry, nil)
}

// emitFolder yields a folder that has been read and makes it the current one.
func (w *walk) emitFolder(f *folder, yield func(*Entry, error) bool) bool {
	if f.why != "" {
		w.onSkip(string(w.path), f.why)
	}
	for _, n := range f.notes {
		w.onSkip(string(w.path)+slashBefore(w.path)+n.name, n.why)
	}
	w.entry = Entry{Path: w.path, Stat: f.stat, Mount: f.mount, Err: f.err}
	if !yield(&w.entry, nil) {
		return false
	}
	w.push(f)
	return true
}

func slashBefore(path []byte) string {
	if len(path) == 0 {
		return ""
	}
	return "/"
}

// mountOf says on what file system an entry of f lies that is no folder to enter.
func (w *walk) mountOf(f *folder, st *Stat) []byte {
	switch {
	case st.Dev == f.stat.Dev || st.Type == 0:
		return f.mount
	case st.Type == Dir:
		return w.path
	case st.Nlink < 2:
		return f.mount
	}
	// A file mounted on a file, or an overlay that shows the devices below it.
	w.mount = append(append(w.mount[:0], f.mount...), 0)
	w.mount = strconv.AppendUint(w.mount, st.Dev, 10)
	return w.mount
}

func (w *walk) top() *folder {
	if len(w.stack) == 0 {
		return nil
	}
	return w.stack[len(w.stack)-1]
}
