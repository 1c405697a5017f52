package vault

import (
	"time"
)

// keepProgress commits progress from time to time while a run goes on, so that
// a first backup of three weeks is neither eaten from behind by a prune nor
// uploaded again after a kill. A failure is told and stops nothing: the packs
// are still known here by their acknowledgement.
func (r *Run) keepProgress(end <-chan struct{}) {
	every := time.NewTicker(r.v.safety.ProgressEvery)
	defer every.Stop()
	for {
		select {
		case <-end:
			return
		case <-r.ctx.Done():
			return
		case <-every.C:
		}
		if err := r.CommitProgress(r.ctx); err != nil && r.ctx.Err() == nil {
			r.warn(err)
		}
	}
}

// stopProgress ends keepProgress and waits for a commit it may be making. One
// that is on its way is not cut off: whether it arrived would not be known.
func (r *Run) stopProgress() {
	if r.endProgress != nil {
		close(r.endProgress)
		r.endProgress = nil
	}
	r.background.Wait()
}
