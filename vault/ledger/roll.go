package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"coffer/chunk"
	"coffer/vault/trust/canon"
)

// MaxRoll bounds a roll's object, in bytes.
const MaxRoll = 128 << 10

// rollHead is the first line of a roll.
type rollHead struct {
	Version int    `json:"v"`
	Type    string `json:"type"`
	Series  string `json:"series"`
	Folder  string `json:"folder"`
	Nonce   string `json:"nonce"`
}

// RollName returns the name of a roll's object.
func RollName(series chunk.Series, folder uint32, sum [32]byte) string {
	return "rolls/" + series.String() + "/" + canon.Numbered(uint64(folder), sum)
}

// ParseRollName reads what [RollName] gives.
func ParseRollName(s string) (series chunk.Series, folder uint32, sum [32]byte, err error) {
	rest, ok := strings.CutPrefix(s, "rolls/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 2 {
		return series, 0, sum, fmt.Errorf("roll name %.200q: want rolls/<series>/<folder>-<sha256>", s)
	}
	if series, err = chunk.ParseSeries(parts[0]); err != nil {
		return series, 0, sum, fmt.Errorf("roll name %.200q: %w", s, err)
	}
	n, sum, err := canon.ParseNumbered(parts[1])
	if err == nil && n > maxFolder {
		err = fmt.Errorf("roll name %.200q: folder is out of range", s)
	}
	return series, uint32(n), sum, err
}

// EncodeRoll returns the roll of a folder. packs are those of its numbers that
// were used, sorted; the same arguments give the same bytes.
func EncodeRoll(series chunk.Series, folder uint32, packs []Pack, nonce Nonce) ([]byte, error) {
	head := rollHead{canon.Version, "roll", series.String(), canon.Number(uint64(folder)), nonce.text()}
	b, err := canon.Encode(head)
	if err == nil {
		err = checkPacks(series, folder, packs)
	}
	if err != nil {
		return nil, fmt.Errorf("write roll of series %s, folder %d: %w", series, folder, err)
	}
	for _, p := range packs {
		b = append(append(b, p.line()...), '\n')
	}
	return b, nil
}

// ParseRoll reads the roll stored under name. It refuses bytes that do not
// have the hash in the name, and a roll of another folder or series.
func ParseRoll(name string, data []byte) ([]Pack, error) {
	packs, err := openRoll(name, data)
	if err != nil {
		return nil, &RollError{name, err}
	}
	return packs, nil
}

func openRoll(name string, data []byte) ([]Pack, error) {
	series, folder, sum, err := ParseRollName(name)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(data) != sum {
		return nil, errors.New("bytes do not match the hash in the name")
	}
	r, err := parseRoll(data)
	if err != nil {
		return nil, err
	}
	if r.series != series || r.folder != folder {
		return nil, fmt.Errorf("holds folder %d of series %s", r.folder, r.series)
	}
	return r.packs, nil
}

// RollError: a roll could not be read, or lacks packs that a ledger says it
// lists.
type RollError struct {
	Roll string // full name
	Err  error
}

func (e *RollError) Error() string { return fmt.Sprintf("%s: %v", e.Roll, e.Err) }
func (e *RollError) Unwrap() error { return e.Err }

// A roll is all that a roll's object says.
type roll struct {
	series chunk.Series
	folder uint32
	packs  []Pack
	nonce  Nonce
}

func parseRoll(data []byte) (r roll, err error) {
	if len(data) > MaxRoll {
		return r, fmt.Errorf("%d bytes: larger than any roll", len(data))
	}
	line, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return r, errors.New("cut short")
	}
	var head rollHead
	if err := canon.DecodeFirst(data[:len(line)+1], &head); err != nil {
		return r, err
	}
	if head.Type != "roll" {
		return r, fmt.Errorf("is a %.20q, not a roll", head.Type)
	}
	if r.series, r.folder, err = parseFolder(head.Series, head.Folder); err != nil {
		return r, err
	}
	if r.nonce, err = parseNonce(head.Nonce); err != nil {
		return r, err
	}
	for len(rest) > 0 {
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return r, errors.New("cut short")
		}
		p, err := parseLine(string(line))
		if err != nil {
			return r, err
		}
		p.Series = r.series
		r.packs = append(r.packs, p)
	}
	return r, checkPacks(r.series, r.folder, r.packs)
}

// maxFolder is the folder of the highest number.
const maxFolder = 1<<32/canon.FolderSize - 1

func parseFolder(series, folder string) (chunk.Series, uint32, error) {
	s, err := chunk.ParseSeries(series)
	if err != nil {
		return s, 0, err
	}
	f, err := canon.ParseNumber(folder)
	if err == nil && f > maxFolder {
		err = fmt.Errorf("folder %s is out of range", folder)
	}
	return s, uint32(f), err
}

// checkPacks wants one pack or more of one folder, sorted by number, no number
// twice.
func checkPacks(series chunk.Series, folder uint32, packs []Pack) error {
	if len(packs) == 0 {
		return errors.New("lists no pack")
	}
	for i, p := range packs {
		switch {
		case p.Series != series || FolderOf(p.Number) != folder:
			return fmt.Errorf("lists %s, which lies elsewhere", p.Name())
		case i > 0 && p.Number <= packs[i-1].Number:
			return fmt.Errorf("pack %d is out of order, or listed twice", p.Number)
		case p.Size < 1 || p.Size > maxPack:
			return fmt.Errorf("pack %d has size %d", p.Number, p.Size)
		}
	}
	return nil
}
