package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"coffer/vault"
	"coffer/vault/ledger"
)

// takeOver turns what the vault noticed into problems.
func (c *check) takeOver() {
	all := c.v.Problems()
	for _, p := range all[c.taken:] {
		if !c.told[p.Object] { // a restore would have met it too
			c.tell(Problem{Object: p.Object, Err: p.Err, Harms: p.Harms})
		}
	}
	c.taken = len(all)
}

func (c *check) tell(p Problem) {
	p.Err = c.sayWhose(p.Err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[p.Object] = true
	c.res.Problems = append(c.res.Problems, p)
	if c.o.OnProblem != nil {
		c.o.OnProblem(p)
	}
}

// sayWhose adds whose bytes are in the place of others: of two objects that were
// swapped, or of an older one that was put in the place of a newer.
func (c *check) sayWhose(err error) error {
	wrong, ok := errors.AsType[*vault.WrongBytesError](err)
	if !ok {
		return err
	}
	for _, name := range c.names() {
		if strings.HasSuffix(name, wrong.Hash) {
			return fmt.Errorf("%w: they are those of %s", err, name)
		}
	}
	return err
}

// names are all that is known of objects.
func (c *check) names() (names []string) {
	for id := range c.needed {
		names = append(names, ledger.Pack{Series: id.series, Number: id.number, Sum: id.sum}.Name())
	}
	for _, s := range c.snaps {
		names = append(names, s.Name.String(), s.Commit.Body, s.Commit.Ledger)
	}
	return names
}

// damage tells a problem if err is one of the vault; else it returns err.
func (c *check) damage(err error, object string, b *book, harms string) error {
	if !errors.Is(err, vault.ErrDamaged) && !isRoll(err) {
		return err
	}
	c.tell(Problem{Object: object, Err: err, Harms: harms, Snapshots: shorts(c.snapsOf(b))})
	return nil
}

func isRoll(err error) bool {
	re := (*ledger.RollError)(nil)
	return errors.As(err, &re) && !vault.IsRemote(err)
}

// firstNames bounds the lists of names in a Problem.
const firstNames = 20

func shorts(snaps []*vault.Snapshot) []string {
	var out []string
	for _, s := range snaps[max(0, len(snaps)-firstNames):] {
		out = append(out, s.Short())
	}
	return out
}

// errMissing: an object that is needed is not on the remote.
var errMissing error = missingError{}

type missingError struct{}

func (missingError) Error() string { return "damaged: missing" }
func (missingError) Is(target error) bool {
	return target == vault.ErrDamaged || target == fs.ErrNotExist
}
