package ledger

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"coffer/chunk"
	"coffer/vault/trust/canon"
)

// A Pack is the full name of a pack, with its size.
type Pack struct {
	Series chunk.Series
	Number uint32
	Sum    [32]byte // of the object's bytes
	Size   int64    // of the object, in bytes; 0 if not known
}

// maxPack bounds the size that a list may claim for a pack, in bytes.
const maxPack = 1 << 40

// FolderOf returns the folder that a pack number lies in.
func FolderOf(number uint32) uint32 { return number / canon.FolderSize }

// Name returns the name of the pack's object:
// packs/<series>/<folder>/<number>-<sha256>.
func (p Pack) Name() string {
	return "packs/" + p.Series.String() + "/" + canon.Number(uint64(FolderOf(p.Number))) + "/" + canon.Numbered(uint64(p.Number), p.Sum)
}

// ParsePackName reads what [Pack.Name] gives. The Size of the result is 0.
func ParsePackName(s string) (Pack, error) {
	rest, ok := strings.CutPrefix(s, "packs/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return Pack{}, fmt.Errorf("pack name %.200q: want packs/<series>/<folder>/<number>-<sha256>", s)
	}
	p, err := parseNumbered(parts[2])
	if err != nil {
		return Pack{}, err
	}
	if p.Series, err = chunk.ParseSeries(parts[0]); err != nil {
		return Pack{}, fmt.Errorf("pack name %.200q: %w", s, err)
	}
	if p.Name() != s {
		return Pack{}, fmt.Errorf("pack name %.200q: in the wrong folder", s)
	}
	return p, nil
}

// line returns the pack as lists have it: "<number>-<sha256> <size>".
func (p Pack) line() string {
	return canon.Numbered(uint64(p.Number), p.Sum) + " " + strconv.FormatInt(p.Size, 10)
}

// parseLine reads what line gives. The Series of the result is empty.
func parseLine(s string) (Pack, error) {
	name, size, ok := strings.Cut(s, " ")
	if !ok {
		return Pack{}, fmt.Errorf("pack %.100q: want <number>-<sha256> <size>", s)
	}
	p, err := parseNumbered(name)
	if err != nil {
		return Pack{}, err
	}
	p.Size, err = strconv.ParseInt(size, 10, 64)
	if err != nil || p.Size < 1 || p.Size > maxPack || strconv.FormatInt(p.Size, 10) != size {
		return Pack{}, fmt.Errorf("pack %.100q: bad size", s)
	}
	return p, nil
}

func parseNumbered(s string) (Pack, error) {
	n, sum, err := canon.ParseNumbered(s)
	if err == nil && n > math.MaxUint32 {
		err = fmt.Errorf("pack %.90q: number is out of range", s)
	}
	return Pack{Number: uint32(n), Sum: sum}, err
}

// A Nonce makes each writing of a list an object of its own.
type Nonce [16]byte

// NewNonce returns a random one.
func NewNonce() (n Nonce) {
	rand.Read(n[:]) // never fails
	return n
}

func (n Nonce) text() string { return hex.EncodeToString(n[:]) }

func parseNonce(s string) (n Nonce, err error) {
	if err := canon.CheckHex(s, 2*len(n)); err != nil {
		return n, fmt.Errorf("nonce: %w", err)
	}
	hex.Decode(n[:], []byte(s))
	return n, nil
}
