package chunk

import (
	"math/rand/v2"
	"testing"

	"github.com/restic/chunker"
)

// The test for irreducible polynomials agrees with the splitter's own, which is
// a thousand times slower: on those that are, on those one bit off, on products,
// and on random ones.
func TestIrreducible(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	yes := 0
	check := func(p Polynomial) {
		t.Helper()
		want := chunker.Pol(p).Irreducible()
		if got := p.irreducible(); got != want {
			t.Errorf("%#x: %v, want %v", uint64(p), got, want)
		}
		if want {
			yes++
		}
	}
	for range 20 {
		p, err := NewPolynomial()
		if err != nil {
			t.Fatal(err)
		}
		check(p)
		check(p ^ 2<<rng.IntN(degree-1))
	}
	for range 400 {
		check(Polynomial(1<<degree | rng.Uint64N(1<<degree)))
	}
	for _, d := range []int{1, 2, 3, 25, 26} {
		a := chunker.Pol(1<<d | rng.Uint64N(1<<d))
		b := chunker.Pol(1<<(degree-d) | rng.Uint64N(1<<(degree-d)))
		check(Polynomial(a.Mul(b)))
	}
	if yes < 20 {
		t.Errorf("%d irreducible ones", yes)
	}
}
