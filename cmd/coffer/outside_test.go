package main

import "testing"

// What is told to others says what went wrong, and neither where nor what a
// command printed.
func TestForOthers(t *testing.T) {
	for why, want := range map[string]string{
		"nothing to back up: open /home/ada/clients/acme merger: no such file or directory": "nothing to back up: open …: no such file or directory",
		"run-before: exit status 7: password hunter2 refused":                               "run-before: exit status 7",
		"run-before: ended because it took longer than 1s":                                  "run-before: ended because it took longer than 1s",
		`back up "merger": permission denied`:                                               "back up …: permission denied",
		"get https://s3.example.com/bucket/prefix: refused":                                 "get https:…: refused",
		"read ~/acme/x: EOF\nread ../acme/y: EOF":                                           "read …: EOF\nread …: EOF",
		"the snapshot is partial: 3 entries could not be read, named above":                 "the snapshot is partial: 3 entries could not be read, named above",
		"remote is unreachable: dial tcp 127.0.0.1:9000: connection refused":                "remote is unreachable: dial tcp 127.0.0.1:9000: connection refused",
	} {
		if got := forOthers(why); got != want {
			t.Errorf("%q:\n got %q\nwant %q", why, got, want)
		}
	}
}
