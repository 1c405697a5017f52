package vault

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/chunk/pack"
	"coffer/remote"
	"coffer/remote/fault"
	"coffer/vault/commit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/trust"
)

// lent opens the vault by its kit alone: then nothing is kept on the disk.
func (s *scene) lent(t *testing.T) *Vault {
	t.Helper()
	v, err := Open(t.Context(), s.fault, OpenOptions{Kit: s.kit})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// keyless opens the vault by what the device has, which is no identity.
func (s *scene) keyless(t *testing.T) *Vault {
	t.Helper()
	v, err := Open(t.Context(), s.fault, OpenOptions{State: s.v.dir})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// reads opens a ledger for reading, which no snapshot has.
func reads(v *Vault, l *ledger.Ledger, moves ...*Move) *Source {
	src := v.Sources(moves).source()
	src.ledger = l
	return src
}

// fetched counts how often names that begin so were asked for.
func (s *scene) fetched(prefix string) (n int) {
	for _, e := range s.fault.Log() {
		if e.Op == remote.OpGet && strings.HasPrefix(e.Name, prefix) {
			n++
		}
	}
	return n
}

// away takes what is named out of reach.
func (s *scene) away(prefix string) {
	s.fault.Add(fault.Rule{Op: remote.OpGet, Name: prefix, Do: fault.Fail})
}

// A snapshot opens with the identity, and says of itself what its commit, ledger
// and body do. One of them that cannot be reached ends that, and is no damage.
func TestSourceOpens(t *testing.T) {
	s := committed(t)
	v := s.lent(t)
	snap, err := v.Find(t.Context(), "latest", Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.loadSnapshot(t.Context(), snap); err != nil {
		t.Fatal(err)
	}
	src, err := v.Source(t.Context(), &Snapshot{Name: snap.Name})
	if err != nil {
		t.Fatal(err)
	}
	if got := src.Snapshot(); got == nil || got.Name != snap.Name || got.Commit.Body != snap.Commit.Body || src.Body().Label != "p" || len(src.Ledger().Folders) != 1 {
		t.Errorf("%+v: %+v", got, src.Body())
	}
	if p, err := src.PackName(t.Context(), s.pack.Series, s.pack.Number); err != nil || p != s.pack {
		t.Errorf("%v, %v", p, err)
	}
	keyless := s.keyless(t)
	if _, err := keyless.Source(t.Context(), &Snapshot{Name: snap.Name}); err != ErrNoIdentity {
		t.Errorf("without the identity: %v", err)
	}
	if _, err := keyless.Body(t.Context(), &Snapshot{Name: snap.Name}); err != ErrNoIdentity {
		t.Errorf("its body without the identity: %v", err)
	}
	for _, object := range []string{snap.Name.String(), snap.Commit.Ledger, snap.Commit.Body} {
		s.away(object)
		src, err := v.Source(t.Context(), &Snapshot{Name: snap.Name})
		if src != nil || !errors.Is(err, fault.ErrInjected) || isDamage(err) {
			t.Errorf("%s is out of reach: %v", object, err)
		}
		s.fault.Clear()
	}
}

// stored stores bytes under a name that ends in their hash.
func (s *scene) stored(kind string, b []byte) string {
	name := commit.ObjectName(kind, s.v.Device(), 9, remote.NewObject("", b).Sum)
	s.mem.Overwrite(name, b)
	return name
}

// A body counts only if its bytes are those of its name, it opens, and it is of
// the vault, the project and the device, or one that it inherited from, that the
// commit says; a ledger, if it is of the vault.
func TestBodyAndLedgerAreOfTheirCommit(t *testing.T) {
	s := committed(t)
	v := s.lent(t)
	snap, err := v.Find(t.Context(), "latest", Filter{})
	if err != nil {
		t.Fatal(err)
	}
	good, err := v.Body(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	own := string(v.ID())
	other := own[1:] + own[:1]
	body := func(change func(b *manifest.Body)) []byte {
		b := *good
		change(&b)
		plain, err := manifest.EncodeBody(&b)
		if err != nil {
			t.Fatal(err)
		}
		return sealed(t, s, plain)
	}
	for name, c := range map[string]struct {
		bytes []byte
		says  string // "": it counts
	}{
		"as it was":       {body(func(*manifest.Body) {}), ""},
		"another vault":   {body(func(b *manifest.Body) { b.Vault = other }), "another vault"},
		"another project": {body(func(b *manifest.Body) { b.Project = "ffffffffffffffff" }), "another project or device"},
		"another device":  {body(func(b *manifest.Body) { b.Device = "ffffffffffffffff" }), "another project or device"},
		"not sealed":      {[]byte("junk"), "bodies/"},
		"none":            {sealed(t, s, []byte("junk")), "bodies/"},
		"gone":            {nil, "missing"},
	} {
		x := &Snapshot{Name: snap.Name, Commit: &commit.Commit{Project: snap.Commit.Project, Body: "snapshots/none"}}
		if c.bytes != nil {
			x.Commit.Body = s.stored(commit.Bodies, c.bytes)
		}
		if c.says == "bodies/" {
			c.says = x.Commit.Body
		}
		got, err := v.body(t.Context(), x)
		if c.says == "" && (err != nil || got.Label != "p") || c.says != "" && (got != nil || !isDamage(err) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for vault, want := range map[string]bool{own: true, other: false} {
		l, err := v.Ledger(t.Context(), s.stored(commit.Ledgers, encoded(t, &ledger.Ledger{Vault: trust.VaultID(vault)})))
		if want != (err == nil) || want != (l != nil) || !want && !isDamage(err) {
			t.Errorf("a ledger of vault %s: %v, %v", vault, l, err)
		}
	}
	for name, b := range map[string][]byte{"none": []byte("junk"), "empty": {}} {
		if l, err := v.Ledger(t.Context(), s.stored(commit.Ledgers, b)); l != nil || !isDamage(err) {
			t.Errorf("a ledger that is %s: %v, %v", name, l, err)
		}
	}
	wrong := s.stored(commit.Ledgers, encoded(t, &ledger.Ledger{Vault: v.ID()}))
	s.mem.Overwrite(wrong, encoded(t, &ledger.Ledger{Vault: v.ID()})) // it has another nonce
	if _, err := v.FetchNamed(t.Context(), wrong, maxLedger); !isDamage(err) {
		t.Errorf("other bytes than those of its name: %v", err)
	}
	if l, err := v.Ledger(t.Context(), wrong); l != nil || !isDamage(err) {
		t.Errorf("a ledger of other bytes than those of its name: %v, %v", l, err)
	}
}

func encoded(t *testing.T, l *ledger.Ledger) []byte {
	t.Helper()
	b, err := l.Encode(ledger.NewNonce())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sealed seals a blob to the recipients of the vault.
func sealed(t *testing.T, s *scene, plain []byte) []byte {
	t.Helper()
	b, _, err := pack.SealBlob(plain, s.recipients)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A number means the pack that the ledger names, or the roll that it names, and
// no other one of that number. Where a list is lost, or but stands in for one, it
// is what the remote lists. A list that cannot be reached ends the search.
func TestPackName(t *testing.T) {
	s := committed(t)
	src := reads(s.lent(t), nil)
	series := chunk.Series{7}
	at := func(n uint32, list byte) ledger.Pack {
		return ledger.Pack{Series: series, Number: n, Sum: [32]byte{list, byte(n)}, Size: 9}
	}
	roll := func(folder uint32, keep bool, numbers ...uint32) string {
		var packs []ledger.Pack
		for _, n := range numbers {
			packs = append(packs, at(folder*folderSize+n, 'r'))
		}
		b, err := ledger.EncodeRoll(series, folder, packs, ledger.NewNonce())
		if err != nil {
			t.Fatal(err)
		}
		name := ledger.RollName(series, folder, remote.NewObject("", b).Sum)
		if keep {
			s.mem.Overwrite(name, b)
		}
		return name
	}
	list := func(n uint32) { s.mem.Overwrite(at(n, 'l').Name(), []byte("nine here")) }
	bits := ledger.Bits{}
	bits.Add(1)
	l := &ledger.Ledger{Folders: []ledger.Folder{
		{Series: chunk.Series{3}, Folder: 0, Packs: []ledger.Pack{{Series: chunk.Series{3}, Number: 3, Size: 1}}},
		{Series: series, Folder: 0, Packs: []ledger.Pack{at(3, 'p'), at(5, 'p')}},
		{Series: series, Folder: 1, Roll: roll(1, true, 1, 2), All: true},
		{Series: series, Folder: 2, Roll: roll(2, true, 1, 2), Bits: bits},
		{Series: series, Folder: 3, Roll: roll(3, false, 1, 2), All: true}, // lost
		{Series: series, Folder: 4, Roll: roll(4, true, 1), All: true},     // out of reach at first
		{Series: chunk.Series{9}, Folder: 0, Packs: []ledger.Pack{{Series: chunk.Series{9}, Number: 3, Size: 1}}},
	}}
	for _, n := range []uint32{3, 4, folderSize + 1, folderSize + 3, 2*folderSize + 1, 2*folderSize + 2, 3*folderSize + 1, 3*folderSize + 3, 6*folderSize + 1} {
		list(n)
	}
	s.fault.Add(fault.Rule{Op: remote.OpList, Name: "packs/", Do: fault.Fail})
	for range 2 {
		if p, _, err := src.lookup(t.Context(), nil, false, series, 3); !errors.Is(err, fault.ErrInjected) || isDamage(err) {
			t.Errorf("a listing out of reach: %v, %v", p, err)
		}
	}
	s.fault.Clear()
	s.away(l.Folders[5].Roll)
	before := s.listed("packs/")
	for range 2 {
		p, _, err := src.lookup(t.Context(), l, false, series, 4*folderSize+1)
		if !errors.Is(err, fault.ErrInjected) || isDamage(err) || !strings.Contains(err.Error(), series.String()) {
			t.Errorf("a roll out of reach: %v, %v", p, err)
		}
	}
	s.fault.Clear()
	for _, c := range []struct {
		l      *ledger.Ledger
		number uint32
		want   byte // by what it is named: p ledger, r roll, l listing; 0 nothing
		stood  byte // likewise, where the ledger stands in for another
	}{
		{l, 3, 'p', 'p'}, {l, 5, 'p', 'p'}, {l, 4, 0, 'l'}, {l, 6, 0, 0},
		{l, folderSize + 1, 'r', 'r'}, {l, folderSize + 2, 'r', 'r'}, {l, folderSize + 3, 0, 'l'}, {l, folderSize + 4, 0, 0},
		{l, 2*folderSize + 1, 'r', 'r'}, {l, 2*folderSize + 2, 0, 'l'}, {l, 2*folderSize + 3, 0, 0},
		{l, 3*folderSize + 1, 'l', 'l'}, {l, 3*folderSize + 2, 0, 0}, {l, 3*folderSize + 3, 'l', 'l'},
		{l, 4*folderSize + 1, 'r', 'r'}, {l, 5 * folderSize, 0, 0}, {l, 6*folderSize + 1, 0, 'l'},
		{nil, 3, 'l', 'l'}, {nil, 5, 0, 0}, {nil, 6*folderSize + 1, 'l', 'l'},
	} {
		for stood, want := range map[bool]byte{false: c.want, true: c.stood} {
			for range 2 {
				p, named, err := src.lookup(t.Context(), c.l, stood, series, c.number)
				if named != (!stood && (want == 'p' || want == 'r')) {
					t.Errorf("number %d, stood in for %t: named %t", c.number, stood, named)
				}
				if want == 0 && !isDamage(err) || want != 0 && (err != nil || p != at(c.number, want)) || p.Series != series || p.Number != c.number {
					t.Errorf("number %d, stood in for %t: %v, %v, want one of %q", c.number, stood, p, err, want)
				}
			}
		}
	}
	if n := s.listed("packs/") - before; n != 6 { // folders 0 to 3, 5 and 6
		t.Errorf("%d listings", n)
	}
	for i, most := range map[int]int{2: 1, 3: 1, 4: 1, 5: 3} {
		if n := s.fetched(l.Folders[i].Roll); n != most {
			t.Errorf("roll %d was asked for %d times", i, n)
		}
	}
}

// Where a roll is lost, the list of a move that stands in for it says which pack a
// number means; what it lacks may be listed all the same.
func TestPackNameOfStandIn(t *testing.T) {
	s := committed(t)
	p := s.pack
	other, next := p, p
	other.Sum[0] ^= 1
	next.Number++
	b, err := ledger.EncodeRoll(p.Series, ledger.FolderOf(p.Number), []ledger.Pack{p, next}, ledger.NewNonce())
	if err != nil {
		t.Fatal(err)
	}
	roll := ledger.RollName(p.Series, ledger.FolderOf(p.Number), remote.NewObject("", b).Sum)
	used := new(ledger.Set)
	used.Add(p.Series, p.Number)
	d := draft{kind: commit.Move, old: []string{roll}, used: used}
	if d.ledger, err = s.writeLedger(t.Context(), &d, used); err == nil {
		_, err = s.publish(t.Context(), d)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.mem.Overwrite(other.Name(), []byte("another one of its number"))
	s.mem.Overwrite(next.Name(), make([]byte, next.Size))
	v := s.lent(t)
	l := &ledger.Ledger{Folders: []ledger.Folder{{Series: p.Series, Folder: ledger.FolderOf(p.Number), Roll: roll, All: true}}}
	for _, first := range []ledger.Pack{p, next} {
		src := reads(v, l)
		for _, want := range []ledger.Pack{first, p, next} {
			if got, err := src.PackName(t.Context(), want.Series, want.Number); err != nil || got != want {
				t.Errorf("%s: %s, %v", want.Name(), got.Name(), err)
			}
		}
	}
	s.away(d.ledger)
	for range 2 {
		if _, err := reads(v, l).PackName(t.Context(), p.Series, p.Number); !errors.Is(err, fault.ErrInjected) || isDamage(err) {
			t.Errorf("what stands in is out of reach: %v", err)
		}
	}
}

// packed stores a pack of chunks, the IDs of which are true but for those that
// are lied about, and returns it with their refs.
func (s *scene) packed(t *testing.T, k chunk.Kind, series byte, lies string, contents ...string) (ledger.Pack, []chunk.Ref) {
	t.Helper()
	b := pack.NewBuilder(pack.TargetData, pack.Default)
	p := ledger.Pack{Series: chunk.Series{series}, Number: 3}
	var refs []chunk.Ref
	for _, content := range contents {
		r := chunk.Ref{ID: s.v.Hasher(k).ID([]byte(content)), Series: p.Series, Number: p.Number, Len: int64(len(content))}
		data := []byte(content)
		if content == lies {
			data[0] ^= 1
		}
		r.Offset = b.Add(k, r.ID, data)
		refs = append(refs, r)
	}
	sealed, err := b.Seal(s.recipients)
	if err != nil {
		t.Fatal(err)
	}
	p.Sum, p.Size = sealed.Sum, int64(len(sealed.Object))
	s.mem.Overwrite(p.Name(), sealed.Object)
	return p, refs
}

func ledgerOf(p ledger.Pack) *ledger.Ledger {
	return &ledger.Ledger{Folders: []ledger.Folder{{Series: p.Series, Packs: []ledger.Pack{p}}}}
}

// Of a pack that is as its name says, and in which a chunk is not what its ID
// says, the others are read, each once; where a move has all of them, that one is
// read from there.
func TestChunksAreThoseOfTheirIDs(t *testing.T) {
	s := committed(t)
	v := s.lent(t)
	want := []string{"first", "the second", "and the third"}
	p, refs := s.packed(t, chunk.Data, 7, want[1], want...)
	to, moved := s.packed(t, chunk.Data, 8, "", want[2], want[1], want[0])
	where := map[chunk.ID]chunk.Ref{}
	for _, r := range moved {
		where[r.ID] = r
	}
	for name, c := range map[string]struct {
		moves []*Move
		want  string
	}{
		"nothing was moved":  {nil, "first"},
		"all was moved":      {[]*Move{{Commit: &commit.Commit{Old: []string{p.Name()}}, ledger: ledgerOf(to), where: where}}, "first and the third the second"},
		"another pack's was": {[]*Move{{Commit: &commit.Commit{Old: []string{to.Name()}}, ledger: ledgerOf(to), where: where}}, "first"},
	} {
		src := reads(v, ledgerOf(p), c.moves...)
		var got []string
		err := src.Read(t.Context(), chunk.Data, refs, func(i int, data []byte) error {
			if string(data) != want[i] {
				t.Errorf("%s: chunk %d is %q", name, i, data)
			}
			got = append(got, string(data))
			return nil
		})
		if strings.Join(got, " ") != c.want || (len(got) < len(want)) != isDamage(err) || len(got) == len(want) && err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if pe := (*PackError)(nil); err != nil && (!errors.As(err, &pe) || pe.Pack != p) {
			t.Errorf("%s: the pack is not named: %v", name, err)
		}
		s.fault.Add(fault.Rule{Op: remote.OpList, Name: "commits/", Do: fault.Fail})
		if err := reads(v, ledgerOf(p)).Read(t.Context(), chunk.Data, refs, func(int, []byte) error { return nil }); !errors.Is(err, fault.ErrInjected) || isDamage(err) {
			t.Errorf("moves out of reach: %v", err)
		}
		s.fault.Clear()
		enough := errors.New("enough")
		for at := range got {
			n := 0
			err := src.Read(t.Context(), chunk.Data, refs, func(int, []byte) error {
				if n++; n > at {
					return enough
				}
				return nil
			})
			if err != enough || n != at+1 {
				t.Errorf("%s: %v after %d chunks", name, err, n)
			}
		}
	}
}

// A move whose map is lost is told of, and asked for twice at most; one whose map
// is out of reach ends the search each time.
func TestMoveWithoutMap(t *testing.T) {
	s := committed(t)
	v := s.lent(t)
	p, refs := s.packed(t, chunk.Data, 7, "first", "first")
	name, err := commit.ParseName(s.own.Heads[0])
	if err != nil {
		t.Fatal(err)
	}
	list := encoded(t, &ledger.Ledger{Vault: v.ID()})
	m := &Move{Name: name, Commit: &commit.Commit{Old: []string{p.Name()}, Ledger: s.stored(commit.Ledgers, list), Body: "moves/none"}}
	src := reads(v, ledgerOf(p), m)
	read := func() error {
		return src.Read(t.Context(), chunk.Data, refs, func(int, []byte) error { t.Error("it was read"); return nil })
	}
	s.away("moves/")
	for range 3 {
		if err := read(); !errors.Is(err, fault.ErrInjected) || isDamage(err) {
			t.Errorf("out of reach: %v", err)
		}
	}
	s.fault.Clear()
	before := s.fetched("moves/")
	for range 4 {
		if err := read(); !isDamage(err) {
			t.Errorf("lost: %v", err)
		}
	}
	if n := s.fetched("moves/") - before; n != 2 {
		t.Errorf("asked for it %d times", n)
	}
	told := func(object, says string) bool {
		return slices.ContainsFunc(v.Problems(), func(x Problem) bool {
			return x.Object == object && isDamage(x.Err) && strings.Contains(x.Err.Error(), says)
		})
	}
	if !told(name.String(), "moves/none") || told(m.Commit.Ledger, "") {
		t.Errorf("told: %v", v.Problems())
	}
	src = reads(v, ledgerOf(p), &Move{Name: name, Commit: &commit.Commit{Old: []string{p.Name()}, Ledger: "ledgers/none", Body: "moves/none"}})
	if err := read(); !isDamage(err) || !told("ledgers/none", "ledgers/none") {
		t.Errorf("its list is lost, too: %v, told %v", err, v.Problems())
	}
}

// A segment comes as its ID says, or not at all, whatever lies beside it; those
// that follow it in its pack come without asking for the pack again.
func TestSegmentsAreThoseOfTheirIDs(t *testing.T) {
	s := committed(t)
	want := []string{"first", "the second", "and the third", "one more"}
	p, refs := s.packed(t, chunk.Segment, 7, want[1], want...)
	for _, first := range []int{0, 1, 2, 3} {
		src := reads(s.lent(t), ledgerOf(p))
		for _, i := range []int{first, 0, 1, 2, 3} {
			b, err := src.Segment(t.Context(), refs[i])
			if i == 1 && (b != nil || !isDamage(err)) || i != 1 && (err != nil || string(b) != want[i]) {
				t.Errorf("segment %d: %q, %v", i, b, err)
			}
		}
	}
	to, moved := s.packed(t, chunk.Segment, 8, "", want[1])
	src := reads(s.lent(t), ledgerOf(p), &Move{Commit: &commit.Commit{Old: []string{p.Name()}}, ledger: ledgerOf(to), where: map[chunk.ID]chunk.Ref{refs[1].ID: moved[0]}})
	for range 3 {
		if b, err := src.Segment(t.Context(), refs[1]); err != nil || string(b) != want[1] || s.fetched(to.Name()) != 1 {
			t.Errorf("a segment that was moved: %q, %v, asked %d times", b, err, s.fetched(to.Name()))
		}
	}
	src = reads(s.lent(t), ledgerOf(p))
	before := s.fetched(p.Name())
	for range 2 {
		for _, i := range []int{2, 3} {
			if b, err := src.Segment(t.Context(), refs[i]); err != nil || string(b) != want[i] {
				t.Errorf("segment %d: %q, %v", i, b, err)
			}
		}
	}
	if n := s.fetched(p.Name()) - before; n != 1 {
		t.Errorf("the pack was asked for %d times", n)
	}
	s.away(p.Name())
	if b, err := src.Segment(t.Context(), refs[0]); b != nil || !errors.Is(err, fault.ErrInjected) || isDamage(err) {
		t.Errorf("out of reach: %q, %v", b, err)
	}
}

// The bytes of a pack count if they are as many as its list says, and those of
// its name; what cannot be fetched is damage only if the remote says that it is
// gone.
func TestFetchPack(t *testing.T) {
	s := committed(t)
	v := s.lent(t)
	whole, err := v.FetchPack(t.Context(), s.pack, nil)
	if err != nil || int64(len(whole)) != s.pack.Size {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	scratch := make([]byte, 2*len(whole))
	if b, err := v.FetchPack(t.Context(), s.pack, scratch); err != nil || !bytes.Equal(b, whole) || &b[0] != &scratch[0] {
		t.Errorf("into memory that is there: %d bytes, %v", len(b), err)
	}
	var r pack.Reader
	if err := v.OpenPackBytes(&r, s.pack, whole); err != nil {
		t.Errorf("it does not open: %v", err)
	}
	if chunks, n := r.Len(); chunks != 1 || n != int64(len("content")) {
		t.Errorf("it holds %d chunks of %d bytes", chunks, n)
	}
	changed := func(change func(p *ledger.Pack)) ledger.Pack {
		p := s.pack
		change(&p)
		return p
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		p     ledger.Pack
		bytes []byte
		says  string
	}{
		"it has a byte less than its list says": {changed(func(p *ledger.Pack) { p.Size++ }), whole, "bytes, not"},
		"it has a byte more":                    {changed(func(p *ledger.Pack) { p.Size-- }), whole, "bytes, not"},
		"no pack is that large":                 {changed(func(p *ledger.Pack) { p.Size = maxPack + 1 }), whole, "larger than any pack"},
		"a byte was changed":                    {s.pack, flipped, "do not match its name"},
		"another one has its place":             {changed(func(p *ledger.Pack) { p.Sum[3] ^= 1 }), whole, "do not match its name"},
		"it is gone":                            {changed(func(p *ledger.Pack) { p.Number++ }), nil, "missing"},
	} {
		if c.bytes != nil {
			s.mem.Overwrite(c.p.Name(), c.bytes)
		}
		_, err := v.FetchPack(t.Context(), c.p, nil)
		if pe := (*PackError)(nil); !errors.As(err, &pe) || pe.Pack != c.p || !isDamage(err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keyless := s.keyless(t)
	s.away("packs/")
	if _, err := v.FetchPack(t.Context(), s.pack, nil); !errors.Is(err, fault.ErrInjected) || isDamage(err) {
		t.Errorf("it is out of reach: %v", err)
	}
	if err := v.OpenPackBytes(&r, s.pack, flipped); !isDamage(err) || !strings.Contains(err.Error(), s.pack.Name()) {
		t.Errorf("bytes that do not open: %v", err)
	}
	if err := keyless.OpenPackBytes(&r, s.pack, whole); !errors.Is(err, ErrNoIdentity) || isDamage(err) {
		t.Errorf("without the identity: %v", err)
	}
}
