package commit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// MaxSize bounds a commit's object, in bytes.
const MaxSize = 64 << 10

// MaxList bounds the list of names that a forget, move or dismiss carries, so
// that it fits into MaxSize whatever else the commit says. Longer ones are
// split into several commits.
const MaxList = 256

// Bounds on the other lists.
const (
	maxPrev = 16
	maxEnds = 64
)

// A Commit is what a device states. Its fields stand in the order of its one
// line of JSON. Which of them are present depends on the kind; [Commit.Check]
// has the rules.
type Commit struct {
	Version int            `json:"v"`
	Vault   trust.VaultID  `json:"vault"`
	Device  trust.DeviceID `json:"device"`

	// Place in the device's history; set by [Commit.Follow].
	Seq         uint64   `json:"seq"`
	Prev        []string `json:"prev"`         // base names, sorted; [] for the first
	Chain       string   `json:"chain"`        // of its prev, see [Chain]; lower hex
	FolderChain string   `json:"folder_chain"` // Chain of the first commit of this folder

	Project trust.ProjectID `json:"project,omitempty"`
	Kind    Kind            `json:"kind"`
	Time    time.Time       `json:"time"` // UTC, whole seconds

	// Full names of the objects it speaks of.
	Body   string `json:"body,omitempty"`   // of a snapshot under snapshots/, of a move under moves/
	Ledger string `json:"ledger,omitempty"` // which packs are needed
	Trust  string `json:"trust"`            // the one that its run began with

	Ends  []string `json:"ends,omitempty"`  // base names of own progress commits that are over, sorted
	Heads []Head   `json:"heads,omitempty"` // newest verified commit of each other device, by device

	Old       []string `json:"old,omitempty"`       // move: full names of the packs, or of the ledgers and rolls, that it replaces, sorted
	Repack    bool     `json:"repack,omitempty"`    // move: lets the old packs go
	Forgets   []string `json:"forgets,omitempty"`   // forget: base names of snapshots, of any device, sorted
	Withdraw  bool     `json:"withdraw,omitempty"`  // forget: those snapshots are not to be forgotten after all
	Dismisses []string `json:"dismisses,omitempty"` // dismiss: full names of bad objects, sorted
	Detail    *Detail  `json:"detail,omitempty"`    // check and drill

	name Name // known once it was signed or read
}

// A Head is the newest commit of another device that the signer has verified.
type Head struct {
	Device trust.DeviceID `json:"device"`
	Name   string         `json:"name"` // base name
}

// A Result is how a check or drill ended.
type Result string

const (
	OK         Result = "ok"
	Incomplete Result = "incomplete" // it was stopped, or could not reach all it meant to; what it saw was good
	Damaged    Result = "damaged"    // it found bad or missing objects
)

// Detail tells what a check or drill found. It stands in clear, so it counts
// only what the remote sees anyway: objects, never files.
type Detail struct {
	Result   Result `json:"result"`
	Snapshot string `json:"snapshot,omitempty"` // base name of the snapshot that was looked at, if it was one
	Objects  uint64 `json:"objects"`            // read or found present
	Bytes    uint64 `json:"bytes"`              // read
	Bad      uint64 `json:"bad,omitempty"`      // objects whose bytes are wrong
	Missing  uint64 `json:"missing,omitempty"`  // objects that are not there
}

// ErrHash: an object's bytes do not have the hash that its name says.
var ErrHash = errors.New("bytes do not match the hash in the name")

// ErrTooLong: a commit does not fit into MaxSize.
var ErrTooLong = errors.New("commit is too long")

// Name returns the name of the object that c was signed into or read from.
// Before that it is the zero Name.
func (c *Commit) Name() Name { return c.name }

// Sign checks c and returns its object: the line and the armored signature.
// Signing the same commit with the same key again gives the same bytes. The
// object's name is [Commit.Name] from then on.
func (c *Commit) Sign(key ed25519.PrivateKey) ([]byte, error) {
	if c.Prev == nil {
		c.Prev = []string{}
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("sign commit %d: %w", c.Seq, err)
	}
	line, err := canon.Encode(c)
	if err != nil {
		return nil, fmt.Errorf("sign commit %d: %w", c.Seq, err)
	}
	obj := append(line, trust.Sign(key, trust.NamespaceCommit, line)...)
	if len(obj) > MaxSize {
		return nil, fmt.Errorf("sign commit %d: %d bytes: %w", c.Seq, len(obj), ErrTooLong)
	}
	c.name = c.nameOf(obj)
	return obj, nil
}

func (c *Commit) nameOf(obj []byte) Name {
	return Name{c.Device, c.Seq, c.Kind, time.Unix(c.Time.Unix(), 0).UTC(), sha256.Sum256(obj)}
}

// A Statement is a commit's object in its two parts.
type Statement struct {
	Line      []byte // the JSON with its newline: what was signed
	Signature []byte // armored
}

// Verify reports whether pub signed the statement as a commit.
func (s Statement) Verify(pub ed25519.PublicKey) error {
	return trust.Verify(pub, trust.NamespaceCommit, s.Line, s.Signature)
}

// Parse reads a commit's object and does not verify its signature: what it
// returns is a claim until [Statement.Verify] says otherwise. Prefer [Open].
func Parse(obj []byte) (*Commit, Statement, error) {
	s, err := split(obj)
	if err != nil {
		return nil, Statement{}, err
	}
	c := new(Commit)
	if err := canon.DecodeFirst(s.Line, c); err != nil {
		return nil, Statement{}, err
	}
	if err := c.Check(); err != nil {
		return nil, Statement{}, err
	}
	c.name = c.nameOf(obj)
	return c, s, nil
}

func split(obj []byte) (Statement, error) {
	if len(obj) > MaxSize {
		return Statement{}, fmt.Errorf("%d bytes: %w", len(obj), ErrTooLong)
	}
	line, sig, err := trust.Split(obj)
	return Statement{line, sig}, err
}

// Open reads the commit stored under name and signed by pub. It fails with
// ErrHash if the bytes are not those of the name and trust.ErrSignature if pub
// did not sign them.
func Open(name Name, obj []byte, pub ed25519.PublicKey) (*Commit, error) {
	c, err := open(name, obj, pub)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", name, err)
	}
	return c, nil
}

func open(name Name, obj []byte, pub ed25519.PublicKey) (*Commit, error) {
	if len(obj) > MaxSize {
		return nil, fmt.Errorf("%d bytes: %w", len(obj), ErrTooLong)
	}
	if sha256.Sum256(obj) != name.Sum {
		return nil, ErrHash
	}
	s, err := split(obj)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trust.ErrSignature, err)
	}
	if err := s.Verify(pub); err != nil {
		return nil, err
	}
	c, _, err := Parse(obj)
	if err != nil {
		return nil, err
	}
	if c.name.String() != name.String() {
		return nil, fmt.Errorf("says of itself that it is %s", c.name)
	}
	return c, nil
}
