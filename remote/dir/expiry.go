package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"coffer/remote"
)

var _ remote.ExpiryProber = (*Store)(nil)

// ProbeExpiry tries, without waiting, what a prune relies on in a folder: once
// the pending file of a staged object is swept away, publishing fails. (Its
// life besides is judged by the clocks of the machine that publishes.)
func (s *Store) ProbeExpiry(ctx context.Context) (enforced bool, err error) {
	late, err := s.Stage(ctx, remote.NewObject(remote.Canary+"late", []byte("late\n")), remote.StagedMax)
	if err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	pending := late.(*staged).pending
	if err := s.in("sweep", pending, func(root *os.Root) error { return root.Remove(pending) }); err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	err = late.Publish(ctx)
	if errors.Is(err, remote.ErrExpired) {
		return true, s.tidy()
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return false, fmt.Errorf("probe expiry: %w", err)
}

// tidy removes the folder of the canaries, if it is empty.
func (s *Store) tidy() error {
	return s.in("remove", remote.Canary, func(root *os.Root) error {
		_ = root.Remove("canary") // full, or in use by another probe: it stays
		return nil
	})
}
