//go:build !linux

package main

import "syscall"

// peak is the most memory that this process had, in bytes (as macOS counts).
func peak() int64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return int64(use.Maxrss)
}
