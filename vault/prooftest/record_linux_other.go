//go:build linux && !amd64

package prooftest

import (
	"errors"
	"syscall"
)

// beginOld has nothing to do where there are no older calls.
func (r *recorder) beginOld(*call) {}

// skip and answer are known for one processor only.
func skip(int) error                  { return errors.ErrUnsupported }
func answer(int, syscall.Errno) error { return errors.ErrUnsupported }
