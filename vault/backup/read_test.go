package backup

import (
	"io"
	"testing"
)

// bits gives what it has in as many reads as it has parts.
type bits struct {
	parts []string
	reads int
}

func (b *bits) Read(p []byte) (int, error) {
	b.reads++
	if len(b.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.parts[0])
	if b.parts[0] = b.parts[0][n:]; b.parts[0] == "" {
		b.parts = b.parts[1:]
	}
	return n, nil
}

// A file is read once where it ends as its size says, and else until it ends.
func TestReadFull(t *testing.T) {
	for _, c := range []struct {
		why   string
		parts []string
		room  int
		size  int64
		want  string
		reads int
	}{
		{"as long as it was", []string{"content"}, 20, 7, "content", 1},
		{"in two reads", []string{"con", "tent"}, 20, 7, "content", 2},
		{"it shrank", []string{"con"}, 20, 7, "con", 2},
		{"it grew", []string{"content and more"}, 20, 7, "content and more", 2},
		{"empty", nil, 20, 0, "", 1},
		{"made up by the kernel, which says 0", []string{"some", "thing"}, 20, 0, "something", 3},
		{"no more room", []string{"content"}, 7, 7, "content", 1},
		{"more than there is room for", []string{"content"}, 4, 7, "cont", 1},
	} {
		in, buf := &bits{parts: c.parts}, make([]byte, c.room)
		n, err := readFull(in, buf, c.size)
		if string(buf[:n]) != c.want || err != nil || in.reads != c.reads {
			t.Errorf("%s: %q in %d reads, %v", c.why, buf[:n], in.reads, err)
		}
	}
}
