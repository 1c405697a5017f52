package vault

import (
	"context"
	"time"
)

// keepProgress commits progress from time to time while a run goes on, so that
// a first backup of three weeks is neither eaten from behind by a prune nor
// uploaded again after a kill. A failure is told and stops nothing: the packs
// are still known here by their acknowledgement.
func (r *Run) keepProgress(ctx context.Context) {
	every := r.v.safety.ProgressEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		if err := r.CommitProgress(ctx); err != nil && ctx.Err() == nil {
			r.warn(err)
		}
	}
}

// stopProgress ends keepProgress and waits for a commit it may be making.
func (r *Run) stopProgress() {
	if r.endProgress != nil {
		r.endProgress()
		r.background.Wait()
	}
}
