package prooftest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Record runs a program and returns what it changed below a folder, in order.
// It watches the program's system calls, so nothing that it does to the disk
// goes unseen; a way to change a file that it does not know is an error.
//
// It waits for children of any kind, so it must be all that its process does.
func Record(dir string, cmd *exec.Cmd) ([]Change, error) {
	r := &recorder{dir: dir}
	err := r.run(cmd)
	if err == nil && r.code != 0 {
		err = fmt.Errorf("the program ended with %d", r.code)
	}
	return r.changes, err
}

// run starts a program and follows it to its end.
func (r *recorder) run(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.pid = cmd.Process.Pid
	r.calls, r.known = map[int]*call{}, map[int]bool{r.pid: true}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(r.pid, &ws, unix.WALL, nil); err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(r.pid, options); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	if err := unix.PtraceSyscall(r.pid, 0); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return r.follow()
}

// A recorder follows the threads of one process.
type recorder struct {
	dir     string
	pid     int
	calls   map[int]*call // what each thread has begun
	known   map[int]bool
	changes []Change
	code    int // with which the program ended

	fault *Fault // nil: nothing fails
	seen  int    // calls that the fault could have been
	hit   string // the path at which it was
}

// A call is a system call with what could be told of it at its beginning.
type call struct {
	nr   int
	args [6]uint64
	path string // of a descriptor or a name, before it was done
	to   string
	data []byte
	was  bool // a file was there
	errs bool // it is made to fail
}

// follow handles the stops of all threads until the process ends.
func (r *recorder) follow() error {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		if err != nil {
			return fmt.Errorf("trace: %w", err)
		}
		switch {
		case ws.Exited() || ws.Signaled():
			delete(r.calls, tid)
			if tid != r.pid {
				continue
			}
			if r.code = ws.ExitStatus(); ws.Signaled() {
				return fmt.Errorf("the program ended by signal %d", ws.Signal())
			}
			return nil
		case !ws.Stopped():
			continue
		}
		sig := 0
		switch s := ws.StopSignal(); {
		case s == unix.SIGTRAP|0x80:
			if err := r.stop(tid); err != nil {
				return err
			}
		case s == unix.SIGTRAP: // of a clone
		case s == unix.SIGSTOP && !r.known[tid]: // a thread begins
			r.known[tid] = true
		default:
			sig = int(s)
		}
		if err := unix.PtraceSyscall(tid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("trace: %w", err)
		}
	}
}

// stop handles the beginning or the end of a system call.
func (r *recorder) stop(tid int) error {
	var info [88]byte // struct ptrace_syscall_info
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, 0x420e, uintptr(tid), uintptr(len(info)), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == unix.ESRCH { // the program ends, by another thread
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("trace: look at a system call: %w", errno)
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(info[24+8*i:]) }
	switch info[0] {
	case 1: // the beginning
		c := &call{nr: int(word(0))}
		for i := range c.args {
			c.args[i] = word(1 + i)
		}
		r.begin(tid, c)
		r.calls[tid] = c
		return r.fail(tid, c)
	case 2: // the end
		c := r.calls[tid]
		delete(r.calls, tid)
		if c != nil && c.errs {
			return answer(tid, r.fault.Err)
		}
		if result := int64(word(0)); c != nil && result >= 0 {
			return r.end(c, result)
		}
	}
	return nil
}

// begin notes what is known only before the call is done.
func (r *recorder) begin(tid int, c *call) {
	switch c.nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC,
		unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_FALLOCATE, unix.SYS_SENDFILE, unix.SYS_SPLICE:
		c.path = r.ofDescriptor(int32(c.args[0]))
	case unix.SYS_COPY_FILE_RANGE:
		c.path = r.ofDescriptor(int32(c.args[2]))
	case unix.SYS_OPENAT:
		if c.path = r.ofName(c.args[0], c.args[1]); c.path != "" {
			_, err := os.Lstat(filepath.Join(r.dir, c.path))
			c.was = err == nil
		}
	case unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_MKNODAT:
		c.path = r.ofName(c.args[0], c.args[1])
	case unix.SYS_UTIMENSAT:
		if c.args[1] == 0 {
			c.path = r.ofDescriptor(int32(c.args[0]))
		} else {
			c.path = r.ofName(c.args[0], c.args[1])
		}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT:
		c.path, c.to = r.ofName(c.args[0], c.args[1]), r.ofName(c.args[2], c.args[3])
	case unix.SYS_SYMLINKAT:
		c.path, c.to = r.text(c.args[0]), r.ofName(c.args[1], c.args[2])
	default:
		r.beginOld(c)
	}
	if c.path != "" && (c.nr == unix.SYS_WRITE || c.nr == unix.SYS_PWRITE64) {
		c.data = r.memory(c.args[1], int(c.args[2]))
	}
}

// end notes what was done.
func (r *recorder) end(c *call, result int64) error {
	if c.path == "" || c.nr == unix.SYS_SYMLINKAT && c.to == "" {
		return nil
	}
	do := func(ch Change) { r.changes = append(r.changes, ch) }
	switch c.nr {
	case unix.SYS_OPENAT:
		if flags := c.args[2]; flags&unix.O_CREAT != 0 && !c.was {
			do(Change{Kind: Create, Path: c.path})
		} else if flags&unix.O_TRUNC != 0 && flags&(unix.O_WRONLY|unix.O_RDWR) != 0 {
			do(Change{Kind: Truncate, Path: c.path})
		}
	case unix.SYS_WRITE:
		pos, err := r.position(int32(c.args[0]))
		if err != nil {
			return err
		}
		do(Change{Kind: Write, Path: c.path, Off: pos - result, Data: c.data[:result]})
	case unix.SYS_PWRITE64:
		do(Change{Kind: Write, Path: c.path, Off: int64(c.args[3]), Data: c.data[:result]})
	case unix.SYS_FTRUNCATE:
		do(Change{Kind: Truncate, Path: c.path, Off: int64(c.args[1])})
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		if c.path == "." {
			c.path = ""
		}
		do(Change{Kind: Sync, Path: c.path})
	case unix.SYS_UNLINKAT:
		do(Change{Kind: Remove, Path: c.path})
	case unix.SYS_MKDIRAT:
		do(Change{Kind: Folder, Path: c.path})
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		do(Change{Kind: Rename, Path: c.path, To: c.to})
	case unix.SYS_LINKAT:
		do(Change{Kind: Link, Path: c.path, To: c.to})
	case unix.SYS_SYMLINKAT:
		do(Change{Kind: Symlink, Path: c.path, To: c.to})
	case unix.SYS_UTIMENSAT:
		if b := r.memory(c.args[2], 32); len(b) == 32 {
			sec, nsec := binary.NativeEndian.Uint64(b[16:]), binary.NativeEndian.Uint64(b[24:])
			do(Change{Kind: Times, Path: c.path, Off: int64(sec)*1e9 + int64(nsec)})
		}
	default:
		return fmt.Errorf("system call %d changes %s in a way that is not known here", c.nr, c.path)
	}
	return nil
}

// below makes a path relative to the folder; "" if it does not lie in it, "."
// for the folder itself.
func (r *recorder) below(path string) string {
	if path == r.dir {
		return "."
	}
	rest, ok := strings.CutPrefix(path, r.dir+"/")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(rest, " (deleted)")
}

func (r *recorder) ofDescriptor(fd int32) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", r.pid, fd))
	if err != nil || strings.HasSuffix(path, " (deleted)") {
		return ""
	}
	return r.below(path)
}

// ofName resolves a name, given relative to a descriptor.
func (r *recorder) ofName(dirfd, addr uint64) string {
	name := r.text(addr)
	if !filepath.IsAbs(name) {
		at := "cwd"
		if int32(dirfd) != unix.AT_FDCWD {
			at = "fd/" + strconv.Itoa(int(int32(dirfd)))
		}
		dir, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", r.pid, at))
		if err != nil {
			return ""
		}
		name = filepath.Join(dir, name)
	}
	return r.below(filepath.Clean(name))
}

// text reads a string of the program.
func (r *recorder) text(addr uint64) string {
	var out []byte
	for len(out) < unix.PathMax {
		// Up to the end of a page, since the next may not be there.
		b := r.memory(addr, int(4096-addr%4096))
		if i := bytes.IndexByte(b, 0); i >= 0 || len(b) == 0 {
			return string(append(out, b[:max(i, 0)]...))
		}
		out = append(out, b...)
		addr += uint64(len(b))
	}
	return string(out)
}

func (r *recorder) memory(addr uint64, n int) []byte {
	if addr == 0 || n == 0 {
		return nil
	}
	b := make([]byte, n)
	local := []unix.Iovec{{Base: &b[0], Len: uint64(n)}}
	got, err := unix.ProcessVMReadv(r.pid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: n}}, 0)
	if err != nil {
		return nil
	}
	return b[:got]
}

// position is where a descriptor is in its file.
func (r *recorder) position(fd int32) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", r.pid, fd))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(line, "pos:")), 10, 64)
}
