package prune

import (
	"errors"
	"time"

	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
)

// A Kind of objects that can be deleted. Their order is that of deletion: what
// names others comes before what it names.
type Kind int

const (
	Bodies Kind = iota
	Moves
	Ledgers
	Rolls
	Packs
	kinds
)

// folders are where objects of each kind lie.
var folders = [kinds]string{"snapshots/", "moves/", "ledgers/", "rolls/", "packs/"}

// String names the kind, in the plural.
func (k Kind) String() string {
	return [kinds]string{"snapshot bodies", "move maps", "ledgers", "rolls", "packs"}[k]
}

// An Object is something on the remote that a prune may delete.
type Object struct {
	Name   string
	Kind   Kind
	Size   int64     // bytes
	Stored time.Time // by the remote's clock
}

// A Tally counts objects.
type Tally struct {
	Count int64
	Bytes int64
}

func (t *Tally) add(size int64) {
	t.Count++
	t.Bytes += size
}

// Tallies count objects by kind.
type Tallies [kinds]Tally

// All is the sum over all kinds.
func (t Tallies) All() (sum Tally) {
	for _, k := range t {
		sum.Count += k.Count
		sum.Bytes += k.Bytes
	}
	return sum
}

func (t *Tallies) addAll(objects []Object) {
	for _, o := range objects {
		t[o.Kind].add(o.Size)
	}
}

// Count sums objects up by kind.
func Count(objects []Object) (t Tallies) {
	t.addAll(objects)
	return t
}

var errStranger = errors.New("its device is not in the trust")

// ours tells whether an object's name has the form of its kind. What has not,
// or bears the name of a device that was never let in, is someone else's.
func ours(v *vault.Vault, k Kind, name string) error {
	switch k {
	case Packs:
		_, err := ledger.ParsePackName(name)
		return err
	case Rolls:
		_, _, _, err := ledger.ParseRollName(name)
		return err
	}
	top := [kinds]string{commit.Bodies, commit.Moves, commit.Ledgers}[k]
	id, _, _, err := commit.ParseObjectName(top, name)
	if err != nil {
		return err
	}
	if _, ok := v.Trust().Device(id); !ok {
		return errStranger
	}
	return nil
}
