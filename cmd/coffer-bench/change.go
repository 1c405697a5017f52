package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// large is from what size on a file gets an insert rather than a change.
const large = 8 << 20

// changeSome changes every hundredth of the smaller files: half of the times in
// its middle, else it adds a line.
func changeSome(root string, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 11))
	offset, n := rnd.IntN(100), 0
	return eachFile(root, func(path string, size int64) error {
		n++
		if size >= large || n%100 != offset {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		extra := fmt.Appendf(nil, "changed %d\n", rnd.Uint64())
		if rnd.IntN(2) == 0 && len(data) > len(extra) {
			copy(data[len(data)/2:], extra)
		} else {
			data = append(data, extra...)
		}
		return os.WriteFile(path, data, 0o644)
	})
}

// insertSome puts a few bytes into the first third of each large file.
func insertSome(root string, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 12))
	return eachFile(root, func(path string, size int64) error {
		if size < large || filepath.Ext(path) == ".img" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		at := rnd.IntN(len(data) / 3)
		return os.WriteFile(path, slices.Insert(data, at, fmt.Appendf(nil, "inserted %d\n", rnd.Uint64())...), 0o644)
	})
}

// eachFile calls do for the regular files below root, in order.
func eachFile(root string, do func(path string, size int64) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return do(path, info.Size())
	})
}
