package pack

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// random returns n bytes that are the same in each run.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

// source returns the files of the standard library below SolidLimit, in the
// order of a walk, up to limit bytes.
func source(tb testing.TB, limit int) (files [][]byte) {
	tb.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(runtime.GOROOT(), "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && len(b) > 0 && len(b) < SolidLimit {
			files = append(files, b)
			n += len(b)
		}
		if n > limit {
			return fs.SkipAll
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// together joins files into the contents of shared frames.
func together(files [][]byte, size int) (frames [][]byte) {
	var open []byte
	for i, f := range files {
		if open = append(open, f...); len(open) >= size || i == len(files)-1 {
			frames = append(frames, open)
			open = nil
		}
	}
	return frames
}

// binary returns the go tool in pieces as long as the chunks of a large file.
func program(tb testing.TB) [][]byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(runtime.GOROOT(), "bin", "go"))
	if err != nil {
		tb.Fatal(err)
	}
	var frames [][]byte
	for len(b) > 0 {
		n := min(len(b), 800<<10)
		frames = append(frames, b[:n])
		b = b[n:]
	}
	return frames
}

// BenchmarkCodec gives the numbers of the table at newEncoder.
func BenchmarkCodec(b *testing.B) {
	files := source(b, 24<<20)
	corpora := map[string][][]byte{
		"source-alone": files,
		"source-256K":  together(files, 256<<10),
		"source-1M":    together(files, SolidFrame),
		"source-2M":    together(files, 2<<20),
		"program":      program(b),
		"random":       {random(1, 1<<20), random(2, 1<<20)},
	}
	for name, frames := range corpora {
		for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
			for _, w := range []int{1 << 20, 2 << 20, 4 << 20} {
				if w != window && name != "source-1M" {
					continue
				}
				b.Run(fmt.Sprintf("%s/%v/%dM", name, level, w>>20), func(b *testing.B) {
					z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
						zstd.WithWindowSize(w), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
					if err != nil {
						b.Fatal(err)
					}
					var out []byte
					plain, packed := 0, 0
					for b.Loop() {
						plain, packed = 0, 0
						for _, f := range frames {
							out = z.EncodeAll(f, out[:0])
							plain += len(f)
							packed += len(out)
						}
					}
					b.SetBytes(int64(plain))
					b.ReportMetric(float64(packed)/float64(plain), "ratio")
				})
			}
		}
	}
}
