package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/vault/trust/canon"
	"coffer/vault/trust/trusttest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

const vault = "00112233445566778899aabbccddeeff"

var (
	data     = chunk.Series{0xda, 1}
	segments = chunk.Series{0x5e, 2}
	nonce    = Nonce{1, 2, 3}
)

// pack returns the pack of a number, always the same.
func pack(s chunk.Series, number uint32) Pack {
	return Pack{s, number, sha256.Sum256(fmt.Append(nil, s, number)), 1000 + int64(number)}
}

// packs returns those of the numbers from, from+step, ... below to.
func packs(s chunk.Series, from, to, step uint32) (all []Pack) {
	for n := from; n < to; n += step {
		all = append(all, pack(s, n))
	}
	return all
}

// A shelf keeps rolls.
type shelf map[string][]byte

func (s shelf) get(name string) ([]byte, error) {
	if b, ok := s[name]; ok {
		return b, nil
	}
	return nil, os.ErrNotExist
}

func (s shelf) add(t testing.TB, series chunk.Series, folder uint32, list []Pack) string {
	t.Helper()
	b, err := EncodeRoll(series, folder, list, nonce)
	if err != nil {
		t.Fatal(err)
	}
	name := RollName(series, folder, sha256.Sum256(b))
	s[name] = b
	return name
}

// example is a ledger with every form of folder, and the rolls it needs.
func example(t testing.TB) (*Ledger, shelf) {
	rolls := shelf{}
	some := Folder{Series: data, Folder: 1, Roll: rolls.add(t, data, 1, packs(data, 1024, 2048, 1))}
	some.Bits.Add(1024)
	some.Bits.Add(1033)
	some.Bits.Add(2047)
	return &Ledger{Vault: vault, Nonce: nonce, Folders: []Folder{
		{Series: segments, Folder: 7, Packs: packs(segments, 7*1024, 7*1024+3, 1)},
		{Series: data, Folder: 0, Roll: rolls.add(t, data, 0, packs(data, 0, 1024, 3)), All: true},
		some,
		{Series: data, Folder: 2, Packs: packs(data, 2050, 2060, 4)},
	}}, rolls
}

func mustEncode(t testing.TB, l *Ledger) []byte {
	t.Helper()
	b, err := l.Encode(nonce)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncodeParse(t *testing.T) {
	l, _ := example(t)
	b := mustEncode(t, l)
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(l, got); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(b, mustEncode(t, l)) {
		t.Error("encoding again gives other bytes")
	}
	if other, _ := l.Encode(NewNonce()); bytes.Equal(b, other) {
		t.Error("another nonce gives the same bytes")
	}
}

// The bytes on disk must not change unnoticed.
func TestGolden(t *testing.T) {
	l, rolls := example(t)
	golden(t, "ledger", mustEncode(t, l))
	golden(t, "roll", rolls[l.Folders[2].Roll])
	golden(t, "empty", mustEncode(t, &Ledger{Vault: vault}))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s: %s", file, d)
	}
}

func TestPacks(t *testing.T) {
	l, rolls := example(t)
	want := packs(segments, 7*1024, 7*1024+3, 1)
	want = append(want, packs(data, 0, 1024, 3)...)
	want = append(want, pack(data, 1024), pack(data, 1033), pack(data, 2047))
	want = append(want, packs(data, 2050, 2060, 4)...)
	var got []Pack
	for p, err := range l.Packs(rolls.get) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if names := l.Rolls(); len(names) != 2 || rolls[names[0]] == nil || rolls[names[1]] == nil {
		t.Errorf("rolls: %q", names)
	}
	for p := range l.Packs(rolls.get) { // stopping early must not panic
		if p.Series == data {
			break
		}
	}
}

// A roll that is missing, altered or wrong is reported and named, and the
// packs of all other folders are still found.
func TestPacksWithABadRoll(t *testing.T) {
	l, good := example(t)
	name := l.Folders[1].Roll
	short := good.add(t, data, 1, packs(data, 1024, 1040, 1)) // lacks 2047
	for why, spoil := range map[string]func(l *Ledger, s shelf){
		"missing": func(_ *Ledger, s shelf) { delete(s, name) },
		"altered": func(_ *Ledger, s shelf) { s[name] = bytes.Replace(s[name], []byte(" 1000"), []byte(" 1001"), 1) },
		"swapped": func(l *Ledger, s shelf) { s[name] = s[l.Folders[2].Roll] },
		"lacking": func(l *Ledger, _ shelf) { l.Folders[2].Roll = short },
	} {
		l, rolls := example(t)
		rolls[short] = good[short]
		spoil(l, rolls)
		var last Pack
		var errs []error
		for p, err := range l.Packs(rolls.get) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			last = p
		}
		if len(errs) != 1 {
			t.Errorf("%s: errors %v, want one", why, errs)
			continue
		}
		if _, ok := errors.AsType[*RollError](errs[0]); !ok || !strings.Contains(errs[0].Error(), "rolls/") {
			t.Errorf("%s: %v does not name the roll", why, errs[0])
		}
		if last != pack(data, 2058) {
			t.Errorf("%s: the last pack found is %v", why, last)
		}
	}
}

// What Encode would not write is neither written nor read.
func TestRules(t *testing.T) {
	for why, spoil := range map[string]func(l *Ledger){
		"vault":                      func(l *Ledger) { l.Vault = "x" },
		"folders out of order":       func(l *Ledger) { slices.Reverse(l.Folders) },
		"folder twice":               func(l *Ledger) { l.Folders[3] = l.Folders[2] },
		"folder out of range":        func(l *Ledger) { l.Folders[3] = Folder{Series: data, Folder: 1 << 22, Packs: []Pack{pack(data, 0)}} },
		"nothing needed":             func(l *Ledger) { l.Folders[3].Packs = nil },
		"packs out of order":         func(l *Ledger) { slices.Reverse(l.Folders[3].Packs) },
		"pack twice":                 func(l *Ledger) { l.Folders[3].Packs[1] = l.Folders[3].Packs[0] },
		"two names for a number":     func(l *Ledger) { l.Folders[3].Packs[1].Number = l.Folders[3].Packs[0].Number },
		"pack of another folder":     func(l *Ledger) { l.Folders[3].Packs[2] = pack(data, 3072) },
		"pack of another series":     func(l *Ledger) { l.Folders[3].Packs[1].Series = segments },
		"pack without size":          func(l *Ledger) { l.Folders[3].Packs[1].Size = 0 },
		"pack of absurd size":        func(l *Ledger) { l.Folders[3].Packs[1].Size = 1 << 50 },
		"bits without roll":          func(l *Ledger) { l.Folders[3].Bits.Add(1) },
		"all without roll":           func(l *Ledger) { l.Folders[3].All = true },
		"roll and packs":             func(l *Ledger) { l.Folders[1].Packs = packs(data, 0, 3, 1) },
		"all and bits":               func(l *Ledger) { l.Folders[1].Bits.Add(1) },
		"neither all nor bits":       func(l *Ledger) { l.Folders[1].All = false },
		"all, said by bits":          func(l *Ledger) { l.Folders[2].Bits = full() },
		"roll of another folder":     func(l *Ledger) { l.Folders[1].Roll = l.Folders[2].Roll },
		"roll that is no roll":       func(l *Ledger) { l.Folders[1].Roll = pack(data, 1).Name() },
		"roll of nothing":            func(l *Ledger) { l.Folders = []Folder{{Roll: "rolls/x", All: true}} },
		"roll outside of its folder": func(l *Ledger) { l.Folders[1].Roll = "x/" + l.Folders[1].Roll },
	} {
		l, _ := example(t)
		spoil(l)
		if _, err := l.Encode(nonce); err == nil {
			t.Errorf("%s: written", why)
		}
	}
}

func full() (b Bits) {
	for i := range uint32(1024) {
		b.Add(i)
	}
	return b
}

func TestParseRefuses(t *testing.T) {
	l, _ := example(t)
	good := string(mustEncode(t, l))
	lines := strings.SplitAfter(good, "\n")
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the example has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	zero := strings.Repeat("A", 171) + "="
	for why, text := range map[string]string{
		"empty":                     "",
		"no newline at the end":     strings.TrimSuffix(good, "\n"),
		"no first line":             strings.Join(lines[1:], ""),
		"first line twice":          lines[0] + good,
		"blank line":                good + "\n",
		"another type":              replace(`"ledger"`, `"roll"`),
		"vault":                     replace(vault, "xx112233445566778899aabbccddeeff"),
		"short nonce":               replace(`"nonce":"01`, `"nonce":"`),
		"upper case":                replace(`"nonce":"010203`, `"nonce":"01020A`),
		"lines out of order":        lines[0] + lines[2] + lines[1] + lines[3] + lines[4],
		"line twice":                lines[0] + lines[1] + lines[1] + lines[2] + lines[3] + lines[4],
		"unknown field":             replace(`"all":true`, `"all":true,"x":1`),
		"all said twice":            replace(`"all":true`, `"all":true,"bits":"`+zero+`"`),
		"no bits":                   replace(`"bits":"AQ`, `"bits":"`+zero+`","x":"`),
		"nothing said of the roll":  replace(`,"all":true`, ``),
		"nothing and no roll":       replace(`"packs":[`, `"packs":[],"x":[`),
		"short number":              replace(`"folder":"0000000007"`, `"folder":"7"`),
		"huge folder":               replace(`"folder":"0000000007"`, `"folder":"9999999999"`),
		"huge number":               replace(`"packs":["00000`, `"packs":["99999`),
		"size with zero":            replace(` 8168"`, ` 08168"`),
		"size with sign":            replace(` 8168"`, ` +8168"`),
		"no size":                   replace(` 8168"`, `"`),
		"roll that is no hash":      strings.Replace(good, `"roll":"`, `"roll":"x`, 1),
		"bits with a line break":    replace(`"bits":"AQ`, `"bits":"\nAQ`),
		"bits with loose last bits": replace(`A="}`, `B="}`),
		"long line":                 lines[0] + strings.Replace(lines[1], `"packs":[`, `"packs":[`+strings.Repeat(" ", maxLine), 1),
	} {
		if text == good {
			t.Fatalf("%s: changes nothing", why)
		}
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted", why)
		}
	}
	if _, err := Parse([]byte(replace(`"v":1`, `"v":2`))); !errors.Is(err, canon.ErrVersion) {
		t.Errorf("a newer version: %v, want ErrVersion", err)
	}
	for size, want := range map[int]bool{MaxSize: false, MaxSize + 1: true} { // judged by its size before it is read
		if _, err := Parse(make([]byte, size)); err == nil || strings.Contains(err.Error(), "larger than any") != want {
			t.Errorf("%d bytes of nothing: %v", size, err)
		}
	}
}

func TestRollRefuses(t *testing.T) {
	list := packs(data, 1024, 1030, 1)
	for why, spoil := range map[string]func([]Pack) []Pack{
		"no pack":        func([]Pack) []Pack { return nil },
		"out of order":   func(p []Pack) []Pack { slices.Reverse(p); return p },
		"twice":          func(p []Pack) []Pack { return append(p, p[5]) },
		"another folder": func(p []Pack) []Pack { return append(p, pack(data, 2048)) },
		"another series": func(p []Pack) []Pack { return append(p, pack(segments, 1031)) },
		"no size":        func(p []Pack) []Pack { p[0].Size = 0; return p },
	} {
		if _, err := EncodeRoll(data, 1, spoil(slices.Clone(list)), nonce); err == nil {
			t.Errorf("%s: written", why)
		}
	}
	sizes := slices.Clone(list)
	sizes[0].Size, sizes[1].Size = 1, maxPack
	if _, err := EncodeRoll(data, 1, sizes, nonce); err != nil {
		t.Errorf("sizes at their bounds: %v", err)
	}
	for size, want := range map[int]bool{MaxRoll: false, MaxRoll + 1: true} {
		if _, err := parseRoll(make([]byte, size)); err == nil || strings.Contains(err.Error(), "larger than any") != want {
			t.Errorf("%d bytes of nothing: %v", size, err)
		}
	}
	b, err := EncodeRoll(data, 1, list, nonce)
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	lines := strings.SplitAfter(good, "\n")
	for why, text := range map[string]string{
		"empty":        "",
		"no packs":     lines[0],
		"cut":          good[:len(good)-1],
		"line ends":    strings.ReplaceAll(good, "\n", "\r\n"),
		"blank line":   good + "\n",
		"another type": strings.Replace(good, `"roll"`, `"ledger"`, 1),
		"another form": strings.Replace(good, `{"v":1,`, `{"v":1, `, 1),
		"order":        lines[0] + lines[2] + lines[1],
		"huge":         good + strings.Repeat(lines[1], 2000),
	} {
		name := RollName(data, 1, sha256.Sum256([]byte(text)))
		if _, err := ParseRoll(name, []byte(text)); err == nil {
			t.Errorf("%s: accepted", why)
		}
	}
	sum := sha256.Sum256(b)
	if got, err := ParseRoll(RollName(data, 1, sum), b); err != nil || !slices.Equal(got, list) {
		t.Errorf("got %v, %v", got, err)
	}
	for why, name := range map[string]string{
		"folder": RollName(data, 2, sum), "series": RollName(segments, 1, sum), "hash": RollName(data, 1, [32]byte{}), "name": "rolls/x",
	} {
		if _, err := ParseRoll(name, b); err == nil {
			t.Errorf("accepted under another %s", why)
		}
	}
}

func TestNames(t *testing.T) {
	p := pack(data, 5000)
	want := "packs/da01000000000000/0000000004/0000005000-" + canon.Sum(p.Sum)
	if p.Name() != want {
		t.Errorf("got %s, want %s", p.Name(), want)
	}
	got, err := ParsePackName(want)
	if p.Size = 0; err != nil || got != p {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "packs/x", want[1:], want + "/", want + "0", strings.Replace(want, "/0000000004/", "/0000000005/", 1),
		strings.Replace(want, "0000005000", "5000005000", 1), strings.Replace(want, "da01", "DA01", 1), strings.Replace(want, "packs", "rolls", 1)} {
		if _, err := ParsePackName(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
	roll := RollName(data, 4, p.Sum)
	if s, f, sum, err := ParseRollName(roll); err != nil || s != data || f != 4 || sum != p.Sum {
		t.Errorf("%s gives %s %d %x, %v", roll, s, f, sum, err)
	}
	last := RollName(data, maxFolder, p.Sum)
	if _, f, _, err := ParseRollName(last); err != nil || f != maxFolder {
		t.Errorf("%s gives %d, %v", last, f, err)
	}
	for _, bad := range []string{"", want, "rolls/" + data.String(), strings.TrimPrefix(roll, "rolls/"), roll + "0", strings.Replace(roll, "0000000004", "0004194304", 1), strings.Replace(roll, "rolls", "packs", 1)} {
		if _, _, _, err := ParseRollName(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

// A stranger finds the packs of a folder with jq and the shell.
func TestStockTools(t *testing.T) {
	l, rolls := example(t)
	b := mustEncode(t, l)
	full := trusttest.Run(t, b, "jq", "-r", `. as $f | .packs[]? | "packs/" + $f.series + "/" + $f.folder + "/" + split(" ")[0]`)
	var want strings.Builder
	for _, p := range append(slices.Clone(l.Folders[0].Packs), l.Folders[3].Packs...) {
		want.WriteString(p.Name() + "\n")
	}
	if string(full) != want.String() {
		t.Errorf("packs listed in full: %s", cmp.Diff(want.String(), string(full)))
	}
	names := trusttest.Run(t, b, "jq", "-r", `select(.roll) | "rolls/" + .series + "/" + .folder + "-" + .roll`)
	if got, want := string(names), strings.Join(l.Rolls(), "\n")+"\n"; got != want {
		t.Errorf("rolls: %s", cmp.Diff(want, got))
	}
	line := trusttest.Run(t, rolls[l.Folders[2].Roll], "sed", "-n", "s/^0000001033-/0000001033-/p")
	if p := pack(data, 1033); string(line) != p.line()+"\n" {
		t.Errorf("a pack in a roll: %q", line)
	}
	trusttest.Run(t, rolls[l.Folders[2].Roll], "sh", "-c", "sed 1q | jq -e '.type == \"roll\"'")
}

// Whatever set a run collects, whatever rolls there are: the ledger built of
// it names exactly those packs.
func TestBuild(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		src := &library{t: t, rolls: shelf{}, lists: map[FolderID]Bits{}, names: map[FolderID]string{}}
		var set Set
		want := map[string]bool{}
		for range rapid.IntRange(0, 6).Draw(r, "stretches") {
			s := rapid.SampledFrom([]chunk.Series{data, segments}).Draw(r, "series")
			from := rapid.Uint32Range(0, 4000).Draw(r, "from")
			step := rapid.Uint32Range(1, 300).Draw(r, "step")
			for n := from; n < from+1500; n += step {
				set.Add(s, n)
				want[pack(s, n).Name()] = true
			}
		}
		for range rapid.IntRange(0, 3).Draw(r, "rolls") {
			src.add(rapid.SampledFrom([]chunk.Series{data, segments}).Draw(r, "series"),
				rapid.Uint32Range(0, 3).Draw(r, "folder"), rapid.Uint32Range(1, 3).Draw(r, "step"))
		}
		l, err := Build(vault, &set, src)
		if err != nil {
			r.Fatal(err)
		}
		if set.Len() != len(want) {
			r.Fatalf("the set has %d packs, want %d", set.Len(), len(want))
		}
		b, err := l.Encode(nonce)
		if err != nil {
			r.Fatal(err)
		}
		again, err := Parse(b)
		if err != nil {
			r.Fatal(err)
		}
		for p, err := range again.Packs(src.rolls.get) {
			if err != nil {
				r.Fatal(err)
			}
			if !want[p.Name()] {
				r.Fatalf("names %s, which was not needed, or twice", p.Name())
			}
			delete(want, p.Name())
		}
		if len(want) > 0 {
			r.Fatalf("lacks %d packs", len(want))
		}
	})
}

// A library knows the packs of the test, and some rolls.
type library struct {
	t     testing.TB
	rolls shelf
	lists map[FolderID]Bits
	names map[FolderID]string
}

func (l *library) Pack(s chunk.Series, number uint32) (Pack, bool) { return pack(s, number), true }

func (l *library) Roll(id FolderID) (string, Bits, bool) {
	return l.names[id], l.lists[id], l.names[id] != ""
}

func (l *library) add(s chunk.Series, folder, step uint32) {
	list := packs(s, folder*1024, folder*1024+1024, step)
	var lists Bits
	for _, p := range list {
		lists.Add(p.Number)
	}
	id := FolderID{s, folder}
	l.names[id], l.lists[id] = l.rolls.add(l.t, s, folder, list), lists
}

// forgetful knows all packs but one.
type forgetful struct {
	library
	number uint32
}

func (f *forgetful) Pack(s chunk.Series, number uint32) (Pack, bool) {
	return pack(s, number), number != f.number
}

func TestBuildWantsEveryName(t *testing.T) {
	var set Set
	set.Add(data, 3)
	set.Add(data, 4)
	if _, err := Build(vault, &set, &forgetful{number: 4}); err == nil || !strings.Contains(err.Error(), "pack 4") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	l, _ := example(f)
	f.Add(mustEncode(f, l))
	f.Add(mustEncode(f, &Ledger{Vault: vault}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := l.Encode(l.Nonce); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q was accepted and is written %q, %v", b, again, err)
		}
	})
}

func FuzzParseRoll(f *testing.F) {
	b, err := EncodeRoll(data, 1, packs(data, 1024, 1030, 2), nonce)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRoll(b)
		if err != nil {
			return
		}
		if again, err := EncodeRoll(r.series, r.folder, r.packs, r.nonce); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q was accepted and is written %q, %v", b, again, err)
		}
	})
}

func FuzzParsePackName(f *testing.F) {
	f.Add(pack(data, 5000).Name())
	f.Add(RollName(data, 4, [32]byte{}))
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePackName(s); err == nil && p.Name() != s {
			t.Errorf("%q was accepted and is written %q", s, p.Name())
		}
		if series, folder, sum, err := ParseRollName(s); err == nil && RollName(series, folder, sum) != s {
			t.Errorf("%q was accepted and is written %q", s, RollName(series, folder, sum))
		}
	})
}

// A line about a pack, and a nonce, have one spelling, and no number in them is
// beyond its bounds.
func TestLinesOfPacks(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for _, size := range []string{"1", fmt.Sprint(int64(maxPack))} {
		line := "4294967295-" + hash + " " + size
		if p, err := parseLine(line); err != nil || p.line() != line {
			t.Errorf("%q is read as %+v, %v", line, p, err)
		}
	}
	for _, bad := range []string{
		"", "0000000001-" + hash, "0000000001-" + hash + " ", "0000000001-" + hash + " 0", "0000000001-" + hash + " -1", "0000000001-" + hash + " 01",
		"0000000001-" + hash + " +1", "0000000001-" + hash + " x", "0000000001-" + hash + " 1 ", "0000000001-" + hash + fmt.Sprint(" ", int64(maxPack)+1),
		"1-" + hash + " 1", "4294967296-" + hash + " 1", "0000000001-" + hash[2:] + " 1", "0000000001-" + strings.ToUpper(hash) + " 1",
	} {
		if p, err := parseLine(bad); err == nil {
			t.Errorf("%q was accepted as %+v", bad, p)
		}
	}
	for _, bad := range []string{"", hash[:30], hash[:34], strings.ToUpper(hash[:32]), strings.Repeat("x", 32)} {
		if n, err := parseNonce(bad); err == nil {
			t.Errorf("%q was accepted as the nonce %x", bad, n)
		}
	}
	if a, b := NewNonce(), NewNonce(); a == b || a == (Nonce{}) {
		t.Errorf("nonces %x and %x", a, b)
	}
	if _, _, err := parseFolder(strings.Repeat("0", 16), canon.Number(maxFolder)); err != nil {
		t.Error(err)
	}
	if _, _, err := parseFolder(strings.Repeat("0", 16), canon.Number(maxFolder+1)); err == nil {
		t.Error("a folder beyond the last was accepted")
	}
	for _, bad := range []string{"", "x", strings.Repeat("0", 15)} {
		if _, _, err := parseFolder(bad, canon.Number(0)); err == nil {
			t.Errorf("the series %q was accepted", bad)
		}
	}
}
