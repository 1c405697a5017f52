package commit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/chunk"
	"coffer/vault/ledger"
	"coffer/vault/trust"
	"coffer/vault/trust/canon"
	"coffer/vault/trust/trusttest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	vault   = "00112233445566778899aabbccddeeff"
	laptop  = "d100000000000000"
	desktop = "d200000000000000"
	phone   = "d300000000000000"
	project = "a100000000000000"
)

var (
	key  = trusttest.SignKey("laptop")
	pub  = key.Public().(ed25519.PublicKey)
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

func sum(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// base returns a base name of some commit.
func base(seq uint64, kind Kind, what string) string {
	return Name{Seq: seq, Kind: kind, Time: noon, Sum: sum(what)}.Base()
}

func packName(n uint32) string {
	return ledger.Pack{Series: chunk.Series{1}, Number: n, Sum: sum(fmt.Sprint(n))}.Name()
}

// example returns a first commit of a kind with all that the kind may have,
// not signed yet.
func example(kind Kind) *Commit {
	c := &Commit{
		Version: 1, Vault: vault, Device: laptop, Kind: kind, Time: noon,
		Trust: trust.Name(1, sum("trust")),
		Heads: []Head{{desktop, base(7, Snapshot, "desktop")}, {phone, base(9, Check, "phone")}},
	}
	switch kind {
	case Snapshot:
		c.Project, c.Body, c.Ledger = project, ObjectName(Bodies, laptop, 3, sum("body")), ObjectName(Ledgers, laptop, 3, sum("ledger"))
	case Progress:
		c.Project, c.Ledger = project, ObjectName(Ledgers, laptop, 3, sum("ledger"))
	case Forget:
		c.Forgets, c.Withdraw = []string{base(1, Snapshot, "a"), base(2, Snapshot, "b")}, true
	case Move:
		c.Old, c.Repack = []string{packName(1), packName(2)}, true
		c.Body, c.Ledger = ObjectName(Moves, laptop, 3, sum("map")), ObjectName(Ledgers, laptop, 3, sum("ledger"))
	case Dismiss:
		c.Dismisses = []string{"commits/" + desktop + "/0000000000/junk", "condemned/x"}
	case Check:
		c.Project = project
		c.Detail = &Detail{Result: Damaged, Objects: 12, Bytes: 3456, Bad: 1, Missing: 2}
	case Drill:
		c.Detail = &Detail{Result: OK, Snapshot: base(1, Snapshot, "a"), Objects: 5, Bytes: 99}
	}
	if err := c.Follow(); err != nil {
		panic(err)
	}
	return c
}

var kinds = []Kind{Snapshot, Progress, Forget, Move, Dismiss, Check, Drill}

func mustSign(t testing.TB, c *Commit) []byte {
	t.Helper()
	obj, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestSignOpen(t *testing.T) {
	for _, kind := range kinds {
		c := example(kind)
		obj := mustSign(t, c)
		got, err := Open(c.Name(), obj, pub)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if d := cmp.Diff(c, got, cmpopts.IgnoreUnexported(Commit{})); d != "" {
			t.Errorf("%s: %s", kind, d)
		}
		if got.Name() != c.Name() || c.Name().Sum != sha256.Sum256(obj) {
			t.Errorf("%s: name %s, was signed as %s", kind, got.Name(), c.Name())
		}
		if again := mustSign(t, c); !bytes.Equal(obj, again) {
			t.Errorf("%s: signing again gives other bytes", kind)
		}
	}
}

// The bytes on disk must not change unnoticed.
func TestGolden(t *testing.T) {
	for _, kind := range kinds {
		file := filepath.Join("testdata", kind.String())
		got := mustSign(t, example(kind))
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
}

// A stranger verifies and reads each kind of commit with stock tools, in the
// words of the package comment.
func TestStockTools(t *testing.T) {
	allowed := trust.AllowedSigners(laptop, []string{trust.NamespaceCommit}, pub)
	for _, kind := range kinds {
		c := example(kind)
		obj := mustSign(t, c)
		stmt := trusttest.Run(t, obj, "sed", "1q")
		sig := trusttest.Run(t, obj, "sed", "1d")
		if err := trusttest.Keygen(t, allowed, laptop, "coffer-commit", stmt, sig); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if trusttest.Keygen(t, allowed, laptop, "coffer-commit", append([]byte(" "), stmt...), sig) == nil {
			t.Errorf("%s: ssh-keygen took an altered statement", kind)
		}
		got := trusttest.Run(t, stmt, "jq", "-r", `[.kind, .seq, .time, .trust, (.heads[] | select(.device == "`+phone+`") | .name)] | join(" ")`)
		want := fmt.Sprintf("%s 1 2026-11-22T12:00:00Z %s %s\n", kind, c.Trust, base(9, Check, "phone"))
		if string(got) != want {
			t.Errorf("%s: jq reads %q, want %q", kind, got, want)
		}
		hash := trusttest.Run(t, obj, "sha256sum")
		if want := c.Name().Hash(); !strings.HasSuffix(c.Name().String(), want) || string(hash[:64]) != want {
			t.Errorf("%s: sha256sum gives %s, the name is %s", kind, hash, c.Name())
		}
	}
}

// The chain value by shell: what docs tell a stranger to compute.
func TestChainByStockTools(t *testing.T) {
	a, b := example(Snapshot), example(Check)
	mustSign(t, a)
	mustSign(t, b)
	c := example(Snapshot)
	if err := c.Follow(b, a); err != nil {
		t.Fatal(err)
	}
	script := `for p in "$@"; do echo "$p"; done | LC_ALL=C sort -k2 | sha256sum | cut -c1-64`
	got := trusttest.Run(t, nil, "sh", "-c", script, "sh", b.Chain+" "+b.Name().Base(), a.Chain+" "+a.Name().Base())
	if string(got) != c.Chain+"\n" {
		t.Errorf("by shell %q, by us %s", got, c.Chain)
	}
	if first := trusttest.Run(t, nil, "sha256sum"); string(first[:64]) != a.Chain {
		t.Errorf("first commit: by shell %s, by us %s", first[:64], a.Chain)
	}
}

func TestOpenRefuses(t *testing.T) {
	c := example(Snapshot)
	obj := mustSign(t, c)
	other := trusttest.SignKey("other")
	line, sig, err := trust.Split(obj)
	if err != nil {
		t.Fatal(err)
	}
	// signed puts a statement and a signature together and names the result
	// as the true commit is named.
	signed := func(line, sig []byte) (Name, []byte) {
		obj := append(bytes.Clone(line), sig...)
		n := c.Name()
		n.Sum = sha256.Sum256(obj)
		return n, obj
	}
	try := func(why string, n Name, obj []byte, want error) {
		t.Helper()
		if _, err := Open(n, obj, pub); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", why, err, want)
		}
	}
	edit := func(old, new string) []byte {
		if !bytes.Contains(line, []byte(old)) {
			t.Fatalf("the example has no %s", old)
		}
		return bytes.Replace(line, []byte(old), []byte(new), 1)
	}

	try("rotten bytes", c.Name(), append(bytes.Clone(obj), ' '), ErrHash)
	try("empty", c.Name(), nil, ErrHash)
	n, o := signed(line, trust.Sign(other, trust.NamespaceCommit, line))
	try("another device's signature", n, o, trust.ErrSignature)
	n, o = signed(line, trust.Sign(key, trust.NamespaceTrust, line))
	try("signature of another namespace", n, o, trust.ErrSignature)
	n, o = signed(edit(`"seq":1`, `"seq":2`), sig)
	try("altered statement", n, o, trust.ErrSignature)
	n, o = signed(line, nil)
	try("no signature", n, o, trust.ErrSignature)
	n, o = signed(line, append(bytes.Clone(sig), '\n'))
	try("line after the signature", n, o, trust.ErrSignature)

	// What follows is signed by the right key.
	resigned := func(line []byte) (Name, []byte) {
		return signed(line, trust.Sign(key, trust.NamespaceCommit, line))
	}
	if n, o = resigned(line); !bytes.Equal(o, obj) {
		t.Fatal("signing is not what it is taken for")
	}
	n, o = resigned(edit(`{"v":1,`, `{"v":2,`))
	try("newer version", n, o, canon.ErrVersion)
	for why, line := range map[string][]byte{
		"unknown field":         edit(`"kind":`, `"x":1,"kind":`),
		"another spelling":      edit(`"seq":1`, `"seq": 1`),
		"time with offset":      edit(`12:00:00Z`, `12:00:00+00:00`),
		"no prev":               edit(`"prev":[]`, `"prev":null`),
		"two statements":        append(bytes.Clone(line), line...),
		"kind as its letter":    edit(`"kind":"snapshot"`, `"kind":"s"`),
		"broken rule":           edit(`"project":"`+project+`",`, ``),
		"empty list":            edit(`"heads":[`, `"ends":[],"heads":[`),
		"false where it is not": edit(`"heads":[`, `"repack":false,"heads":[`),
	} {
		n, o = resigned(line)
		try(why, n, o, nil)
	}
	wrong := []func(n *Name){
		func(n *Name) { n.Seq++ }, func(n *Name) { n.Device = desktop }, func(n *Name) { n.Kind = Check }, func(n *Name) { n.Time = n.Time.Add(time.Second) },
	}
	for i, change := range wrong {
		n := c.Name()
		change(&n)
		try(fmt.Sprintf("name says otherwise, %d", i), n, obj, nil)
	}
	huge := make([]byte, MaxSize+1)
	try("huge", Name{Device: laptop, Seq: 1, Kind: Snapshot, Time: noon, Sum: sha256.Sum256(huge)}, huge, ErrTooLong)
	try("huge, and not even hashed", c.Name(), huge, ErrTooLong)
	try("as large as any", c.Name(), huge[1:], ErrHash)
	if _, _, err := Parse(huge); !errors.Is(err, ErrTooLong) {
		t.Errorf("huge, parsed: got %v, want ErrTooLong", err)
	}
	if _, _, err := Parse(huge[1:]); err == nil || errors.Is(err, ErrTooLong) {
		t.Errorf("as large as any, parsed: got %v, want another error than ErrTooLong", err)
	}
}

// Each rule of Check, broken alone, is noticed.
func TestCheck(t *testing.T) {
	long := make([]string, MaxList+1)
	for i := range long {
		long[i] = base(1, Snapshot, fmt.Sprint(i))
	}
	slices.Sort(long)
	zeros := strings.Repeat("0", 64)
	for _, c := range []struct {
		why   string
		kind  Kind
		spoil func(c *Commit)
	}{
		{"version", Snapshot, func(c *Commit) { c.Version = 2 }},
		{"vault", Snapshot, func(c *Commit) { c.Vault = "" }},
		{"device", Snapshot, func(c *Commit) { c.Device = "../.." }},
		{"project", Snapshot, func(c *Commit) { c.Project = "x" }},
		{"kind", Snapshot, func(c *Commit) { c.Kind = 'x' }},
		{"unknown kind of nothing", Check, func(c *Commit) { c.Kind, c.Project, c.Detail = 'x', "", nil }},
		{"no kind", Snapshot, func(c *Commit) { c.Kind = 0 }},
		{"time zone", Snapshot, func(c *Commit) { c.Time = c.Time.In(time.FixedZone("", 3600)) }},
		{"fraction of a second", Snapshot, func(c *Commit) { c.Time = c.Time.Add(1) }},
		{"before 1970", Snapshot, func(c *Commit) { c.Time = time.Unix(-1, 0).UTC() }},
		{"after the year 9999", Snapshot, func(c *Commit) { c.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"no time", Snapshot, func(c *Commit) { c.Time = time.Time{} }},

		{"number 0", Snapshot, func(c *Commit) { c.Seq = 0 }},
		{"number without prev", Snapshot, func(c *Commit) { c.Seq = 2 }},
		{"chain no hash", Snapshot, func(c *Commit) { c.Chain = "x" }},
		{"chain no hash, later", Snapshot, func(c *Commit) { c.Seq, c.Prev, c.Chain = 8, []string{base(7, Check, "")}, "x" }},
		{"ends itself", Snapshot, func(c *Commit) {
			c.Seq, c.Prev, c.Ends = 8, []string{base(7, Check, "")}, []string{base(8, Progress, "")}
		}},
		{"folder chain no hash", Snapshot, func(c *Commit) { c.FolderChain = "" }},
		{"folder chain no hash, later", Snapshot, func(c *Commit) { c.Seq, c.Prev, c.FolderChain = 8, []string{base(7, Check, "")}, "x" }},
		{"number of eleven digits", Snapshot, func(c *Commit) { c.Seq, c.Prev = 1e10, []string{base(1e10-1, Check, "")} }},
		{"ends a snapshot", Snapshot, func(c *Commit) {
			c.Seq, c.Prev, c.Ends = 8, []string{base(7, Check, "")}, []string{base(3, Snapshot, "")}
		}},
		{"ends no name", Snapshot, func(c *Commit) { c.Seq, c.Prev, c.Ends = 8, []string{base(7, Check, "")}, []string{"x"} }},
		{"detail of another result", Drill, func(c *Commit) { c.Detail.Result = "fine" }},
		{"first with a chain", Snapshot, func(c *Commit) { c.Chain, c.FolderChain = zeros, zeros }},
		{"first with a folder chain", Snapshot, func(c *Commit) { c.FolderChain = zeros }},
		{"prev no name", Snapshot, func(c *Commit) { c.Prev = []string{"x"} }},
		{"prev a full name", Snapshot, func(c *Commit) { c.Seq, c.Prev = 8, []string{Folder(laptop, 7) + base(7, Check, "")} }},
		{"number skipped", Snapshot, func(c *Commit) { c.Seq, c.Prev = 9, []string{base(7, Check, "")} }},
		{"number of prev", Snapshot, func(c *Commit) { c.Seq, c.Prev = 7, []string{base(7, Check, "")} }},
		{"prev out of order", Snapshot, func(c *Commit) { c.Seq, c.Prev = 8, []string{base(7, Check, ""), base(6, Check, "")} }},
		{"prev twice", Snapshot, func(c *Commit) { c.Seq, c.Prev = 8, []string{base(7, Check, ""), base(7, Check, "")} }},
		{"too many prev", Snapshot, func(c *Commit) { c.Seq, c.Prev = 2, long[:17] }},
		{"new folder with the old chain", Snapshot, func(c *Commit) { c.Seq, c.Prev, c.FolderChain = 1024, []string{base(1023, Check, "")}, zeros }},

		{"trust", Snapshot, func(c *Commit) { c.Trust = "" }},
		{"trust elsewhere", Snapshot, func(c *Commit) { c.Trust = c.Body }},
		{"body elsewhere", Snapshot, func(c *Commit) { c.Body = ObjectName(Moves, laptop, 1, sum("")) }},
		{"body no object", Snapshot, func(c *Commit) { c.Body = "snapshots/x" }},
		{"map elsewhere", Move, func(c *Commit) { c.Body = ObjectName(Bodies, laptop, 1, sum("")) }},
		{"ledger elsewhere", Snapshot, func(c *Commit) { c.Ledger = c.Body }},
		{"head of no device", Snapshot, func(c *Commit) { c.Heads[0].Device = "d1" }},
		{"head no name", Snapshot, func(c *Commit) { c.Heads[0].Name = "x" }},
		{"own head", Snapshot, func(c *Commit) { c.Heads[0].Device = laptop }},
		{"heads out of order", Snapshot, func(c *Commit) { slices.Reverse(c.Heads) }},
		{"head twice", Snapshot, func(c *Commit) { c.Heads[1] = c.Heads[0] }},
		{"too many heads", Snapshot, func(c *Commit) { c.Heads = manyHeads(trust.MaxDevices + 1) }},

		{"snapshot without project", Snapshot, func(c *Commit) { c.Project = "" }},
		{"snapshot without body", Snapshot, func(c *Commit) { c.Body = "" }},
		{"snapshot without ledger", Snapshot, func(c *Commit) { c.Ledger = "" }},
		{"snapshot that forgets", Snapshot, func(c *Commit) { c.Forgets = example(Forget).Forgets }},
		{"snapshot with detail", Snapshot, func(c *Commit) { c.Detail = &Detail{Result: OK} }},
		{"progress without ledger", Progress, func(c *Commit) { c.Ledger = "" }},
		{"progress with body", Progress, func(c *Commit) { c.Body = example(Snapshot).Body }},
		{"forget of nothing", Forget, func(c *Commit) { c.Forgets = nil }},
		{"forget with project", Forget, func(c *Commit) { c.Project = project }},
		{"forget with ledger", Forget, func(c *Commit) { c.Ledger = example(Snapshot).Ledger }},
		{"move of nothing", Move, func(c *Commit) { c.Old = nil }},
		{"move without map", Move, func(c *Commit) { c.Body = "" }},
		{"move without ledger", Move, func(c *Commit) { c.Ledger = "" }},
		{"move that forgets", Move, func(c *Commit) { c.Forgets = example(Forget).Forgets }},
		{"dismissal of nothing", Dismiss, func(c *Commit) { c.Dismisses = nil }},
		{"dismissal that ends", Dismiss, func(c *Commit) { c.Ends = []string{base(1, Progress, "")} }},
		{"check without detail", Check, func(c *Commit) { c.Detail = nil }},
		{"check with ledger", Check, func(c *Commit) { c.Ledger = example(Snapshot).Ledger }},
		{"drill without detail", Drill, func(c *Commit) { c.Detail = nil }},
		{"drill that repacks", Drill, func(c *Commit) { c.Repack = true }},
		{"snapshot that is withdrawn", Snapshot, func(c *Commit) { c.Withdraw = true }},

		{"ends what is no progress", Snapshot, func(c *Commit) { c.Seq, c.Ends = 1, []string{base(1, Snapshot, "")} }},
		{"ends what comes later", Snapshot, func(c *Commit) { c.Ends = []string{base(9, Progress, "")} }},
		{"forgets what is no snapshot", Forget, func(c *Commit) { c.Forgets = []string{base(1, Check, "")} }},
		{"forgets a full name", Forget, func(c *Commit) { c.Forgets[0] = Folder(laptop, 1) + c.Forgets[0] }},
		{"forgets out of order", Forget, func(c *Commit) { slices.Reverse(c.Forgets) }},
		{"forgets twice", Forget, func(c *Commit) { c.Forgets[1] = c.Forgets[0] }},
		{"forgets too many", Forget, func(c *Commit) { c.Forgets = long }},
		{"moves what is no pack", Move, func(c *Commit) { c.Old[0] = c.Body }},
		{"moves twice", Move, func(c *Commit) { c.Old[1] = c.Old[0] }},
		{"moves too many", Move, func(c *Commit) { c.Old = manyPacks(MaxList + 1) }},
		{"dismisses no name", Dismiss, func(c *Commit) { c.Dismisses[0] = "../x" }},
		{"dismisses out of order", Dismiss, func(c *Commit) { slices.Reverse(c.Dismisses) }},

		{"no result", Check, func(c *Commit) { c.Detail.Result = "" }},
		{"unknown result", Check, func(c *Commit) { c.Detail.Result = "fine" }},
		{"ok with damage", Check, func(c *Commit) { c.Detail.Result = OK }},
		{"damage without damage", Check, func(c *Commit) { c.Detail.Bad, c.Detail.Missing = 0, 0 }},
		{"absurd count", Check, func(c *Commit) { c.Detail.Bytes = 1 << 60 }},
		{"drill of nothing", Drill, func(c *Commit) { c.Detail.Snapshot = "" }},
		{"drill of a check", Drill, func(c *Commit) { c.Detail.Snapshot = base(1, Check, "") }},
	} {
		x := example(c.kind)
		if err := x.Check(); err != nil {
			t.Fatal(err)
		}
		c.spoil(x)
		if err := x.Check(); err == nil {
			t.Errorf("%s: accepted", c.why)
		}
		if _, err := x.Sign(key); err == nil {
			t.Errorf("%s: signed", c.why)
		}
	}
}

// What is just within its bounds is good.
func TestCheckAtTheBounds(t *testing.T) {
	for _, c := range []struct {
		why    string
		kind   Kind
		change func(c *Commit)
	}{
		{"in 1970", Snapshot, func(c *Commit) { c.Time = time.Unix(0, 0).UTC() }},
		{"in the year 9999", Snapshot, func(c *Commit) { c.Time = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }},
		{"number of ten digits", Snapshot, func(c *Commit) { c.Seq, c.Prev = canon.MaxNumber, []string{base(canon.MaxNumber-1, Check, "")} }},
		{"counts", Check, func(c *Commit) { c.Detail.Objects, c.Detail.Missing = 1<<53, 1<<53 }},
		{"no list of predecessors", Snapshot, func(c *Commit) { c.Prev = nil }}, // which Sign makes
	} {
		x := example(c.kind)
		c.change(x)
		obj := mustSign(t, x)
		if _, err := Open(x.Name(), obj, pub); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

// The error names all that a kind must have, or cannot.
func TestCheckNamesTheFields(t *testing.T) {
	lacks, extra := example(Snapshot), example(Dismiss)
	lacks.Project, lacks.Ledger = "", ""
	extra.Body, extra.Repack = "x", true
	for want, c := range map[string]*Commit{"a snapshot lacks: project, ledger": lacks, "a dismiss cannot have: body, repack": extra} {
		if err := c.Check(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func manyHeads(n int) (heads []Head) {
	for i := range n {
		heads = append(heads, Head{trust.DeviceID(fmt.Sprintf("e%015d", i)), base(1, Check, "")})
	}
	return heads
}

func manyPacks(n int) (names []string) {
	for i := range n {
		names = append(names, packName(uint32(i)))
	}
	return names
}

// Commits with as much as the rules allow fit into an object; what does not is
// refused by name.
func TestLargestCommits(t *testing.T) {
	move := example(Move)
	var prevs []*Commit
	for i := range 20 {
		p := example(Progress)
		p.Time = noon.Add(time.Duration(i) * time.Second)
		mustSign(t, p)
		prevs = append(prevs, p)
		move.Ends = append(move.Ends, p.Name().Base())
	}
	for i := len(move.Ends); i < maxEnds; i++ {
		move.Ends = append(move.Ends, base(1, Progress, fmt.Sprint(i)))
	}
	slices.Sort(move.Ends)
	move.Heads, move.Old = manyHeads(trust.MaxDevices), manyPacks(MaxList)
	if err := move.Follow(prevs...); err != nil {
		t.Fatal(err)
	}
	if len(move.Prev) != maxPrev || move.Prev[maxPrev-1] != prevs[19].Name().Base() {
		t.Errorf("of 20 heads it joins %q", move.Prev)
	}
	if obj := mustSign(t, move); len(obj) < MaxSize*9/10 {
		t.Errorf("the largest commit has only %d bytes: the bounds could be wider", len(obj))
	}

	d := example(Dismiss)
	d.Dismisses = nil
	for i := range MaxList {
		d.Dismisses = append(d.Dismisses, fmt.Sprintf("commits/%s%03d", strings.Repeat("x", 400), i))
	}
	if _, err := d.Sign(key); !errors.Is(err, ErrTooLong) {
		t.Errorf("a dismissal of 100 KB: got %v, want ErrTooLong", err)
	}
	if d.Name() != (Name{}) {
		t.Errorf("what was not signed is named %s", d.Name())
	}

	// Nothing but the length decides.
	d.Dismisses = d.Dismisses[:150]
	room := MaxSize - len(mustSign(t, d))
	for i := range d.Dismisses {
		more := min(room, 80)
		d.Dismisses[i] += strings.Repeat("x", more)
		room -= more
	}
	if obj := mustSign(t, d); len(obj) != MaxSize {
		t.Errorf("%d bytes, want %d", len(obj), MaxSize)
	}
	d.Dismisses[149] += "x"
	if _, err := d.Sign(key); !errors.Is(err, ErrTooLong) {
		t.Errorf("one byte more: got %v, want ErrTooLong", err)
	}
}

func TestRoles(t *testing.T) {
	want := map[Kind]trust.Role{
		Snapshot: trust.Write, Progress: trust.Write, Forget: trust.Forget, Move: trust.Write,
		Dismiss: trust.Maintain, Check: trust.Write, Drill: trust.Write,
	}
	for kind, role := range want {
		if got := (&Commit{Kind: kind, Body: "of a move"}).Role(); got != role {
			t.Errorf("%s wants %s, not %s", kind, got, role)
		}
	}
	if got := (&Commit{Kind: Forget, Withdraw: true}).Role(); got != trust.Write {
		t.Errorf("taking a forget back wants %s", got)
	}
	if got := (&Commit{Kind: Move, Repack: true}).Role(); got != trust.Maintain {
		t.Errorf("a repack wants %s", got)
	}
	if got := (&Commit{Kind: Move}).Role(); got != trust.Maintain {
		t.Errorf("what stands in for a ledger wants %s", got)
	}
}

// A move stands in for ledgers and rolls too; then it has no map.
func TestMoveOfLedgers(t *testing.T) {
	names := []string{ObjectName(Ledgers, desktop, 3, sum("lost")), "rolls/0123456789abcdef/0000000000-" + strings.Repeat("a", 64)}
	good := example(Move)
	good.Old, good.Body, good.Repack = names, "", false
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(c *Commit)
	}{
		{"with a map", func(c *Commit) { c.Body = example(Move).Body }},
		{"and packs", func(c *Commit) { c.Old = []string{names[0], packName(1)} }},
		{"and packs, with a map", func(c *Commit) { c.Old, c.Body = []string{names[0], packName(1)}, example(Move).Body }},
		{"to let them go", func(c *Commit) { c.Repack = true }},
		{"without a ledger", func(c *Commit) { c.Ledger = "" }},
		{"of a body", func(c *Commit) { c.Old = []string{ObjectName(Bodies, desktop, 3, sum("lost"))} }},
	} {
		bad := *good
		if c.change(&bad); bad.Check() == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

// Compare orders names as a listing does: by their text.
func TestCompare(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		draw := func(what string) Name {
			return Name{
				Device: rapid.SampledFrom([]trust.DeviceID{laptop, desktop}).Draw(r, what+"'s device"),
				Seq:    rapid.Uint64Range(1, 3).Draw(r, what+"'s number"),
				Kind:   rapid.SampledFrom(kinds).Draw(r, what+"'s kind"),
				Time:   time.Unix(rapid.Int64Range(0, 1<<40-1).Draw(r, what+"'s time"), 0).UTC(),
				Sum:    sum(rapid.StringN(0, 1, 1).Draw(r, what+"'s bytes")),
			}
		}
		a, b := draw("a"), draw("b")
		if got, want := Compare(a, b), strings.Compare(a.String(), b.String()); got != want {
			r.Errorf("%s and %s: %d, want %d", a, b, got, want)
		}
	})
}

func TestNames(t *testing.T) {
	n := Name{laptop, 2500, Snapshot, noon, sum("x")}
	want := fmt.Sprintf("commits/d100000000000000/0000000002/0000002500-s%010x-%x", noon.Unix(), sum("x"))
	if n.String() != want || Folder(laptop, 2500)+n.Base() != want {
		t.Errorf("got %s, want %s", n, want)
	}
	if got, err := ParseName(want); err != nil || got != n {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{
		"", "commits/x", want[1:], want + "0", want + "/", strings.Replace(want, "/0000000002/", "/0000000003/", 1), strings.Replace(want, "-s", "-x", 1),
		strings.Replace(want, laptop, "laptop", 1), strings.ToUpper(want), strings.Replace(want, "-s00", "-s0", 1), strings.Replace(want, "-s00", "-s0g", 1),
		fmt.Sprintf("commits/%s/0000000000/0000000000-s%010x-%x", laptop, 0, sum("")), strings.Replace(want, "commits", "ledgers", 1),
	} {
		if _, err := ParseName(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
	for _, bad := range []string{"", "0000002500", strings.Replace(n.Base(), "-s00", "-s+0", 1), strings.Replace(n.Base(), "-s006b", "-s006B", 1)} {
		if _, err := ParseBase(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
	obj := ObjectName(Ledgers, laptop, 7, sum("x"))
	if d, seq, s, err := ParseObjectName(Ledgers, obj); err != nil || d != laptop || seq != 7 || s != sum("x") {
		t.Errorf("%s gives %s %d %x, %v", obj, d, seq, s, err)
	}
	for _, bad := range []string{"", obj + "/", ObjectName(Bodies, laptop, 7, sum("x")), ObjectName(Ledgers, "x", 7, sum("x")), obj[:len(obj)-1]} {
		if _, _, _, err := ParseObjectName(Ledgers, bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

// FuzzParse feeds statements that the device signed: what is accepted must be
// what Sign would have made.
func FuzzParse(f *testing.F) {
	for _, kind := range kinds {
		s, err := split(mustSign(f, example(kind)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.Line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		obj := append(bytes.Clone(line), trust.Sign(key, trust.NamespaceCommit, line)...)
		c, s, err := Parse(obj)
		if err != nil {
			return
		}
		if err := s.Verify(pub); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if again, err := c.Sign(key); err != nil || !bytes.Equal(again, obj) {
			t.Errorf("%q was accepted and is written %q, %v", obj, again, err)
		}
	})
}

// FuzzParseObject feeds whole objects, signature and all.
func FuzzParseObject(f *testing.F) {
	for _, kind := range kinds {
		f.Add(mustSign(f, example(kind)))
	}
	f.Fuzz(func(t *testing.T, obj []byte) {
		c, s, err := Parse(obj)
		if err != nil || s.Verify(pub) != nil {
			return
		}
		if again, err := c.Sign(key); err != nil || !bytes.Equal(again, obj) {
			t.Errorf("%q was accepted and is written %q, %v", obj, again, err)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(Name{laptop, 2500, Snapshot, noon, sum("x")}.String())
	f.Add(ObjectName(Ledgers, laptop, 7, sum("x")))
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseName(s); err == nil && n.String() != s {
			t.Errorf("%q was accepted and is written %q", s, n)
		}
		if n, err := ParseBase(s); err == nil && n.Base() != s {
			t.Errorf("%q was accepted and is written %q", s, n.Base())
		}
		for _, top := range []string{Bodies, Ledgers, Moves, Condemned} {
			if d, seq, sum, err := ParseObjectName(top, s); err == nil && ObjectName(top, d, seq, sum) != s {
				t.Errorf("%q was accepted and is written %q", s, ObjectName(top, d, seq, sum))
			}
		}
	})
}
