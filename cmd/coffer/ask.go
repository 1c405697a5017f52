package main

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// consent asks on the terminal whether to go on, and takes yes for yes and all
// else for no. Without a terminal nothing is done unless the command line says
// --yes. what is what the command would do: "coffer prune".
func (d *door) consent(yes bool, what, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if !d.canAsk() {
		again := shellLine(append([]string{"coffer"}, append(slices.Clone(d.args), "--yes")...))
		return false, usagef("look at the plan above, then:  "+again, "%s asks before it goes on, and there is no terminal to ask on", what)
	}
	fmt.Fprint(d.err, question+" [yes/no] ")
	line, err := bufio.NewReader(d.in).ReadString('\n')
	if err != nil && line == "" {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "yes" || answer == "y", nil
}

// agree is consent for a command that has nothing else to do: a no ends it.
func (d *door) agree(yes bool, what, question string) error {
	ok, err := d.consent(yes, what, question)
	if err == nil && !ok {
		err = outcome{exitFailed, "nothing was done"}
	}
	return err
}
