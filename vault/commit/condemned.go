package commit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// A CondemnedList says what a prune means to delete. Writers read all of them
// before they commit, and rely on nothing that is named in one. It is one head
// line, a line for each object, and an SSH signature over them:
//
//	{"v":1,"vault":"..","device":"..","seq":9,"time":"..","count":2}
//	{"name":"packs/.."}
//	{"name":"ledgers/.."}
type CondemnedList struct {
	Vault   trust.VaultID
	Device  trust.DeviceID
	Seq     uint64 // a label, as in the object's name
	Time    time.Time
	Objects []string // full names, sorted
}

type condemnedHead struct {
	Version int            `json:"v"`
	Vault   trust.VaultID  `json:"vault"`
	Device  trust.DeviceID `json:"device"`
	Seq     uint64         `json:"seq"`
	Time    time.Time      `json:"time"`
	Count   int            `json:"count"`
}

type condemnedLine struct {
	Name string `json:"name"`
}

// MaxCondemned bounds a condemned list, in bytes.
const MaxCondemned = 64 << 20

// Sign returns the list's object.
func (c *CondemnedList) Sign(key ed25519.PrivateKey) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	lines, err := c.lines()
	if err != nil {
		return nil, err
	}
	return append(lines, trust.Sign(key, trust.NamespaceCondemned, lines)...), nil
}

func (c *CondemnedList) lines() ([]byte, error) {
	b, err := canon.Encode(condemnedHead{1, c.Vault, c.Device, c.Seq, c.Time, len(c.Objects)})
	if err != nil {
		return nil, err
	}
	for _, name := range c.Objects {
		l, err := canon.Encode(condemnedLine{name})
		if err != nil {
			return nil, err
		}
		b = append(b, l...)
	}
	return b, nil
}

// condemnable are the kinds of objects that may ever be deleted.
var condemnable = []string{"packs/", "rolls/", "ledgers/", "snapshots/", "moves/"}

func (c *CondemnedList) check() error {
	if _, err := trust.ParseVaultID(string(c.Vault)); err != nil {
		return fmt.Errorf("condemned list: %w", err)
	}
	if _, err := trust.ParseDeviceID(string(c.Device)); err != nil {
		return fmt.Errorf("condemned list: %w", err)
	}
	if len(c.Objects) == 0 || c.Seq > canon.MaxNumber {
		return errors.New("condemned list: it names nothing, or its number has more than ten digits")
	}
	if !c.Time.Equal(c.Time.UTC().Truncate(time.Second)) || c.Time.Location() != time.UTC {
		return errors.New("condemned list: its time is not UTC in whole seconds")
	}
	if !slices.IsSorted(c.Objects) {
		return fmt.Errorf("condemned list: names are not sorted")
	}
	for i, name := range c.Objects {
		if !slices.ContainsFunc(condemnable, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return fmt.Errorf("condemned list: %.100q is nothing that is ever deleted", name)
		}
		if err := canon.CheckName(name); err != nil {
			return fmt.Errorf("condemned list: %w", err)
		}
		if i > 0 && name == c.Objects[i-1] {
			return fmt.Errorf("condemned list: %q is there twice", name)
		}
	}
	return nil
}

// OpenCondemned reads the list of this name, signed by pub. Nothing is parsed
// before the signature was verified.
func OpenCondemned(name string, obj []byte, pub ed25519.PublicKey) (*CondemnedList, error) {
	device, seq, sum, err := ParseObjectName(Condemned, name)
	if err != nil {
		return nil, err
	}
	if len(obj) > MaxCondemned {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, MaxCondemned)
	}
	if sha256.Sum256(obj) != sum {
		return nil, fmt.Errorf("%s: %w", name, ErrHash)
	}
	lines, sig, err := trust.Split(obj)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, trust.ErrSignature, err)
	}
	if err := trust.Verify(pub, trust.NamespaceCondemned, lines, sig); err != nil {
		return nil, err
	}
	c, err := parseCondemned(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if c.Device != device || c.Seq != seq {
		return nil, fmt.Errorf("%s: it says it is %d of device %s", name, c.Seq, c.Device)
	}
	return c, nil
}

// parseCondemned reads the lines, whose signature was verified.
func parseCondemned(lines []byte) (*CondemnedList, error) {
	first, rest, _ := bytes.Cut(lines, []byte("\n"))
	var h condemnedHead
	if err := canon.DecodeFirst(append(slices.Clone(first), '\n'), &h); err != nil {
		return nil, err
	}
	c := &CondemnedList{Vault: h.Vault, Device: h.Device, Seq: h.Seq, Time: h.Time}
	for line := range bytes.Lines(rest) {
		var l condemnedLine
		if err := canon.Decode(line, &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(c.Objects)+2, err)
		}
		c.Objects = append(c.Objects, l.Name)
	}
	if len(c.Objects) != h.Count {
		return nil, errors.New("it does not hold as many names as it says")
	}
	return c, c.check()
}
