package commit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/vault/ledger"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// fields is a set of the fields that not every kind has.
type fields uint

const (
	fProject fields = 1 << iota
	fBody
	fLedger
	fEnds
	fOld
	fRepack
	fForgets
	fWithdraw
	fDismisses
	fDetail
)

// rules says for each kind which of these fields must be present and which
// may be; all others must be absent.
var rules = map[Kind]struct{ must, may fields }{
	Snapshot: {must: fProject | fBody | fLedger, may: fEnds},
	Progress: {must: fLedger, may: fProject | fEnds},
	Forget:   {must: fForgets, may: fWithdraw | fEnds},
	Move:     {must: fOld | fLedger, may: fBody | fRepack | fEnds},
	Dismiss:  {must: fDismisses},
	Check:    {must: fDetail, may: fProject},
	Drill:    {must: fDetail, may: fProject},
}

// fieldNames in the order of the bits.
var fieldNames = []string{"project", "body", "ledger", "ends", "old", "repack", "forgets", "withdraw", "dismisses", "detail"}

func (f fields) String() string {
	var names []string
	for i, name := range fieldNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// present tells which fields c has.
func (c *Commit) present() (f fields) {
	for i, has := range []bool{
		c.Project != "", c.Body != "", c.Ledger != "", len(c.Ends) > 0, len(c.Old) > 0, c.Repack,
		len(c.Forgets) > 0, c.Withdraw, len(c.Dismisses) > 0, c.Detail != nil,
	} {
		if has {
			f |= 1 << i
		}
	}
	return f
}

// Check reports whether c keeps every rule that holds without looking at any
// other object. [Commit.Sign], [Parse] and [Open] call it.
func (c *Commit) Check() error {
	for _, check := range []func(*Commit) error{checkKind, checkHead, checkPlace, checkObjects, checkHeads, checkLists, checkMove, checkDetail} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func checkKind(c *Commit) error {
	rule, ok := rules[c.Kind]
	if !ok {
		return fmt.Errorf("commit kind %q is not known", byte(c.Kind))
	}
	has := c.present()
	if lacks := rule.must &^ has; lacks != 0 {
		return fmt.Errorf("a %s lacks: %s", c.Kind, lacks)
	}
	if extra := has &^ (rule.must | rule.may); extra != 0 {
		return fmt.Errorf("a %s cannot have: %s", c.Kind, extra)
	}
	return nil
}

func checkHead(c *Commit) error {
	if c.Version != canon.Version {
		return fmt.Errorf("version %d: %w", c.Version, canon.ErrVersion)
	}
	if _, err := trust.ParseVaultID(string(c.Vault)); err != nil {
		return err
	}
	if _, err := trust.ParseDeviceID(string(c.Device)); err != nil {
		return err
	}
	if c.Project != "" {
		if _, err := trust.ParseProjectID(string(c.Project)); err != nil {
			return err
		}
	}
	if c.Time.Location() != time.UTC || c.Time.Nanosecond() != 0 || c.Time.Unix() < 0 || c.Time.Year() > 9999 {
		return fmt.Errorf("time %s: want whole seconds in UTC from 1970 on", c.Time)
	}
	return nil
}

// checkPlace holds what prev alone says about seq and the chain values.
func checkPlace(c *Commit) error {
	chain, err := canon.ParseSum(c.Chain)
	if err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	if _, err := canon.ParseSum(c.FolderChain); err != nil {
		return fmt.Errorf("folder chain: %w", err)
	}
	if c.Seq < 1 || c.Seq > canon.MaxNumber {
		return fmt.Errorf("number %d is out of range", c.Seq)
	}
	if c.Prev == nil || len(c.Prev) > maxPrev {
		return fmt.Errorf("prev: want a list of up to %d", maxPrev)
	}
	if err := checkBases("prev", c.Prev, 0); err != nil {
		return err
	}
	var last uint64 // the highest number before this one: names sort as numbers do
	if len(c.Prev) > 0 {
		n, _ := ParseBase(c.Prev[len(c.Prev)-1])
		last = n.Seq
	} else if chain != Chain(nil) {
		return errors.New("chain: a first commit has no ancestors")
	}
	if c.Seq != last+1 {
		return fmt.Errorf("number %d does not come right after the highest of prev, %d", c.Seq, last)
	}
	if startsFolder := len(c.Prev) == 0 || FolderOf(last) != FolderOf(c.Seq); startsFolder && c.FolderChain != c.Chain {
		return errors.New("folder chain: is not the chain of the first commit of the folder")
	}
	return nil
}

func checkObjects(c *Commit) error {
	if _, _, err := trust.ParseName(c.Trust); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	if c.Body != "" {
		top := Bodies
		if c.Kind == Move {
			top = Moves
		}
		if _, _, _, err := ParseObjectName(top, c.Body); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	if c.Ledger != "" {
		if _, _, _, err := ParseObjectName(Ledgers, c.Ledger); err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	return nil
}

func checkHeads(c *Commit) error {
	if len(c.Heads) > trust.MaxDevices {
		return fmt.Errorf("heads: more than %d", trust.MaxDevices)
	}
	for i, h := range c.Heads {
		if _, err := trust.ParseDeviceID(string(h.Device)); err != nil {
			return fmt.Errorf("heads: %w", err)
		}
		if _, err := ParseBase(h.Name); err != nil {
			return fmt.Errorf("heads: %w", err)
		}
		if h.Device == c.Device {
			return errors.New("heads: names its own device")
		}
		if i > 0 && h.Device <= c.Heads[i-1].Device {
			return errors.New("heads: not sorted by device, or one device twice")
		}
	}
	return nil
}

func checkLists(c *Commit) error {
	if len(c.Ends) > maxEnds || max(len(c.Old), len(c.Forgets), len(c.Dismisses)) > MaxList {
		return fmt.Errorf("a list of names is too long; at most %d: %w", MaxList, ErrTooLong)
	}
	if err := checkBases("ends", c.Ends, Progress); err != nil {
		return err
	}
	if err := checkBases("forgets", c.Forgets, Snapshot); err != nil {
		return err
	}
	for _, name := range c.Ends {
		if n, _ := ParseBase(name); n.Seq >= c.Seq {
			return fmt.Errorf("ends: %s is not an earlier commit", name)
		}
	}
	if err := checkSorted("old", c.Old, checkReplaced); err != nil {
		return err
	}
	return checkSorted("dismisses", c.Dismisses, canon.CheckName)
}

// checkReplaced wants the name of something that a move can replace.
func checkReplaced(name string) error {
	_, err := ledger.ParsePackName(name)
	if err == nil {
		return nil
	}
	if _, _, _, e := ParseObjectName(Ledgers, name); e == nil {
		return nil
	}
	if _, _, _, e := ledger.ParseRollName(name); e == nil {
		return nil
	}
	return err
}

// checkMove wants a map with the packs that a move replaces, and none with
// ledgers and rolls: its own ledger stands in for these.
func checkMove(c *Commit) error {
	packs := 0
	for _, name := range c.Old {
		if _, err := ledger.ParsePackName(name); err == nil {
			packs++
		}
	}
	switch {
	case packs > 0 && packs < len(c.Old):
		return errors.New("a move replaces packs, or ledgers and rolls, not both")
	case packs > 0 != (c.Body != "") && c.Kind == Move:
		return errors.New("a move has a map if it replaces packs, and only then")
	case c.Repack && packs == 0:
		return errors.New("a repack lets packs go, and nothing else")
	}
	return nil
}

// checkBases wants sorted base names of commits, of one kind unless it is 0.
func checkBases(field string, names []string, kind Kind) error {
	return checkSorted(field, names, func(s string) error {
		n, err := ParseBase(s)
		if err == nil && kind != 0 && n.Kind != kind {
			err = fmt.Errorf("%s is not a %s", s, kind)
		}
		return err
	})
}

func checkSorted(field string, names []string, check func(string) error) error {
	for i, s := range names {
		if err := check(s); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if i > 0 && s <= names[i-1] {
			return fmt.Errorf("%s: not sorted, or one name twice", field)
		}
	}
	return nil
}

func checkDetail(c *Commit) error {
	d := c.Detail
	if d == nil {
		return nil
	}
	if !slices.Contains([]Result{OK, Incomplete, Damaged}, d.Result) {
		return fmt.Errorf("detail: result %.20q is not known", d.Result)
	}
	if max(d.Objects, d.Bytes, d.Bad, d.Missing) > 1<<53 {
		return errors.New("detail: a count is out of range")
	}
	if found := d.Bad > 0 || d.Missing > 0; found != (d.Result == Damaged) {
		return fmt.Errorf("detail: result %q with %d bad and %d missing objects", d.Result, d.Bad, d.Missing)
	}
	if d.Snapshot == "" && c.Kind == Drill {
		return errors.New("detail: a drill names the snapshot it restored")
	}
	if d.Snapshot != "" {
		return checkBases("detail", []string{d.Snapshot}, Snapshot)
	}
	return nil
}
