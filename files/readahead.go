package files

import "golang.org/x/sys/unix"

// How the consumer and the workers share the reading. All of it holds w.mu for
// a few steps at a time and never during a system call that may wait.

// A task is a folder to read, or (win set) a further window of one.
type task struct {
	f   *folder
	win *window
	fd  int // of f's parent, or of f for a window; -1: it must be opened again
}

// root reads the root folder.
func (w *walk) root() *folder {
	w.mu.Lock()
	f := w.newFolder(nil, nil)
	w.mu.Unlock()
	w.device = w.rootDevice()
	t := task{f: f, fd: w.tree.fd}
	w.do(t, w.own)
	w.mu.Lock()
	w.finish(t, 0)
	w.mu.Unlock()
	return f
}

func (w *walk) rootDevice() uint64 {
	var st Stat
	if fstat(w.tree.fd, &st) != nil {
		return 0
	}
	return st.Dev
}

func (w *walk) worker() {
	s := newScratch()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		t, ok := w.take()
		for !ok && !w.stop {
			w.idle++
			w.work.Wait()
			w.idle--
			t, ok = w.take()
		}
		if w.stop {
			return
		}
		w.callWorker()
		w.mu.Unlock()
		w.do(t, s)
		w.mu.Lock()
		w.finish(t, 1)
		w.ready.Signal()
	}
}

// callWorker wakes one worker if there may be something for it.
func (w *walk) callWorker() {
	if w.idle > 0 && w.ahead < aheadMax {
		w.work.Signal()
	}
}

// take begins the next thing that the consumer will need and nobody has begun.
func (w *walk) take() (task, bool) {
	if w.stop || w.ahead >= aheadMax {
		return task{}, false
	}
	low := max(0, len(w.stack)-depthSearch)
	for i := len(w.stack) - 1; i >= low; i-- {
		if t, ok := w.takeIn(w.stack[i]); ok {
			return t, true
		}
	}
	return task{}, false
}

// takeIn begins the next thing below f. It passes over what is full, so that
// a search does not go through all that was read ahead.
func (w *walk) takeIn(f *folder) (task, bool) {
	full := true
	for _, win := range f.windows {
		if !win.done {
			full = false
			continue
		}
		t, ok, fullKids := w.takeBelow(f, win)
		if ok {
			return t, true
		}
		full = full && fullKids
	}
	if f.next < len(f.names) {
		if len(f.windows) < windowsMax {
			return w.beginWindow(f), true
		}
		full = false
	}
	f.full = full
	return task{}, false
}

// takeBelow begins the next thing in the folders of one window. If there is
// none, it tells whether there never will be.
func (w *walk) takeBelow(f *folder, win *window) (t task, ok, full bool) {
	win.full = max(win.full, win.used)
	full = true
	for i := win.full; i < win.begun; i++ {
		kid := win.found[win.kids[i]].kid
		if kid.done && !kid.full {
			if t, ok := w.takeIn(kid); ok {
				return t, true, false
			}
		}
		if full = full && kid.done && kid.full; full {
			win.full = i + 1
		}
	}
	if win.begun < len(win.kids) {
		return w.beginKid(f, win), true, false
	}
	return task{}, false, full
}

// beginKid begins the next folder below f.
func (w *walk) beginKid(f *folder, win *window) task {
	e := win.kids[win.begun]
	win.begun++
	kid := w.newFolder(f, f.zname(f.names[win.from+int(e)]))
	kid.stat = win.found[e].stat
	win.found[e].kid = kid
	f.users++
	return task{f: kid, fd: f.fd}
}

// beginWindow begins the next stretch of f's names.
func (w *walk) beginWindow(f *folder) task {
	win := w.newWindow()
	win.from, win.to = f.next, min(f.next+windowSize, len(f.names))
	f.next = win.to
	f.windows = append(f.windows, win)
	f.users++
	return task{f: f, win: win, fd: f.fd}
}

// finish books a task that is done. A worker's result counts as read ahead.
func (w *walk) finish(t task, worker int) {
	user := t.f
	win := t.win
	if win == nil { // a folder, with its first window
		user = t.f.parent
		win = t.f.windows[0]
		f := t.f
		f.done = true
		f.cost = folderCost * worker
		w.ahead += f.cost
		f.next = win.to
		f.pending = (len(f.names) - win.to + windowSize - 1) / windowSize
		f.pending++ // the first window, counted down below
		w.settle(f, win)
	} else {
		w.settle(user, win)
	}
	win.done = true
	win.cost = len(win.found) * worker
	w.ahead += win.cost
	if user != nil {
		user.users--
		if t.win == nil {
			user.pending--
		}
		w.letGo(user)
	}
}

// settle replaces a window by the folders it found among what needs f's descriptor.
func (w *walk) settle(f *folder, win *window) {
	f.pending += len(win.kids) - 1
	w.letGo(f)
}

// letGo closes a folder that has nothing left to open or stat.
func (w *walk) letGo(f *folder) {
	if f.pending == 0 && f.users == 0 && f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
	}
}

// current returns the window that holds the consumer's next entry in f, or nil
// at the end of the folder.
func (w *walk) current(f *folder) *window {
	if f.win != nil && f.at < len(f.win.found) {
		return f.win
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if f.win != nil {
			f.win = nil
			w.dropWindow(f)
		}
		if len(f.windows) == 0 {
			if f.next >= len(f.names) {
				return nil
			}
			w.here(w.beginWindow(f))
		}
		win := f.windows[0]
		for !win.done {
			w.ready.Wait()
		}
		f.win = win
		w.ahead -= win.cost
		win.cost = 0
		if w.ahead < aheadMax/2 {
			w.callWorker()
		}
		if len(win.found) > 0 {
			return win
		}
	}
}

// here does a task in the consumer's goroutine.
func (w *walk) here(t task) {
	w.mu.Unlock()
	w.do(t, w.own)
	w.mu.Lock()
	w.finish(t, 0)
}

// enter returns the folder of entry e, read.
func (w *walk) enter(f *folder, win *window, e *found) *folder {
	w.mu.Lock()
	defer w.mu.Unlock()
	win.used++
	if win.begun < win.used {
		w.here(w.beginKid(f, win))
	}
	kid := e.kid
	for !kid.done {
		w.ready.Wait()
	}
	first := kid.windows[0]
	w.ahead -= kid.cost + first.cost
	kid.cost, first.cost = 0, 0
	if w.ahead < aheadMax/2 {
		w.callWorker()
	}
	return kid
}

// push makes f the consumer's folder. Far above it, descriptors are given back.
func (w *walk) push(f *folder) {
	f.pathLen = len(w.path)
	if len(w.path) > 0 {
		w.path = append(w.path, '/')
		f.pathLen++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stack = append(w.stack, f)
	if n := len(w.stack) - depthOpen; n > 0 {
		if far := w.stack[n-1]; far.users == 0 && far.fd >= 0 {
			unix.Close(far.fd)
			far.fd = -1
		}
	}
	w.callWorker()
}

// pop leaves the consumer's folder.
func (w *walk) pop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.top()
	w.stack = w.stack[:len(w.stack)-1]
	w.freeFolder(f)
	f = w.top()
	if f == nil || f.fd >= 0 || f.pending == 0 {
		return
	}
	w.mu.Unlock()
	fd, err := w.reopen(f, w.own)
	w.mu.Lock()
	if err == nil {
		f.fd = fd // else each task tries for itself and has the error
	}
}

func (w *walk) newFolder(parent *folder, zname []byte) *folder {
	var f *folder
	if n := len(w.freeF); n > 0 {
		f, w.freeF = w.freeF[n-1], w.freeF[:n-1]
	} else {
		f = &folder{fd: -1}
		w.folders = append(w.folders, f)
	}
	f.parent, f.name = parent, zname
	f.windows = append(f.windows, w.newWindow())
	return f
}

func (w *walk) freeFolder(f *folder) {
	for len(f.windows) > 0 {
		w.dropWindow(f)
	}
	if f.fd >= 0 {
		unix.Close(f.fd)
	}
	l := f.nameList
	l.reset()
	*f = folder{nameList: l, fd: -1, windows: f.windows[:0], notes: f.notes[:0]}
	w.freeF = append(w.freeF, f)
}

func (w *walk) newWindow() *window {
	if n := len(w.freeW); n > 0 {
		win := w.freeW[n-1]
		w.freeW = w.freeW[:n-1]
		return win
	}
	return &window{}
}

// dropWindow takes f's first window away.
func (w *walk) dropWindow(f *folder) {
	win := f.windows[0]
	copy(f.windows, f.windows[1:])
	f.windows = f.windows[:len(f.windows)-1]
	f.at = 0
	*win = window{found: win.found[:0], kids: win.kids[:0]}
	w.freeW = append(w.freeW, win)
}
