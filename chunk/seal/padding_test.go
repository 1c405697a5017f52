package seal

import "testing"

func TestPaddedLen(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 1, 2: 2, 8: 8, 9: 10, 1000: 1024, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15, 16<<20 - 1: 16 << 20, 16<<20 + 1: 16<<20 + 512<<10} {
		if got := PaddedLen(n); got != want {
			t.Errorf("PaddedLen(%d) = %d, want %d", n, got, want)
		}
	}
	last := int64(0)
	for n := int64(1); n < 1<<22; n += 1 + n/1000 {
		p := PaddedLen(n)
		if p < n || p < last || PaddedLen(p) != p || p > n+n*12/100+1 {
			t.Fatalf("PaddedLen(%d) = %d", n, p)
		}
		last = p
	}
}

// target must give the least plaintext there is, for every header.
func TestTarget(t *testing.T) {
	for _, head := range []int64{16, 200, 400, 1659, 3302, 13160} {
		// every PADME length and the plaintext that makes it, if there is one
		var lens []int64
		for l := PaddedLen(head + tag + 1); l < 5<<20; l = PaddedLen(l + 1) {
			if p, ok := plainLen(l - head); ok {
				if head+sealedLen(p) != l {
					t.Fatalf("plaintext of %d makes %d with head %d, want %d", p, head+sealedLen(p), head, l)
				}
				lens = append(lens, p)
			}
		}
		for n, i := int64(1), 0; n < 4<<20; n += 1 + n/997 {
			for lens[i] < n {
				i++
			}
			if got := target(head, n); got != lens[i] {
				t.Fatalf("target(%d, %d) = %d, want %d", head, n, got, lens[i])
			}
		}
	}
}
