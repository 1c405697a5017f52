package remote

// An Op names one method of a [Store] or [Staged], wherever operations are
// counted, reported or made to fail.
type Op string

const (
	OpPut     Op = "put"
	OpGet     Op = "get"
	OpList    Op = "list"
	OpDelete  Op = "delete"
	OpStage   Op = "stage"
	OpPublish Op = "publish"
	OpDiscard Op = "discard"
	OpNow     Op = "now"
)

// OpLock is of a [Locker]; a [Counter] does not see it.
const OpLock Op = "lock"

// Ops lists every operation of the contract.
var Ops = []Op{OpPut, OpGet, OpList, OpDelete, OpStage, OpPublish, OpDiscard, OpNow}
