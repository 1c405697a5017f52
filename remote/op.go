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

// Ops lists every operation.
var Ops = []Op{OpPut, OpGet, OpList, OpDelete, OpStage, OpPublish, OpDiscard, OpNow}
