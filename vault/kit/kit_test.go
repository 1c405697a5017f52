package kit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"coffer/chunk/seal"
	"coffer/vault/trust"
	"coffer/vault/trust/trusttest"

	"pgregory.net/rapid"
)

func example(t testing.TB, classic bool) Kit {
	id := trusttest.Identity(t, classic)
	return Kit{
		Identity: id,
		Remote:   "s3:https://s3.eu-central-003.backblazeb2.example/anna-backups/a-long-prefix/for/all/of/it",
		Vault:    "00112233445566778899aabbccddeeff",
		Root:     trust.RootKey(id).Public().(ed25519.PublicKey),
		TrustN:   12, TrustSum: strings.Repeat("0a", 32),
		Created: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC),
		Label:   "Annas Büro-Rechner  (alt)",
	}
}

func text(t testing.TB, k Kit) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, k); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// same reports whether two kits say the same.
func same(a, b Kit) bool {
	return a.Identity.String() == b.Identity.String() && a.Remote == b.Remote && a.Vault == b.Vault && a.Root.Equal(b.Root) &&
		a.TrustN == b.TrustN && a.TrustSum == b.TrustSum && a.Created.Equal(b.Created) && a.Label == b.Label
}

func TestWriteParse(t *testing.T) {
	for _, classic := range []bool{true, false} {
		k := example(t, classic)
		got, err := Parse(strings.NewReader(text(t, k)))
		if err != nil || !same(k, got) {
			t.Errorf("got %#v, %v", got, err)
		}
		k.Root, k.Label = nil, ""
		if got, err = Parse(strings.NewReader(text(t, k))); err != nil || got.Root == nil || got.Label != "" {
			t.Errorf("without label: got %#v, %v", got, err)
		}
	}
}

// The words a human reads must not change by accident.
func TestProse(t *testing.T) {
	s := text(t, example(t, false))
	for _, want := range []string{
		"Whoever has it can read everything you ever backed up.",
		"Without it nobody can restore anything",
		"coffer kit confirm",
		"coffer restore --kit kit.txt latest --target DIR",
		"docs/recovery.md",
		"age (1.3.0 or later",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the kit does not say %q", want)
		}
	}
}

// Mail programs wrap at 72 columns and more, and cut blanks at line ends off.
func TestForm(t *testing.T) {
	for _, classic := range []bool{true, false} {
		k := example(t, classic)
		s := text(t, k)
		if !strings.Contains(s, "\n"+k.Identity.String()+"\n") {
			t.Error("the secret is not on a line of its own")
		}
		for i, line := range strings.Split(s, "\n") {
			switch {
			case line == k.Identity.String():
				continue
			case line != "" && line[0] != '#':
				t.Errorf("line %d is no comment: %s", i+1, line)
			case len(line) > Columns:
				t.Errorf("line %d has %d columns: %s", i+1, len(line), line)
			case strings.TrimRight(line, " ") != line:
				t.Errorf("line %d ends in a blank: %s", i+1, line)
			case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }):
				t.Errorf("line %d is not plain ASCII: %q", i+1, line)
			}
		}
	}
}

// What happens to a text on its way to the day it is needed.
func TestParseForgives(t *testing.T) {
	for _, classic := range []bool{true, false} {
		k := example(t, classic)
		s, secret := text(t, k), k.Identity.String()
		with := func(new string) string { return strings.Replace(s, secret, new, 1) }
		for why, mangled := range map[string]string{
			"byte order mark":       "\ufeff" + s,
			"line ends of Windows":  strings.ReplaceAll(s, "\n", "\r\n"),
			"line ends of old Macs": strings.ReplaceAll(s, "\n", "\r"),
			"all of it":             "\ufeff" + strings.ReplaceAll(s, "\n", " \r\n"),
			"no newline at the end": strings.TrimSuffix(s, "\n"),
			"blank lines":           strings.ReplaceAll(s, "\n", "\n\n"),
			"blanks around":         strings.ReplaceAll(s, "\n", " \t\n\u00a0 "),
			"blank before secret":   with("  " + secret),
			"blank after secret":    with(secret + " \u200b"),
			"lower case":            with(strings.ToLower(secret)),
			"secret in two lines":   with(secret[:50] + "\n" + secret[50:]),
			"secret in groups":      with(secret[:30] + " " + secret[30:44] + "  " + secret[44:60] + "\n   " + secret[60:]),
			"comment wrapped":       strings.Replace(s, "you ever backed up.", "you ever\nbacked up.", 1),
			"typed in groups":       with(regexp.MustCompile(`....`).ReplaceAllString(secret, "$0 ")),
			"quoted in a mail":      "> " + strings.ReplaceAll(s, "\n", "\n> "),
			"pasted twice":          s + "\n" + s,
			"mail around it":        "Hi,\n\nhere it is:\n\n" + s + "\n-- \nAnna\n",
		} {
			got, err := Parse(strings.NewReader(mangled))
			if err != nil || !same(k, got) {
				t.Errorf("%s: got %#v, %v", why, got, err)
			}
		}
	}
}

func TestParsePlainIdentityFile(t *testing.T) {
	id := trusttest.Identity(t, true)
	for why, s := range map[string]string{
		"line alone": id.String(),
		"age-keygen": "# created: 2026-11-22T03:00:00+01:00\n# public key: " + id.Recipient() + "\n" + id.String() + "\n",
	} {
		got, err := Parse(strings.NewReader(s))
		if err != nil || !same(got, Kit{Identity: id, Root: rootOf(id)}) {
			t.Errorf("%s: %#v, %v", why, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	k, other := example(t, true), example(t, true)
	s, secret := text(t, k), k.Identity.String()
	cut := func(from, to string) string {
		i := strings.Index(s, from)
		j := i + strings.Index(s[i:], to)
		return s[:i] + s[j:]
	}
	for why, mangled := range map[string]string{
		"nothing":                 "",
		"no secret":               strings.Replace(s, secret, "", 1),
		"a letter wrong":          strings.Replace(s, secret, secret[:40]+swap(secret[40])+secret[41:], 1),
		"a letter missing":        strings.Replace(s, secret, secret[:40]+secret[41:], 1),
		"half of the secret":      strings.Replace(s, secret, secret[:40], 1),
		"another kit's secret":    strings.Replace(s, secret, other.Identity.String(), 1),
		"two kits":                s + text(t, other),
		"facts of two kits":       strings.Replace(s, "# trust: 12 ", "# trust: 11 "+strings.Repeat("b", 50)+"\n# trust: 12 ", 1),
		"root key altered":        strings.Replace(s, "# root: coffer-root", "# root: other-root", 1),
		"root key cut":            cut("# root+:", "# trust"),
		"trust hash cut":          cut("# trust+:", "# written"),
		"trust number":            strings.Replace(s, "# trust: 12", "# trust: -1", 1),
		"vault":                   strings.Replace(s, "# vault: 00", "# vault: xx", 1),
		"time":                    strings.Replace(s, "# written: 2026-11-22T03", "# written: 2026-99-22T03", 1),
		"quotes":                  strings.Replace(s, `# label: "`, `# label: "\`, 1),
		"empty remote":            strings.Replace(s, "# vault:", "# remote:\n# vault:", 1),
		"too large":               s + strings.Repeat("#\n", MaxSize),
		"a passphrase's wrapping": "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n",
		"an SSH key":              "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
	} {
		if mangled == s {
			t.Fatalf("%s: changes nothing", why)
		}
		_, err := Parse(strings.NewReader(mangled))
		if err == nil {
			t.Errorf("%s: accepted", why)
			continue
		}
		for _, part := range []string{secret[20:40], secret[45:]} {
			if strings.Contains(strings.ToUpper(err.Error()), part) {
				t.Errorf("%s: the error holds the secret: %v", why, err)
			}
		}
	}
	if _, err := Parse(broken{}); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

// swap returns another letter that the encoding knows.
func swap(b byte) string {
	if b == 'Q' {
		return "P"
	}
	return "Q"
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestWriteRefuses(t *testing.T) {
	stranger := trusttest.SignKey("stranger").Public().(ed25519.PublicKey)
	for why, spoil := range map[string]func(k *Kit){
		"no identity":      func(k *Kit) { k.Identity = nil },
		"another root key": func(k *Kit) { k.Root = stranger },
		"no remote":        func(k *Kit) { k.Remote = "" },
		"endless remote":   func(k *Kit) { k.Remote = strings.Repeat("x", maxValue+1) },
		"endless label":    func(k *Kit) { k.Label = strings.Repeat("x", maxValue+1) },
		"no vault":         func(k *Kit) { k.Vault = "" },
		"no trust":         func(k *Kit) { k.TrustN = 0 },
		"no trust hash":    func(k *Kit) { k.TrustSum = "" },
		"no time":          func(k *Kit) { k.Created = time.Time{} },
	} {
		k := example(t, true)
		spoil(&k)
		if err := Write(new(bytes.Buffer), k); err == nil {
			t.Errorf("%s: written", why)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	k := example(t, true)
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", &k), fmt.Sprintf("%#v", k), fmt.Sprintf("%v", []Kit{k})} {
		if strings.Contains(s, "AGE-SECRET-KEY") {
			t.Errorf("%q holds the secret", s)
		}
	}
}

// The stock tools take the kit as it is, and the commands printed in it work
// as they are printed.
func TestStockTools(t *testing.T) {
	for _, classic := range []bool{true, false} {
		k := example(t, classic)
		dir := t.TempDir()
		age := trusttest.Age(t)
		trusttest.Write(t, filepath.Join(dir, "kit.txt"), []byte(text(t, k)))

		device := trusttest.Identity(t, classic)
		_, obj, _, err := trust.Seal(trusttest.New(t, k.Identity, device), trust.RootKey(k.Identity))
		if err != nil {
			t.Fatal(err)
		}
		trusttest.Write(t, filepath.Join(dir, "TRUST"), obj)
		for name, plain := range map[string]string{"PACK": "what a pack holds", "SNAPSHOT": `{"v":1}`} {
			frame := trusttest.Run(t, []byte(plain), "zstd", "-q", "-c")
			trusttest.Write(t, filepath.Join(dir, name), trusttest.Run(t, frame, age, "-r", k.Identity.Recipient()))
		}

		script := "set -e; cd " + dir + "; PATH=" + filepath.Dir(age) + ":$PATH\n" + commands(t, text(t, k))
		trusttest.Run(t, nil, "bash", "-o", "pipefail", "-c", script)
		if b, _ := os.ReadFile(filepath.Join(dir, "CHUNKS")); string(b) != "what a pack holds" {
			t.Errorf("the pack's content by the kit's command: %q", b)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, "signers")); string(b) != rootLine(k.Root) {
			t.Errorf("allowed_signers by the kit's command: %q", b)
		}
		// ssh-keygen has said yes above; it must be able to say no.
		stmt, _ := os.ReadFile(filepath.Join(dir, "stmt"))
		sig, _ := os.ReadFile(filepath.Join(dir, "sig"))
		if trusttest.Keygen(t, rootLine(k.Root), Principal, trust.NamespaceTrust, append(stmt, '\n'), sig) == nil {
			t.Error("ssh-keygen takes an altered trust")
		}
	}
}

// commands returns the shell commands that a kit prints, apart from Coffer's.
func commands(t *testing.T, kit string) string {
	var script strings.Builder
	n := 0
	for line := range strings.Lines(kit) {
		if c, ok := strings.CutPrefix(line, "#     "); ok && !strings.HasPrefix(strings.TrimSpace(c), "coffer ") && strings.ContainsAny(c, "|<>\\") {
			script.WriteString(c)
			n++
		}
	}
	if n != 7 {
		t.Fatalf("found %d lines of commands in the kit, want 7:\n%s", n, script.String())
	}
	return script.String()
}

// Whatever the values are, folding and quoting them is undone by reading.
func TestAnyValue(t *testing.T) {
	id := trusttest.Identity(t, true)
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune(` "\ab:#+=`)), 1, 300, -1),
			rapid.StringN(1, 100, -1),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 100), func(b []byte) string { return string(b) }),
		)
		k := example(t, true)
		k.Identity, k.Root = id, nil
		k.Remote, k.Label = value.Draw(r, "remote"), value.Draw(r, "label")
		s := text(t, k)
		for line := range strings.Lines(s) {
			if len(line) > Columns+1 && !strings.HasPrefix(line, secretPrefix) || strings.HasSuffix(line, " \n") {
				r.Fatalf("line %q", line)
			}
		}
		got, err := Parse(strings.NewReader(strings.ReplaceAll(s, "\n", "\r\n")))
		if err != nil || got.Remote != k.Remote || got.Label != k.Label {
			r.Fatalf("got %q and %q, %v", got.Remote, got.Label, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	id, err := seal.ParseIdentity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	if err != nil {
		f.Fatal(err)
	}
	k := example(f, true)
	k.Identity, k.Root = id, nil
	s := text(f, k)
	f.Add(s)
	f.Add("\ufeff" + strings.ReplaceAll(s, "\n", "\r\n"))
	f.Add(id.String())
	f.Add(s + s)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := Parse(strings.NewReader(s))
		if err != nil || k.check() != nil { // it may lack facts
			return
		}
		again, err := Parse(strings.NewReader(text(t, k)))
		if err != nil || !same(k, again) {
			t.Errorf("%q was read as %#v and, written, as %#v, %v", s, k, again, err)
		}
	})
}
