//go:build race

package daemon_test

// Under the race detector ninety days take minutes, and are lived once.
const raced = true
