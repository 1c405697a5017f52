package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// A part is a kind of files; at scale 1 all of them are 145,000 files and 3.1 GB.
type part struct {
	name string
	make func(*corpus, string) error
}

func parts() []part {
	return []part{
		{"trees", (*corpus).trees},
		{"tiny", (*corpus).tiny},
		{"media", (*corpus).media},
		{"dumps", (*corpus).dumps},
		{"disk", (*corpus).disk},
	}
}

func partNames() (names []string) {
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// A corpus makes files that depend on nothing but seed and scale.
type corpus struct {
	seed  uint64
	scale float64
	rnd   *rand.Rand
	words *words
}

// makeCorpus makes the named parts below root.
func makeCorpus(root string, names []string, seed uint64, scale float64) error {
	for i, p := range parts() {
		if !slices.Contains(names, p.name) {
			continue
		}
		c := &corpus{seed: seed, scale: scale, rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
		c.words = newWords(rand.New(rand.NewPCG(seed, uint64(i)+100)))
		if err := p.make(c, filepath.Join(root, p.name)); err != nil {
			return fmt.Errorf("make %s: %w", p.name, err)
		}
	}
	return nil
}

func (c *corpus) count(n float64) int { return max(1, int(n*c.scale)) }

// write makes a file and the folders it lies in.
func write(path string, data []byte) error {
	err := os.WriteFile(path, data, 0o644)
	if os.IsNotExist(err) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		err = os.WriteFile(path, data, 0o644)
	}
	return err
}

// trees makes projects of some 600 source files, 16 KB each on average, most
// much smaller and a few large, as such trees have; a few files in a hundred are in
// several projects.
func (c *corpus) trees(root string) error {
	var buf, shared []byte
	for n := range c.count(125000) {
		if n%600 == 0 {
			c.words.project()
		}
		size := int(math.Exp(math.Log(4600) + 1.55*c.rnd.NormFloat64()))
		buf = c.words.source(buf[:0], min(max(size, 40), 4<<20))
		if n%25 == 0 {
			shared = append(shared[:0], buf...)
		}
		data := buf
		if n%25 == 12 && n >= 600 {
			data = shared
		}
		path := filepath.Join(root, fmt.Sprintf("project%03d", n/600), fmt.Sprintf("pkg%02d", n%600/40), fmt.Sprintf("dir%d", n%40/10), fmt.Sprintf("file%03d.src", n%600))
		if err := write(path, data); err != nil {
			return err
		}
	}
	return nil
}

// tiny makes files of a few bytes to 1 KB, as caches and mailboxes have.
func (c *corpus) tiny(root string) error {
	var buf []byte
	for n := range c.count(20000) {
		buf = c.words.source(buf[:0], 16+c.rnd.IntN(1000))
		path := filepath.Join(root, fmt.Sprintf("%02x", n%256), fmt.Sprintf("%06d", n))
		if err := write(path, buf); err != nil {
			return err
		}
	}
	return nil
}

// media makes large files that do not compress.
func (c *corpus) media(root string) error {
	left := int64(650e6 * c.scale)
	for n := 0; left > 0; n++ {
		size := min(left, 1<<20+c.rnd.Int64N(60<<20))
		left -= size
		if err := write(filepath.Join(root, fmt.Sprintf("film%03d.mp4", n)), c.noise(int(size))); err != nil {
			return err
		}
	}
	return nil
}

func (c *corpus) noise(n int) []byte {
	var key [32]byte
	for i := range key {
		key[i] = byte(c.rnd.Uint32())
	}
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// dumps makes large files that compress well, as databases dump themselves.
func (c *corpus) dumps(root string) error {
	for n := range 3 {
		size := int(60e6 * c.scale)
		data := c.words.rows(make([]byte, 0, size+1<<10), size)
		if err := write(filepath.Join(root, fmt.Sprintf("dump%d.sql", n)), data); err != nil {
			return err
		}
	}
	return nil
}

// disk makes the image of a disk, half of it holes, with text, noise and zeros.
func (c *corpus) disk(root string) (err error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(root, "disk.img"))
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	size := int64(300e6*c.scale) &^ 4095
	if err := f.Truncate(size); err != nil {
		return err
	}
	const stretch = 256 << 10
	var buf []byte
	for at := int64(0); at+stretch <= size; at += stretch {
		switch c.rnd.IntN(6) {
		case 0, 1:
			buf = c.words.source(buf[:0], stretch)
		case 2:
			buf = append(buf[:0], c.noise(stretch)...)
		default:
			continue
		}
		if _, err := f.WriteAt(buf, at); err != nil {
			return err
		}
	}
	return nil
}
