package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A sample is what one phase of one program took.
type sample struct {
	Wall     float64 `json:"wall_s"`
	CPU      float64 `json:"cpu_s"`
	Memory   float64 `json:"memory_mb"`
	Stored   float64 `json:"stored_mb"`
	Requests int64   `json:"requests"`
	Puts     int64   `json:"puts"`
}

// child runs a command and measures it. Processor time and memory are those of
// it and of the children it waited for. This process must stay small itself: a
// child counts as at least as large as its parent was.
func child(ctx context.Context, dir string, env, args []string) (sample, error) {
	return childTo(ctx, nil, dir, env, args)
}

// childTo is child, whose standard output goes to a writer if one is given:
// else it is kept in memory, for an error to tell.
func childTo(ctx context.Context, stdout io.Writer, dir string, env, args []string) (sample, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for this process to hand on
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if stdout != nil {
		cmd.Stdout = stdout
	}
	began := time.Now()
	err := cmd.Run()
	s := sample{Wall: time.Since(began).Seconds()}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail(out.String()))
	}
	s.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.Memory = float64(r.Maxrss) / 1e6
		if runtime.GOOS != "darwin" { // there it is in bytes, elsewhere in KiB
			s.Memory *= 1 << 10
		}
	}
	return s, nil
}

// tail is the end of what a program said, which as a rule has the reason.
func tail(s string) string {
	const most = 2000
	return s[max(0, len(s)-most):]
}
