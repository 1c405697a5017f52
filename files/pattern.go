package files

import (
	"bytes"
	"strings"
)

// A pattern is one line of gitignore syntax, compiled. Its language is that of
// git, also where git differs from its own manual (see compilePattern), because
// people carry their rules over and a rule that hits more here than there is a
// file lost.
type pattern struct {
	why     string // for the user: where the rule stands and what it says
	negate  bool   // "!": what matches is not excluded
	dirOnly bool   // "/" at the end: matches folders only
	byName  bool   // no other "/": compared with the last component
	suffix  bool   // "*" and then literal only: head is what the name ends with
	head    []byte // literal start
	tail    []token
}

type tokenKind byte

const (
	literal  tokenKind = iota // one byte
	oneOf                     // one byte of a set
	star                      // any run of bytes but '/'
	deepStar                  // any run of bytes
	folders                   // nothing, or any run that ends in '/'
	foldersLoop
	never // a malformed class or a trailing backslash: matches nothing
)

type token struct {
	kind tokenKind
	char byte
	set  *byteSet
}

type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }
func (s *byteSet) addRange(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s.add(byte(c))
	}
}

func special(c byte) bool { return c == '*' || c == '?' || c == '[' || c == '\\' }

// literalLen is how many bytes of s stand for themselves.
func literalLen(s string) int {
	for i := range len(s) {
		if special(s[i]) {
			return i
		}
	}
	return len(s)
}

// compilePattern compiles a line that is neither empty nor a comment. One
// thing git does is not in its manual: the literal start of a pattern that
// holds a slash is compared first and "**" right behind it counts as standing
// at the start, so "/a**" also matches below folders that begin with "a".
func compilePattern(line string) pattern {
	var p pattern
	if strings.HasPrefix(line, "!") {
		p.negate, line = true, line[1:]
	}
	whole := line
	if strings.HasSuffix(line, "/") {
		p.dirOnly, line = true, line[:len(line)-1]
	}
	p.byName = !strings.Contains(line, "/")
	if p.byName && whole != "" && whole[0] == '*' && literalLen(whole[1:]) == len(whole)-1 {
		p.suffix, p.head = true, []byte(strings.TrimPrefix(line, "*"))
		return p
	}
	if !p.byName {
		line = strings.TrimPrefix(line, "/")
	}
	n := literalLen(line)
	p.head = []byte(line[:n])
	p.tail = compileTail(line[n:], !p.byName)
	return p
}

// compileTail translates s; with paths, stars stop at slashes unless doubled.
func compileTail(s string, paths bool) []token {
	var out []token
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '*':
			var t []token
			t, i = compileStars(s, i, paths)
			out = append(out, t...)
		case '?':
			out = append(out, token{kind: oneOf, set: notSlash})
			i++
		case '[':
			set, next, ok := compileClass(s, i+1)
			if !ok {
				return []token{{kind: never}}
			}
			out = append(out, token{kind: oneOf, set: set})
			i = next
		case '\\':
			if i+1 == len(s) {
				return []token{{kind: never}}
			}
			out = append(out, token{kind: literal, char: s[i+1]})
			i += 2
		default:
			out = append(out, token{kind: literal, char: c})
			i++
		}
	}
	return out
}

var notSlash = func() *byteSet {
	var s byteSet
	s.addRange(0, 255)
	s['/'>>6] &^= 1 << ('/' & 63)
	return &s
}()

// compileStars translates the run of stars at s[i] and says where it ends.
func compileStars(s string, i int, paths bool) ([]token, int) {
	end := i
	for end < len(s) && s[end] == '*' {
		end++
	}
	rest := s[end:]
	bounded := (i == 0 || s[i-1] == '/') && (rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`))
	switch {
	case !paths:
		return []token{{kind: star}}, end // a name holds no slash
	case end-i < 2 || !bounded:
		return []token{{kind: star}}, end
	case strings.HasPrefix(rest, "/"):
		return []token{{kind: folders}, {kind: foldersLoop}}, end + 1
	}
	return []token{{kind: deepStar}}, end
}

// compileClass translates a bracket expression that begins behind s[i-1] and
// says where it ends. A class never matches a slash.
func compileClass(s string, i int) (*byteSet, int, bool) {
	c := class{s: s, i: i, prev: -1}
	negated := c.eat('!') || c.eat('^')
	for first := true; first || !c.eat(']'); first = false {
		if !c.item() {
			return nil, 0, false
		}
	}
	if negated {
		for i := range c.set {
			c.set[i] = ^c.set[i]
		}
	}
	c.set['/'>>6] &^= 1 << ('/' & 63)
	return &c.set, c.i, true
}

// A class is a bracket expression that is being read.
type class struct {
	s    string
	i    int // next byte
	set  byteSet
	prev int // the byte a range may begin with, or -1
}

func (c *class) eat(b byte) bool {
	if c.i < len(c.s) && c.s[c.i] == b {
		c.i++
		return true
	}
	return false
}

// item reads one thing in the brackets; false means that it is malformed.
func (c *class) item() bool {
	rest := c.s[c.i:]
	switch {
	case rest == "":
		return false
	case c.prev >= 0 && len(rest) > 1 && rest[0] == '-' && rest[1] != ']':
		c.i++
		hi, ok := c.char()
		if ok {
			c.set.addRange(byte(c.prev), hi)
		}
		c.prev = -1
		return ok
	case strings.HasPrefix(rest, "[:"):
		if n := strings.IndexByte(rest[2:], ']'); n != 0 && (n < 0 || rest[2+n-1] == ':') {
			return n > 0 && c.named(rest[2:2+n-1])
		} // else no ":]" ends it, and it is an ordinary bracket
	}
	b, ok := c.char()
	c.set.add(b)
	c.prev = int(b)
	return ok
}

// char reads one byte, which a backslash may stand before.
func (c *class) char() (byte, bool) {
	c.eat('\\')
	if c.i == len(c.s) {
		return 0, false
	}
	c.i++
	return c.s[c.i-1], true
}

// named adds a class such as [:digit:].
func (c *class) named(name string) bool {
	in, ok := namedClasses[name]
	if !ok {
		return false
	}
	for b := range 128 {
		if in(byte(b)) {
			c.set.add(byte(b))
		}
	}
	c.i += len("[:") + len(name) + len(":]")
	c.prev = -1
	return true
}

func between(lo, hi byte) func(byte) bool { return func(c byte) bool { return lo <= c && c <= hi } }

func anyOf(fs ...func(byte) bool) func(byte) bool {
	return func(c byte) bool {
		for _, f := range fs {
			if f(c) {
				return true
			}
		}
		return false
	}
}

var (
	isUpper, isLower, isDigit = between('A', 'Z'), between('a', 'z'), between('0', '9')

	isAlpha = anyOf(isUpper, isLower)
	isAlnum = anyOf(isAlpha, isDigit)
	isGraph = between('!', '~')

	// ASCII only, and white space is git's: no vertical tab, no form feed.
	namedClasses = map[string]func(byte) bool{
		"alnum":  isAlnum,
		"alpha":  isAlpha,
		"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
		"cntrl":  func(c byte) bool { return c < ' ' || c == 127 },
		"digit":  isDigit,
		"graph":  isGraph,
		"lower":  isLower,
		"print":  between(' ', '~'),
		"punct":  func(c byte) bool { return isGraph(c) && !isAlnum(c) },
		"space":  func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' },
		"upper":  isUpper,
		"xdigit": anyOf(isDigit, between('a', 'f'), between('A', 'F')),
	}
)

// match tells whether p matches an entry: path relative to the folder of the
// rule, name its last component.
func (p *pattern) match(path, name []byte, isDir bool, m *matcher) bool {
	if p.dirOnly && !isDir {
		return false
	}
	subject := path
	if p.byName {
		subject = name
	}
	switch {
	case p.suffix:
		return bytes.HasSuffix(subject, p.head)
	case !bytes.HasPrefix(subject, p.head):
		return false
	case len(p.tail) == 0:
		return len(subject) == len(p.head)
	}
	return m.match(p.tail, subject[len(p.head):])
}

// A matcher runs compiled patterns. It follows all ways through the pattern at
// once, so no rule of a hostile ignore file takes more than length of pattern
// times length of path. Not for concurrent use.
type matcher struct {
	now, then []int32 // states: positions in the pattern
	mark      []int   // per state: the step at which it was added
	step      int
}

func (m *matcher) match(toks []token, text []byte) bool {
	for len(m.mark) < len(toks)+1 {
		m.mark = append(m.mark, 0)
	}
	m.step++
	m.then = m.then[:0]
	m.add(toks, 0)
	for _, c := range text {
		m.now, m.then = m.then, m.now[:0]
		if len(m.now) == 0 {
			return false
		}
		m.step++
		for _, s := range m.now {
			m.advance(toks, s, c)
		}
	}
	return m.mark[len(toks)] == m.step
}

// add enters a state and those reached from it without a byte.
func (m *matcher) add(toks []token, s int32) {
	if m.mark[s] == m.step {
		return
	}
	m.mark[s] = m.step
	if int(s) == len(toks) {
		return
	}
	switch toks[s].kind {
	case star, deepStar:
		m.add(toks, s+1)
	case folders:
		m.add(toks, s+1)
		m.add(toks, s+2)
		return // consumes nothing itself
	case never:
		return
	}
	m.then = append(m.then, s)
}

// advance takes state s over byte c.
func (m *matcher) advance(toks []token, s int32, c byte) {
	switch t := &toks[s]; t.kind {
	case literal:
		if t.char == c {
			m.add(toks, s+1)
		}
	case oneOf:
		if t.set.has(c) {
			m.add(toks, s+1)
		}
	case star:
		if c != '/' {
			m.add(toks, s)
		}
	case deepStar:
		m.add(toks, s)
	case foldersLoop:
		m.add(toks, s)
		if c == '/' {
			m.add(toks, s+1)
		}
	}
}
