package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"

	"coffer/chunk"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
)

// MaxSize bounds a ledger's object, in bytes; maxLine one of its lines.
const (
	MaxSize = 64 << 20
	maxLine = 128 << 10
)

// A Ledger says which packs are needed.
type Ledger struct {
	Vault   trust.VaultID
	Folders []Folder // sorted by series and folder, none twice
	Nonce   Nonce    // of the object that it was read from
}

// A Folder says which packs of one folder are needed: if Roll is set, those of
// the roll, all or some; else Packs.
type Folder struct {
	Series chunk.Series
	Folder uint32

	Roll string // full name
	All  bool   // every pack that the roll lists
	Bits Bits   // else these of them

	Packs []Pack // sorted by number, none twice
}

// ledgerHead is the first line of a ledger.
type ledgerHead struct {
	Version int           `json:"v"`
	Type    string        `json:"type"`
	Vault   trust.VaultID `json:"vault"`
	Nonce   string        `json:"nonce"`
}

// folderLine is a Folder as its line has it.
type folderLine struct {
	Series string   `json:"series"`
	Folder string   `json:"folder"`
	Roll   string   `json:"roll,omitempty"` // only the hash: the rest of the name stands before it
	All    bool     `json:"all,omitempty"`
	Bits   string   `json:"bits,omitempty"`
	Packs  []string `json:"packs,omitempty"`
}

// Encode checks l and returns its object. The same arguments give the same
// bytes; l.Nonce is not looked at.
func (l *Ledger) Encode(nonce Nonce) ([]byte, error) {
	if _, err := trust.ParseVaultID(string(l.Vault)); err != nil {
		return nil, fmt.Errorf("write ledger: %w", err)
	}
	b, err := canon.Encode(ledgerHead{canon.Version, "ledger", l.Vault, nonce.text()})
	if err != nil {
		return nil, fmt.Errorf("write ledger: %w", err)
	}
	for i := range l.Folders {
		line, err := l.encodeFolder(i)
		if err != nil {
			return nil, fmt.Errorf("write ledger: %w", err)
		}
		if b = append(b, line...); len(b) > MaxSize {
			return nil, errors.New("write ledger: too long")
		}
	}
	return b, nil
}

func (l *Ledger) encodeFolder(i int) ([]byte, error) {
	f := &l.Folders[i]
	if err := f.check(); err != nil {
		return nil, err
	}
	if i > 0 && compareFolders(l.Folders[i-1].ID(), f.ID()) >= 0 {
		return nil, fmt.Errorf("folder %d of series %s is out of order, or there twice", f.Folder, f.Series)
	}
	return canon.Encode(f.line())
}

// ID returns which folder f speaks of.
func (f *Folder) ID() FolderID { return FolderID{f.Series, f.Folder} }

// check holds f against the rule that each meaning has one form.
func (f *Folder) check() error {
	err := f.checkForm()
	if err != nil {
		return fmt.Errorf("folder %d of series %s: %w", f.Folder, f.Series, err)
	}
	return nil
}

func (f *Folder) checkForm() error {
	if f.Roll == "" {
		if f.All || f.Bits.Len() > 0 {
			return errors.New("means packs of a roll and names none")
		}
		return checkPacks(f.Series, f.Folder, f.Packs)
	}
	series, folder, _, err := ParseRollName(f.Roll)
	if err != nil {
		return err
	}
	switch n := f.Bits.Len(); {
	case series != f.Series || folder != f.Folder:
		return fmt.Errorf("names %s, the roll of another folder", f.Roll)
	case len(f.Packs) > 0:
		return errors.New("names a roll and lists packs beside it")
	case f.All == (n > 0):
		return errors.New("names a roll: want either all of its packs or some")
	case n == canon.FolderSize:
		return errors.New("means all packs of a roll and does not say so")
	}
	return nil
}

// line returns f in the form of its line. f has been checked.
func (f *Folder) line() folderLine {
	l := folderLine{Series: f.Series.String(), Folder: canon.Number(uint64(f.Folder)), All: f.All}
	if f.Roll != "" {
		_, _, sum, _ := ParseRollName(f.Roll)
		l.Roll = canon.Sum(sum)
		if !f.All {
			l.Bits = base64.StdEncoding.EncodeToString(f.Bits[:])
		}
	}
	for _, p := range f.Packs {
		l.Packs = append(l.Packs, p.line())
	}
	return l
}

// Parse reads a ledger's object. It accepts what [Ledger.Encode] writes and
// nothing else. The caller compares the bytes with the object's name.
func Parse(data []byte) (*Ledger, error) {
	l, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return l, nil
}

func parse(data []byte) (*Ledger, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes: larger than any ledger", len(data))
	}
	line, rest, err := cutLine(data)
	if err != nil {
		return nil, err
	}
	var head ledgerHead
	if err := canon.DecodeFirst(line, &head); err != nil {
		return nil, err
	}
	if head.Type != "ledger" {
		return nil, fmt.Errorf("is a %.20q, not a ledger", head.Type)
	}
	l := &Ledger{Vault: head.Vault}
	if _, err := trust.ParseVaultID(string(l.Vault)); err != nil {
		return nil, err
	}
	if l.Nonce, err = parseNonce(head.Nonce); err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		if line, rest, err = cutLine(rest); err != nil {
			return nil, err
		}
		f, err := parseFolderLine(line)
		if err != nil {
			return nil, err
		}
		if n := len(l.Folders); n > 0 && compareFolders(l.Folders[n-1].ID(), f.ID()) >= 0 {
			return nil, fmt.Errorf("folder %d of series %s is out of order, or there twice", f.Folder, f.Series)
		}
		l.Folders = append(l.Folders, f)
	}
	return l, nil
}

// cutLine cuts the first line, with its newline, off b.
func cutLine(b []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	if i < 0 {
		return nil, nil, errors.New("cut short, or a line is too long")
	}
	return b[:i+1], b[i+1:], nil
}

func parseFolderLine(line []byte) (f Folder, err error) {
	var l folderLine
	if err := canon.Decode(line, &l); err != nil {
		return f, err
	}
	if f.Series, f.Folder, err = parseFolder(l.Series, l.Folder); err != nil {
		return f, err
	}
	if l.Roll != "" {
		sum, err := canon.ParseSum(l.Roll)
		if err != nil {
			return f, fmt.Errorf("roll: %w", err)
		}
		f.Roll = RollName(f.Series, f.Folder, sum)
	}
	f.All = l.All
	if l.Bits != "" {
		if f.Bits, err = parseBits(l.Bits); err != nil {
			return f, err
		}
		if f.All || f.Bits.Len() == 0 { // check would not see it: it leaves no trace in f
			return f, errors.New("bits: want none beside all, and else not nothing")
		}
	}
	for _, s := range l.Packs {
		p, err := parseLine(s)
		if err != nil {
			return f, err
		}
		p.Series = f.Series
		f.Packs = append(f.Packs, p)
	}
	return f, f.check()
}

func parseBits(s string) (b Bits, err error) {
	raw, _ := base64.StdEncoding.DecodeString(s)
	if len(raw) != len(b) || base64.StdEncoding.EncodeToString(raw) != s { // there is one spelling
		return b, errors.New("bits: want 128 bytes in base64")
	}
	return Bits(raw), nil
}

// Rolls returns the names of the rolls that l refers to.
func (l *Ledger) Rolls() []string {
	var names []string
	for _, f := range l.Folders {
		if f.Roll != "" {
			names = append(names, f.Roll)
		}
	}
	return names
}

// Packs yields the packs that l names, sorted by series and number. get
// returns the object of a roll. Each error is a [RollError] and does not end
// the sequence: the packs of that roll that were not yielded are unknown, and
// whoever can do with all others may go on.
func (l *Ledger) Packs(get func(rollName string) ([]byte, error)) iter.Seq2[Pack, error] {
	return func(yield func(Pack, error) bool) {
		for i := range l.Folders {
			if !l.Folders[i].each(get, yield) {
				return
			}
		}
	}
}

// each yields the packs of one folder and reports whether to go on.
func (f *Folder) each(get func(string) ([]byte, error), yield func(Pack, error) bool) bool {
	packs := f.Packs
	if f.Roll != "" {
		data, err := get(f.Roll)
		if err == nil {
			packs, err = openRoll(f.Roll, data)
		}
		if err != nil {
			return yield(Pack{}, &RollError{f.Roll, err})
		}
	}
	found := 0
	for _, p := range packs {
		if f.Roll != "" && !f.All && !f.Bits.Has(p.Number) {
			continue
		}
		found++
		if !yield(p, nil) {
			return false
		}
	}
	if lacks := f.Bits.Len() - found; f.Roll != "" && !f.All && lacks > 0 {
		return yield(Pack{}, &RollError{f.Roll, fmt.Errorf("%d packs that the ledger needs are not listed in it", lacks)})
	}
	return true
}
