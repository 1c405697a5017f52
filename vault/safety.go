package vault

import "time"

// Safety holds every age and duration on which "nothing committed is ever
// lost" rests. They belong together: changing one alone can break the argument
// of docs/security.md, "Deleting without locks".
type Safety struct {
	// AckTrust: how long an object counts as stored because the remote
	// acknowledged it to this device, while no live commit names it. Less than
	// CondemnAge, by a day for clocks and long runs.
	AckTrust time.Duration
	// CondemnAge: objects younger than this, by the remote's clock, are never
	// condemned by a prune.
	CondemnAge time.Duration
	// CommitLife: how long a staged commit can be published. The store itself
	// refuses it afterwards.
	CommitLife time.Duration
	// ProgressEvery: a run that is still uploading after this commits progress.
	ProgressEvery time.Duration
	// ProgressLife: how long a progress commit keeps its packs from a prune.
	ProgressLife time.Duration
	// ForgetDelay: a forget takes effect this long after its remote time, and
	// can be withdrawn until then.
	ForgetDelay time.Duration
	// ListLag: how long a listing may lag behind what was acknowledged, and how
	// far the clocks of a remote's servers may be apart: E in the argument.
	ListLag time.Duration
	// Grace: how long a prune waits between naming what it means to delete and
	// deleting it. More than CommitLife and twice ListLag, with room for the
	// length of a request.
	Grace time.Duration
	// GraceLate: Grace where the store itself does not refuse what was staged
	// too long ago, so that only its client's clocks do.
	GraceLate time.Duration
	// GraceBoot: where the remote's clock is this machine's own, which anybody
	// can set, how long the machine must have been on since it was started
	// anew, if it was, while a prune waits.
	GraceBoot time.Duration
}

// DefaultSafety is what Coffer runs with.
var DefaultSafety = Safety{
	AckTrust:      6 * 24 * time.Hour,
	CondemnAge:    7 * 24 * time.Hour,
	CommitLife:    10 * time.Minute,
	ProgressEvery: 12 * time.Hour,
	ProgressLife:  30 * 24 * time.Hour,
	ForgetDelay:   7 * 24 * time.Hour,
	ListLag:       time.Hour,
	Grace:         24 * time.Hour,
	GraceLate:     7 * 24 * time.Hour,
	GraceBoot:     time.Hour,
}

// Bounds on what is fetched, in bytes: nothing larger is ours.
const (
	maxCommit    = 64 << 10
	maxTrust     = 1 << 20
	maxBodyPlain = 16 << 20
	maxLedger    = 64 << 20
	maxPack      = 64 << 20
	maxCondemned = 64 << 20
)

// MaxBody bounds a snapshot's body as it is stored, in bytes.
const MaxBody = 20 << 20
