package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"coffer/remote"
)

var _ remote.ExpiryProber = (*Store)(nil)

// ProbeExpiry sends two presigned requests, one in time and one too late by the
// server's own clock, and reports whether the server refused the late one. That
// the first is taken shows that the second was refused for nothing else.
func (s *Store) ProbeExpiry(ctx context.Context) (enforced bool, err error) {
	late, err := s.canary(ctx, "late", minLife)
	if err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	in, err := s.canary(ctx, "in-time", time.Minute)
	if err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	defer s.clear(ctx, in.o.Name)
	if err := in.Publish(ctx); err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	if err := s.outlive(ctx, late); err != nil {
		return false, fmt.Errorf("probe expiry: %w", err)
	}
	err = late.send(ctx) // and not Publish, which would not ask the server
	switch {
	case errors.Is(err, remote.ErrExpired):
		return true, nil
	case err == nil, errors.Is(err, fs.ErrExist): // that the name is taken was looked at after the time was
		s.clear(ctx, late.o.Name)
		return false, nil
	}
	return false, fmt.Errorf("probe expiry: %w", err)
}

// canary stages an object of a few bytes.
func (s *Store) canary(ctx context.Context, name string, life time.Duration) (*staged, error) {
	st, err := s.Stage(ctx, remote.NewObject(remote.Canary+name, []byte(name+"\n")), life)
	if err != nil {
		return nil, err
	}
	return st.(*staged), nil
}

// outlive waits until the server's clock has left the life of p behind. The
// clock is asked, because it may go at a pace of its own.
func (s *Store) outlive(ctx context.Context, p *staged) error {
	end := p.signed.Add(p.life + time.Second) // whole seconds are told, and compared
	for {
		s.clock.forget()
		now, err := s.Now(ctx)
		if err != nil || now.After(end) {
			return err
		}
		if err := pause(ctx, max(end.Sub(now), time.Second/4)); err != nil {
			return err
		}
	}
}

// clear removes a canary, if the credentials may.
func (s *Store) clear(ctx context.Context, name string) {
	_ = s.Delete(context.WithoutCancel(ctx), name)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
