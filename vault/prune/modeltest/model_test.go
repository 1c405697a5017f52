package modeltest

import (
	"errors"
	"testing"
	"time"
)

func sound() Rules  { return Rules{E: 1, F: 1, G: 4, C: 1, D: 1, Final: 3} }
func folder() Rules { return Rules{E: 0, F: 1, G: 2, C: 1, D: 0, Final: 1, Folder: true} }

func TestX(t *testing.T) {
	for _, b := range [][4]int{{2, 1, 1, 1}, {1, 2, 1, 1}, {2, 2, 1, 0}, {2, 2, 1, 2}, {2, 2, 1, 1}} {
		r := sound()
		r.D, r.Final = 0, 2
		if b[3] == 0 {
			r.E = 0
			r.G = 2
			r.Final = 1
		}
		if b[3] == 2 {
			r = folder()
		}
		r.Runs, r.Prunes, r.Forgets = b[0], b[1], b[2]
		t0 := time.Now()
		res, err := r.Explore(22_000_000)
		if err != nil && !errors.Is(err, ErrBound) {
			t.Fatal(err)
		}
		t.Logf("%v %v %v: %d states depth %d in %v\n%s %v", b, r.Folder, err, res.States, res.Depth, time.Since(t0), res.Text(), res.Steps)
	}
}
