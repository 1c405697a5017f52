package remote

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"time"
)

// An Object is what [Store.Put] stores: immutable bytes under a name.
// Sum is the SHA-256 of Data, computed once by whoever made the object; it is
// also part of nearly every name, and what S3 is told as payload hash and
// checksum.
type Object struct {
	Name string
	Data []byte
	Sum  [sha256.Size]byte
}

// NewObject returns an Object with its Sum filled in.
func NewObject(name string, data []byte) Object {
	return Object{Name: name, Data: data, Sum: sha256.Sum256(data)}
}

// Info is what a listing says about an object. Time is by the remote's clock.
type Info struct {
	Name string
	Size int64
	Time time.Time
}

// A Store is a place where objects rest. Names are relative, slash-separated,
// made of the characters a-z 0-9 . - _ and /, at most 512 bytes, without empty
// or dot components ([CheckName]). All methods are safe for concurrent use.
//
// Errors wrap [fs.ErrNotExist] (no such object), [fs.ErrExist] (the name is
// taken by other bytes), [fs.ErrPermission] (credentials refused), or one of
// the sentinels of this package; anything else is worth a retry.
type Store interface {
	// Put stores o durably before it returns. Storing the same bytes again
	// under the same name succeeds. Other bytes under a taken name are
	// refused with fs.ErrExist where the store can tell; Coffer never relies
	// on it, because it never reuses a name. Bytes that o.Sum is not the hash
	// of are refused with ErrDamaged ([CheckSum]): this is the last look at
	// them. Put does not keep o.Data.
	Put(ctx context.Context, o Object) error

	// Get appends to dst the bytes [off, off+n) of the object, fewer where
	// the object ends before; n < 0 means to the end, but never more than
	// MaxObject bytes. It returns the grown slice.
	Get(ctx context.Context, dst []byte, name string, off, n int64) ([]byte, error)

	// List yields the objects whose names begin with prefix and sort after
	// after (bytewise, exclusive; "" lists from the start), in ascending
	// order. An error ends the sequence: a listing that could not be
	// completed is never passed off as a short one.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes the object. Deleting what is not there succeeds.
	Delete(ctx context.Context, name string) error

	// Stage readies o so that Publish makes it visible with one cheap
	// operation that the store itself refuses once life has passed: a machine
	// that slept in between cannot publish late. life is in whole seconds,
	// at least two.
	Stage(ctx context.Context, o Object, life time.Duration) (Staged, error)

	// Now returns the remote's clock, by which all ages are judged.
	Now(ctx context.Context) (time.Time, error)

	// Location is the remote as a user writes it, without secrets.
	Location() string
}

// A Staged object is ready and not yet visible.
type Staged interface {
	// Publish makes the object visible. It fails with [ErrExpired], and the
	// object stays invisible, if its life has passed. If the answer is lost,
	// Publish may be called again with the same effect as once.
	Publish(ctx context.Context) error
	// Discard gives the object up. It is safe after Publish and does nothing then.
	Discard(ctx context.Context) error
}

// MaxObject bounds every object, in bytes. Packs are far smaller; whatever is
// larger on a remote is not ours.
const MaxObject = 256 << 20

var (
	// ErrUnreachable: the remote did not answer after all retries (no
	// network, wrong host, server down). What was stored is unaffected.
	ErrUnreachable = errors.New("remote is unreachable")
	// ErrExpired: a staged object was published too late and stays invisible.
	ErrExpired = errors.New("staged object expired before it was published")
	// ErrFull: the remote refuses more bytes (disk full, quota).
	ErrFull = errors.New("remote is full")
	// ErrNoBucket: the bucket or folder that should hold the remote is missing.
	ErrNoBucket = errors.New("remote does not exist")
	// ErrDamaged: the remote returned bytes that contradict its own checksum or
	// length, or was to be given bytes that contradict their own.
	ErrDamaged = errors.New("remote returned damaged bytes")
)
