package chunk

import (
	"fmt"
	"strconv"

	"github.com/restic/chunker"
)

// A Polynomial says where streams are cut. It is irreducible over GF(2), of
// degree 53, and secret: who knows it can tell a file by the lengths of its
// chunks. A vault has one, made when the vault is made.
type Polynomial uint64

const degree = 53

// NewPolynomial returns a random polynomial.
func NewPolynomial() (Polynomial, error) {
	p, err := chunker.RandomPolynomial()
	if err != nil {
		return 0, fmt.Errorf("draw chunker polynomial: %w", err)
	}
	return Polynomial(p), nil
}

// Check reports whether p can be used: another than an irreducible one of
// degree 53 would cut badly, or never.
func (p Polynomial) Check() error {
	switch pol := chunker.Pol(p); {
	case pol.Deg() != degree:
		return fmt.Errorf("chunker polynomial: degree %d, want %d", pol.Deg(), degree)
	case !pol.Irreducible():
		return fmt.Errorf("chunker polynomial: not irreducible")
	}
	return nil
}

// Text returns p as 14 lower-case hex digits.
func (p Polynomial) Text() string { return fmt.Sprintf("%014x", uint64(p)) }

// ParsePolynomial reads what [Polynomial.Text] gives and nothing else, and
// checks it.
func ParsePolynomial(s string) (Polynomial, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	p := Polynomial(v)
	if err != nil || p.Text() != s {
		return 0, fmt.Errorf("chunker polynomial: want 14 lower-case hex digits")
	}
	return p, p.Check()
}

// String hides p, see [Key].
func (p Polynomial) String() string { return "(secret)" }

// GoString hides p.
func (p Polynomial) GoString() string { return "chunk.Polynomial(secret)" }
