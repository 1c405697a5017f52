package main

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// Ctrl-C at a question ends the wait for an answer; it does not wait for one.
func TestInterruptedAnswer(t *testing.T) {
	never := make(chan struct{})
	_, err := answer(strings.NewReader(""), func() (string, error) {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Signal(os.Interrupt)
		}
		if err != nil {
			t.Error(err)
		}
		<-never
		return "", nil
	})
	var told told
	if !errors.As(err, &told) || told.code != exitInterrupted {
		t.Errorf("answered %v, want that it was interrupted", err)
	}
}

func TestAnswer(t *testing.T) {
	got, err := answer(strings.NewReader(""), func() (string, error) { return "yes", nil })
	if got != "yes" || err != nil {
		t.Errorf("answered %q, %v", got, err)
	}
}
