package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// consent asks on the terminal whether to go on, and takes yes for yes and all
// else for no. Without a terminal nothing is done unless the command line says
// --yes. what is what the command would do: "coffer prune".
func (d *door) consent(yes bool, what, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if !d.canAsk() {
		return false, usagef("look at the plan above, then:  "+d.again("--yes"), "%s asks before it goes on, and there is no terminal to ask on", what)
	}
	fmt.Fprint(d.err, question+" [yes/no] ")
	line, err := answer(d.in, func() (string, error) { return bufio.NewReader(d.in).ReadString('\n') })
	if errors.As(err, new(told)) {
		fmt.Fprintln(d.err)
		return false, err
	}
	if err != nil && line == "" {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "yes" || answer == "y", nil
}

// again is the command line with one flag more, which stands before a -- that ends
// the flags.
func (d *door) again(flag string) string {
	end := slices.Index(d.args, "--")
	if end < 0 {
		end = len(d.args)
	}
	return shellLine(append([]string{"coffer"}, slices.Insert(slices.Clone(d.args), end, flag)...))
}

// agree is consent for a command that has nothing else to do: a no ends it.
func (d *door) agree(yes bool, what, question string) error {
	ok, err := d.consent(yes, what, question)
	if err == nil && !ok {
		err = outcome{exitFailed, "nothing was done"}
	}
	return err
}

// answer waits for what someone types. Ctrl-C ends the wait at once and leaves
// the terminal as it was: while nothing but a question is at work, there is
// nothing to end in order.
func answer(in io.Reader, read func() (string, error)) (string, error) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	restore := func() {}
	if f, ok := in.(*os.File); ok {
		if was, err := term.GetState(int(f.Fd())); err == nil {
			restore = func() { _ = term.Restore(int(f.Fd()), was) }
		}
	}
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := read()
		got <- result{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-stop:
		restore()
		return "", told{errors.New("interrupted"), exitInterrupted, "nothing was done"}
	}
}
