package modeltest

import (
	"errors"
	"testing"
	"time"
)

func sound() Rules { return Rules{E: 1, F: 1, G: 4, C: 1, D: 1, Final: 3} }
func folder() Rules { return Rules{E: 0, F: 1, G: 2, C: 1, D: 0, Final: 1, Folder: true} }

func TestX(t *testing.T) {
	for _, b := range [][3]int{{2, 2, 1}, {3, 1, 1}, {3, 2, 1}, {2, 2, 2}, {2, 3, 1}} {
		for _, r := range []Rules{sound(), folder()} {
			r.Runs, r.Prunes, r.Forgets = b[0], b[1], b[2]
			t0 := time.Now()
			res, err := r.Explore(6_000_000)
			if err != nil && !errors.Is(err, ErrBound) {
				t.Fatal(err)
			}
			t.Logf("%v %v %v: %d states depth %d in %v\n%s %v", b, r.Folder, err, res.States, res.Depth, time.Since(t0), res.Text(), res.Steps)
		}
	}
}
