package backup_test

import "time"

// waitGrain waits until times of files written before are past the grain
// within which a further change could go unseen.
func waitGrain() { time.Sleep(100 * time.Millisecond) }
