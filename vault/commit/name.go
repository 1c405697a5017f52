package commit

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// A Name is the name of a commit's object:
//
//	commits/<device>/<folder>/<seq>-<kind><time>-<sha256>
//
// It says enough that a listing alone shows the history.
type Name struct {
	Device trust.DeviceID
	Seq    uint64
	Kind   Kind
	Time   time.Time // as claimed; UTC, whole seconds
	Sum    [32]byte  // of the object's bytes
}

// FolderOf returns the folder that commit seq lies in.
func FolderOf(seq uint64) uint64 { return seq / canon.FolderSize }

// Folder returns the prefix of the names of all commits in the folder of seq.
func Folder(device trust.DeviceID, seq uint64) string {
	return "commits/" + string(device) + "/" + canon.Number(FolderOf(seq)) + "/"
}

// String returns the full object name.
func (n Name) String() string { return Folder(n.Device, n.Seq) + n.Base() }

// Base returns the last component of the name. The hash in it makes it
// unmistakable, so it is also how commits refer to each other.
func (n Name) Base() string {
	b := fmt.Appendf(make([]byte, 0, 87), "%010d-%c%010x-", n.Seq, n.Kind, n.Time.Unix())
	return string(hex.AppendEncode(b, n.Sum[:]))
}

// Hash returns the SHA-256 of the commit in hex, as a trust's Until has it.
func (n Name) Hash() string { return hex.EncodeToString(n.Sum[:]) }

// ParseName reads what [Name.String] gives.
func ParseName(s string) (Name, error) {
	rest, ok := strings.CutPrefix(s, "commits/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return Name{}, fmt.Errorf("commit name %.200q: want commits/<device>/<folder>/<name>", s)
	}
	n, err := ParseBase(parts[2])
	if err != nil {
		return Name{}, err
	}
	if n.Device, err = trust.ParseDeviceID(parts[0]); err != nil {
		return Name{}, fmt.Errorf("commit name %.200q: %w", s, err)
	}
	if n.String() != s {
		return Name{}, fmt.Errorf("commit name %.200q: in the wrong folder", s)
	}
	return n, nil
}

// ParseBase reads what [Name.Base] gives. The Device of the result is empty.
func ParseBase(s string) (Name, error) {
	var n Name
	bad := func(what string) (Name, error) {
		return Name{}, fmt.Errorf("commit name %.100q: want <seq>-<kind><time>-<sha256>: bad %s", s, what)
	}
	parts := strings.Split(s, "-")
	if len(parts) != 3 || len(parts[1]) != 11 {
		return bad("form")
	}
	var err error
	if n.Seq, err = canon.ParseNumber(parts[0]); err != nil || n.Seq == 0 {
		return bad("number")
	}
	n.Kind = Kind(parts[1][0])
	if _, ok := words[n.Kind]; !ok {
		return bad("kind")
	}
	if canon.CheckHex(parts[1][1:], 10) != nil {
		return bad("time")
	}
	unix, _ := strconv.ParseInt(parts[1][1:], 16, 64)
	n.Time = time.Unix(unix, 0).UTC()
	if n.Sum, err = canon.ParseSum(parts[2]); err != nil {
		return bad("hash")
	}
	return n, nil
}

// Compare orders names as a listing does: by device, then number, then the
// rest of the name.
func Compare(a, b Name) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), compareBase(a, b))
}

// compareBase orders names of one device as their base names sort, without
// making them.
func compareBase(a, b Name) int {
	return cmp.Or(
		cmp.Compare(a.Seq, b.Seq),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Time.Unix(), b.Time.Unix()),
		bytes.Compare(a.Sum[:], b.Sum[:]),
	)
}

// Top-level folders of the objects that commits name and that are numbered by
// device.
const (
	Bodies    = "snapshots"
	Ledgers   = "ledgers"
	Moves     = "moves"
	Condemned = "condemned"
)

// ObjectName returns `<top>/<device>/<seq>-<sha256>`, the name of a body,
// ledger, move or condemned list. The seq is a label: a later commit may name
// the same object again.
func ObjectName(top string, device trust.DeviceID, seq uint64, sum [32]byte) string {
	return top + "/" + string(device) + "/" + canon.Numbered(seq, sum)
}

// ParseObjectName reads what [ObjectName] gives for top.
func ParseObjectName(top, s string) (device trust.DeviceID, seq uint64, sum [32]byte, err error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || parts[0] != top {
		return "", 0, sum, fmt.Errorf("object name %.200q: want %s/<device>/<seq>-<sha256>", s, top)
	}
	if device, err = trust.ParseDeviceID(parts[1]); err != nil {
		return "", 0, sum, fmt.Errorf("object name %.200q: %w", s, err)
	}
	seq, sum, err = canon.ParseNumbered(parts[2])
	return device, seq, sum, err
}
