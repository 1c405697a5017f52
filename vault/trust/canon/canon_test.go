package canon

import (
	"errors"
	"strings"
	"testing"
)

type object struct {
	V    int      `json:"v"`
	Name string   `json:"name"`
	N    uint64   `json:"n"`
	List []string `json:"list,omitempty"`
}

func TestEncodeKeepsTextReadable(t *testing.T) {
	b, err := Encode(object{V: 1, Name: "a<b>&\"ü\"", N: 7})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"v":1,"name":"a<b>&\"ü\"","n":7}` + "\n"; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}

func TestDecodeTakesOneSpelling(t *testing.T) {
	good := `{"v":1,"name":"x","n":7,"list":["a"]}`
	var o object
	if err := DecodeFirst([]byte(good+"\n"), &o); err != nil || o.N != 7 || o.List[0] != "a" {
		t.Fatalf("the canonical line: %+v, %v", o, err)
	}
	for why, line := range map[string]string{
		"no newline":        good,
		"two lines":         good + "\n\n",
		"trailing object":   good + "{}\n",
		"leading blank":     " " + good + "\n",
		"inner blank":       `{"v":1, "name":"x","n":7}` + "\n",
		"unknown field":     `{"v":1,"name":"x","n":7,"extra":1}` + "\n",
		"other order":       `{"v":1,"n":7,"name":"x"}` + "\n",
		"twice":             `{"v":1,"name":"x","name":"x","n":7}` + "\n",
		"case":              `{"v":1,"Name":"x","n":7}` + "\n",
		"needless escape":   `{"v":1,"name":"\u0078","n":7}` + "\n",
		"HTML escape":       `{"v":1,"name":"\u003c","n":7}` + "\n",
		"invalid UTF-8":     "{\"v\":1,\"name\":\"\xff\",\"n\":7}\n",
		"number as float":   `{"v":1,"name":"x","n":7.0}` + "\n",
		"exponent":          `{"v":1,"name":"x","n":7e0}` + "\n",
		"empty list":        `{"v":1,"name":"x","n":7,"list":[]}` + "\n",
		"null list":         `{"v":1,"name":"x","n":7,"list":null}` + "\n",
		"not JSON":          "{\"v\":1,\n",
		"deep":              `{"v":1,"name":` + strings.Repeat("[", 20000) + "\n",
		"version not first": `{"name":"x","v":1,"n":7}` + "\n",
	} {
		var o object
		if err := DecodeFirst([]byte(line), &o); err == nil {
			t.Errorf("%s: accepted %.60q", why, line)
		} else if errors.Is(err, ErrVersion) {
			t.Errorf("%s: reported as another version: %v", why, err)
		}
	}
}

func TestNewerVersionIsToldFromDamage(t *testing.T) {
	var o object
	err := DecodeFirst([]byte(`{"v":2,"shiny":{"new":1}}`+"\n"), &o)
	if !errors.Is(err, ErrVersion) {
		t.Errorf("got %v, want ErrVersion", err)
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []uint64{0, 1, 1023, MaxNumber} {
		s := Number(n)
		if got, err := ParseNumber(s); err != nil || got != n || len(s) != 10 {
			t.Errorf("%d: %q gives %d, %v", n, s, got, err)
		}
	}
	for _, s := range []string{"", "1", "00000000001", "-000000001", "+000000001", "000000000a", "0x00000001", " 000000001", "0_00000001"} {
		if n, err := ParseNumber(s); err == nil {
			t.Errorf("%q accepted as %d", s, n)
		}
	}
}

func TestNumbered(t *testing.T) {
	sum := [32]byte{0xab, 31: 1}
	s := Numbered(12, sum)
	if n, got, err := ParseNumbered(s); err != nil || n != 12 || got != sum {
		t.Errorf("%q gives %d %x, %v", s, n, got, err)
	}
	for _, bad := range []string{"", s[1:], s + "0", strings.ToUpper(s), strings.Replace(s, "-", "_", 1), s[:20]} {
		if _, _, err := ParseNumbered(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, s := range []string{"coffer.json", "trust/1-2", "a/b_c/d.e"} {
		if err := CheckName(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "/a", "a/", "a//b", "a/../b", ".", "A", "a b", "ü", strings.Repeat("a", 513)} {
		if CheckName(s) == nil {
			t.Errorf("%q accepted", s)
		}
	}
}

func FuzzNumbered(f *testing.F) {
	f.Add(Numbered(7, [32]byte{1}))
	f.Add("0000000001-00")
	f.Fuzz(func(t *testing.T, s string) {
		if n, sum, err := ParseNumbered(s); err == nil && Numbered(n, sum) != s {
			t.Errorf("%q was accepted and is written %q", s, Numbered(n, sum))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"name":"x","n":7,"list":["a"]}` + "\n"))
	f.Add([]byte(`{"v":2}` + "\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		var o object
		if DecodeFirst(line, &o) != nil {
			return
		}
		if b, err := Encode(o); err != nil || string(b) != string(line) {
			t.Errorf("%q was accepted and is written %q, %v", line, b, err)
		}
	})
}
