package restore

import (
	"context"
	"errors"

	"coffer/chunk"
	"coffer/vault"
	"coffer/vault/manifest"
)

// A Source gives the chunks of one snapshot. *vault.Source is one. All methods
// are safe for concurrent use. An error that is vault.ErrDamaged says that
// bytes are missing or wrong, and harms only what needs them; any other error
// (no network, no permission) ends the work.
type Source interface {
	Body() *manifest.Body

	// Segment returns the verified bytes of a chunk of kind chunk.Segment.
	Segment(ctx context.Context, ref chunk.Ref) ([]byte, error)

	// Read calls fn with the verified bytes of each ref, all of one pack and
	// ascending. data is valid during the call. An error of fn ends it and
	// comes back as it is.
	Read(ctx context.Context, kind chunk.Kind, refs []chunk.Ref, fn func(i int, data []byte) error) error

	// Hasher returns a new hasher for chunks of one kind.
	Hasher(kind chunk.Kind) *chunk.Hasher
}

var _ Source = (*vault.Source)(nil)

// A stopError is an error of a source that is no damage. It marks what comes
// back through the manifest, which wraps all errors alike.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// marked is a Source whose Segment tells damage from all else.
type marked struct{ Source }

func (m marked) Segment(ctx context.Context, ref chunk.Ref) ([]byte, error) {
	b, err := m.Source.Segment(ctx, ref)
	if err != nil && !errors.Is(err, vault.ErrDamaged) {
		return nil, &stopError{err}
	}
	return b, err
}

// isDamage tells whether err, which came through a marked source, says that
// something in the vault is missing or wrong: a chunk, or what stands in it.
func isDamage(err error) bool {
	var stop *stopError
	if errors.As(err, &stop) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var segment *manifest.SegmentError
	return errors.Is(err, vault.ErrDamaged) || errors.As(err, &segment)
}
