package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"coffer/daemon/report"
)

// Hooks are commands of the user's that run around a run, by the shell, in the
// home folder. Their output goes to the log. See hookEnv for what they are
// told.
type Hooks struct {
	Before  Hook // a failure fails the run before it began
	After   Hook // after a good run
	Failed  Hook // after one that failed
	Finally Hook // after every run that got as far as its hooks
}

// A Hook is one command; an empty one does nothing.
type Hook struct {
	Command string
	Timeout time.Duration // 0 is 10 minutes
}

type hookName string

const (
	before  hookName = "run-before"
	after   hookName = "run-after"
	failed  hookName = "run-failed"
	finally hookName = "run-finally"
)

const (
	defaultHookTimeout = 10 * time.Minute
	// hookGrace is how long a hook that ran out of time may clean up after
	// SIGTERM, before it and all it started is killed.
	hookGrace = time.Second
	// lastTime is what a hook has once the run was called off. Three hooks with
	// their grace stay below what the end of a daemon may take.
	lastTime  = 2 * time.Second
	maxOutput = 64 << 10 // bytes of a hook's output that are logged
)

func (h Hooks) named(n hookName) Hook {
	return map[hookName]Hook{before: h.Before, after: h.After, failed: h.Failed, finally: h.Finally}[n]
}

// run runs one hook to its end, or to the end of its time.
func (h Hooks) run(ctx context.Context, n hookName, r *report.Run, o *RunOptions) error {
	hook := h.named(n)
	if hook.Command == "" {
		return nil
	}
	o.OnStage(string(n))
	timeout := hook.Timeout
	if timeout == 0 {
		timeout = defaultHookTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := shell(limited, hook.Command, hookEnv(n, r))
	for line := range strings.Lines(out) {
		o.Log.Info(strings.TrimRight(line, "\n"), "job", r.Job, "run", r.ID, "hook", string(n))
	}
	switch {
	case err == nil:
		return nil
	case limited.Err() != nil && ctx.Err() == nil:
		err = fmt.Errorf("%s: ended because it took longer than %s", n, timeout)
	default:
		err = fmt.Errorf("%s: %w%s", n, err, lastLine(out))
	}
	o.Log.Error(err.Error(), "job", r.Job, "run", r.ID)
	return err
}

// shell runs a command with its own process group, so that what it started
// goes when its time is over.
func shell(ctx context.Context, command string, env []string) (string, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	if home, err := os.UserHomeDir(); err == nil {
		cmd.Dir = home
	}
	out := &bounded{left: maxOutput}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = hookGrace // then it is killed; and a child that holds the pipe holds us no longer
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it started and left behind
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // the command itself ended well
	}
	return out.String(), err
}

// hookEnv describes the run to a hook. What is not known yet is left out.
func hookEnv(n hookName, r *report.Run) []string {
	env := []string{
		"COFFER_HOOK=" + string(n), "COFFER_RUN=" + r.ID, "COFFER_JOB=" + r.Job, "COFFER_VERB=" + r.Verb,
		"COFFER_PROJECT=" + r.Project, "COFFER_VAULT=" + r.Vault, "COFFER_TRIGGER=" + string(r.Trigger),
		"COFFER_BEGIN=" + r.Begin.Format(time.RFC3339),
	}
	if n == before {
		return env
	}
	env = append(env, "COFFER_RESULT="+string(r.Result), "COFFER_EXIT_CODE="+strconv.Itoa(r.Code), "COFFER_ERROR="+oneLine(r.Why))
	if s := r.Stored; s != nil {
		env = append(env, "COFFER_SNAPSHOT="+s.Snapshot, fmt.Sprintf("COFFER_FILES=%d", s.Files),
			fmt.Sprintf("COFFER_BYTES=%d", s.Bytes), fmt.Sprintf("COFFER_BYTES_STORED=%d", s.Uploaded))
	}
	return env
}

// oneLine keeps text that names files from breaking a hook's own lines.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + oneLine(last)
	}
	return ""
}

// bounded keeps the first bytes written to it and drops the rest.
type bounded struct {
	mu      sync.Mutex
	buf     bytes.Buffer // guarded by mu
	left    int          // guarded by mu
	dropped int          // guarded by mu: bytes
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(p), b.left)
	b.buf.Write(p[:n])
	b.left -= n
	b.dropped += len(p) - n
	return len(p), nil
}

func (b *bounded) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped > 0 {
		return fmt.Sprintf("%s\n(and %d bytes more)\n", b.buf.String(), b.dropped)
	}
	return b.buf.String()
}
