package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coffer/daemon/report"
)

var errAway = errors.New("away")

func judge(_ context.Context, err error) Verdict {
	if err == nil {
		return Verdict{Result: report.OK}
	}
	return Verdict{Result: report.Failed, Code: 7, Why: err.Error(), Outage: errors.Is(err, errAway)}
}

func newRun() *report.Run {
	return &report.Run{ID: "run-1", Job: "backup work", Verb: "backup", Project: "work", Vault: "home", Trigger: report.Scheduled, Begin: time.Now()}
}

// A remote that comes back within the time is waited for, one that answers
// with an error of another kind is not.
func TestWaitReach(t *testing.T) {
	for _, c := range []struct {
		name   string
		back   time.Duration // when the remote answers
		err    error         // until then
		result report.Result
		took   time.Duration // at most
	}{
		{"at once", 0, errAway, report.OK, 0},
		{"after two minutes", 2 * time.Minute, errAway, report.OK, 2*time.Minute + 30*time.Second},
		{"never", time.Hour, errAway, report.Failed, 15 * time.Minute},
		{"refused", time.Hour, errors.New("refused"), report.Failed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, bodies := time.Now(), 0
				j := Job{Name: "backup work", Verb: "backup", Judge: judge, Reach: func(context.Context) error {
					if time.Since(began) < c.back {
						return c.err
					}
					return nil
				}, Body: func(context.Context, *report.Run) error { bodies++; return nil }}
				r := newRun()
				j.Run(t.Context(), r, RunOptions{})
				if r.Result != c.result || time.Since(began) > c.took {
					t.Errorf("%s after %s: %s", r.Result, time.Since(began), r.Why)
				}
				if ran := bodies == 1; ran != (c.result == report.OK) || r.Outage == (c.result == report.OK || c.name == "refused") {
					t.Errorf("%d bodies, outage %t", bodies, r.Outage)
				}
			})
		})
	}
}

// hooked runs a job with hooks that write down what they are told.
func hooked(t *testing.T, h Hooks, body error) (*report.Run, []string, string) {
	t.Helper()
	notes := filepath.Join(t.TempDir(), "notes")
	t.Setenv("NOTES", notes)
	var log bytes.Buffer
	j := Job{Name: "backup work", Verb: "backup", Judge: judge, Hooks: h, Body: func(_ context.Context, r *report.Run) error {
		r.Stored = &report.Stored{Snapshot: "abcd", Files: 3, Bytes: 20, Uploaded: 10}
		return body
	}}
	r := newRun()
	j.Run(t.Context(), r, RunOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	b, err := os.ReadFile(notes)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return r, strings.Split(strings.TrimSpace(string(b)), "\n"), log.String()
}

func note(what string) Hook { return Hook{Command: `echo "` + what + `" >> "$NOTES"; echo said`} }

func TestHooks(t *testing.T) {
	all := Hooks{
		Before: note("$COFFER_HOOK $COFFER_PROJECT $COFFER_RESULT"), After: note("$COFFER_HOOK $COFFER_RESULT $COFFER_SNAPSHOT $COFFER_FILES $COFFER_BYTES_STORED"),
		Failed: note("$COFFER_HOOK $COFFER_EXIT_CODE $COFFER_ERROR"), Finally: note("$COFFER_HOOK $COFFER_RESULT"),
	}
	with := func(change func(*Hooks)) Hooks { h := all; change(&h); return h }
	for _, c := range []struct {
		name   string
		hooks  Hooks
		body   error
		result report.Result
		notes  []string
	}{
		{"good", all, nil, report.OK, []string{"run-before work ", "run-after ok abcd 3 10", "run-finally ok"}},
		{"failed", all, errors.New("no\nluck"), report.Failed, []string{"run-before work ", "run-failed 7 no luck", "run-finally failed"}},
		{"before fails", with(func(h *Hooks) { h.Before = Hook{Command: "echo broken; exit 3"} }), nil, report.Failed,
			[]string{"run-failed 1 run-before: exit status 3: broken", "run-finally failed"}},
		{"after fails", with(func(h *Hooks) { h.After = Hook{Command: "exit 1"} }), nil, report.Partial, []string{"run-before work ", "run-finally ok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, notes, log := hooked(t, c.hooks, c.body)
			if r.Result != c.result || !slices.Equal(notes, c.notes) {
				t.Errorf("%s (%s), notes %q", r.Result, r.Why, notes)
			}
			if !strings.Contains(log, "msg=said") {
				t.Errorf("the log lacks what the hooks printed:\n%s", log)
			}
		})
	}
}

// A hook that takes too long is ended with all that it started, even what pays
// no heed to SIGTERM and holds on to its output.
func TestHookTakesTooLong(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	began := time.Now()
	r, _, _ := hooked(t, Hooks{Before: Hook{Command: `trap "" TERM; (trap "" TERM; echo $$ > ` + pid + `; sleep 300) & sleep 300`, Timeout: 200 * time.Millisecond}}, nil)
	if r.Result != report.Failed || !strings.Contains(r.Why, "took longer than 200ms") || time.Since(began) > 60*time.Second {
		t.Errorf("%s (%s) after %s", r.Result, r.Why, time.Since(began))
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if !sleeping(t, pid) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("what the hook started is still there")
		}
	}
}

// sleeping tells whether the process whose number is in a file is alive.
func sleeping(t *testing.T, file string) bool {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", strings.TrimSpace(string(b))))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// A run that is called off while it waits for the remote has not begun: no hook
// hears of it. One that is called off later lets its hooks undo what they did.
func TestCalledOff(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	t.Setenv("NOTES", notes)
	h := Hooks{Before: note("before"), Failed: note("failed"), Finally: note("finally")}
	ctx, cancel := context.WithCancel(t.Context())
	j := Job{Name: "backup work", Verb: "backup", Judge: judge, Hooks: h, Reach: func(context.Context) error { cancel(); return errAway }}
	j.Run(ctx, newRun(), RunOptions{})
	if _, err := os.Stat(notes); err == nil {
		t.Error("a hook ran")
	}
	ctx, cancel = context.WithCancel(t.Context())
	j.Reach = nil
	j.Body = func(ctx context.Context, _ *report.Run) error { cancel(); return ctx.Err() }
	j.Run(ctx, newRun(), RunOptions{})
	if b, _ := os.ReadFile(notes); string(b) != "before\nfailed\nfinally\n" {
		t.Errorf("the hooks ran so: %q", b)
	}
}

func TestHeld(t *testing.T) {
	machine := func(battery bool, percent int, metered bool) Machine {
		return Machine{
			Power:   func() (bool, int, error) { return battery, percent, nil },
			Metered: func(context.Context) (bool, error) { return metered, nil },
		}
	}
	broken := Machine{
		Power:   func() (bool, int, error) { return true, 1, errors.New("unknown") },
		Metered: func(context.Context) (bool, error) { return true, errors.New("unknown") },
	}
	for _, c := range []struct {
		cond Conditions
		m    Machine
		held bool
	}{
		{Conditions{}, machine(true, 5, true), false},
		{Conditions{NoBattery: true}, machine(true, 99, false), true},
		{Conditions{NoBattery: true}, machine(false, 5, false), false},
		{Conditions{BelowPercent: 30}, machine(true, 29, false), true},
		{Conditions{BelowPercent: 30}, machine(true, 30, false), false},
		{Conditions{BelowPercent: 30}, machine(true, -1, false), false}, // it does not tell
		{Conditions{NoMetered: true}, machine(false, 0, true), true},
		{Conditions{NoMetered: true, NoBattery: true, BelowPercent: 30}, broken, false},
		{Conditions{NoMetered: true, NoBattery: true, BelowPercent: 30}, Machine{}, false},
	} {
		j := Job{Conditions: c.cond}
		if why := j.Held(t.Context(), c.m); (why != "") != c.held {
			t.Errorf("%+v: %q", c.cond, why)
		}
	}
}

// What a hook prints is bounded.
func TestHookThatTalksTooMuch(t *testing.T) {
	_, _, log := hooked(t, Hooks{Before: Hook{Command: "yes | head -c 10000000"}}, nil)
	if len(log) > 10<<20 || !strings.Contains(log, "bytes more") {
		t.Errorf("the log has %d bytes", len(log))
	}
}
