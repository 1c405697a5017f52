package chunk

import (
	"fmt"
	"math/bits"
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
	case !p.irreducible():
		return fmt.Errorf("chunker polynomial: not irreducible")
	}
	return nil
}

// irreducible is Rabin's test. The degree is a prime, so it is enough that p
// has no root and that x to the power of 2^53 is x again. It takes microseconds;
// the trust is checked often.
func (p Polynomial) irreducible() bool {
	if p&1 == 0 || bits.OnesCount64(uint64(p))%2 == 0 {
		return false // 0 or 1 is a root
	}
	const x = 2
	power := uint64(x)
	for range degree {
		power = p.square(power)
	}
	return power == x
}

// square returns a*a modulo p.
func (p Polynomial) square(a uint64) (product uint64) {
	for rest := a; rest != 0; rest >>= 1 {
		if rest&1 == 1 {
			product ^= a
		}
		if a <<= 1; a>>degree == 1 {
			a ^= uint64(p)
		}
	}
	return product
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
