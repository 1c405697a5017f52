package vault

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"coffer/vault/commit"
)

// Commits of folders that lie behind the newest are not asked for by runs, but
// by all that tells the whole history. They are folded: all of one folder in one
// file of the cache, about a megabyte, instead of a thousand files or a thousand
// requests. As everywhere in the cache, the hash in a commit's name guards its
// bytes.
//
// A fold is a line with base name and length, then the bytes, for each commit.

// foldPrefix begins the names of folds in the cache, before the folder's own.
const foldPrefix = "folds_"

// maxFolds is how many folds are held in memory.
const maxFolds = 8

// folds are those read last.
type folds struct {
	mu   sync.Mutex
	read map[string]map[string][]byte // guarded by mu: by fold, then by base name
}

// foldOf returns in which fold the commit of a cache key lies, and its base name.
func foldOf(key string) (fold, base string, ok bool) {
	n, err := commit.ParseName(strings.ReplaceAll(key, "_", "/"))
	if err != nil {
		return "", "", false
	}
	return foldPrefix + strings.TrimSuffix(cacheName(commit.Folder(n.Device, n.Seq)), "_"), n.Base(), true
}

// folded finds a commit in its fold.
func (v *Vault) folded(key string) ([]byte, bool) {
	fold, base, ok := foldOf(key)
	if !ok {
		return nil, false
	}
	v.folds.mu.Lock()
	defer v.folds.mu.Unlock()
	all, ok := v.folds.read[fold]
	if !ok {
		all = v.readFold(fold)
		if v.folds.read == nil || len(v.folds.read) >= maxFolds {
			v.folds.read = map[string]map[string][]byte{}
		}
		v.folds.read[fold] = all
	}
	b, ok := all[base]
	return b, ok
}

// readFold reads a fold as far as it can be read.
func (v *Vault) readFold(fold string) map[string][]byte {
	all := map[string][]byte{}
	path := v.cachePath(fold)
	if info, err := os.Stat(path); err != nil || info.Size() > maxLedger {
		return all
	}
	rest, err := os.ReadFile(path)
	if err != nil {
		return all
	}
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		base, size, _ := strings.Cut(string(line), " ")
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 || n > len(after) {
			break
		}
		all[base], rest = after[:n:n], after[n:]
	}
	return all
}

// fold puts commits that lie each in a file of its own into their folds, and
// removes the files. At best effort: it is a cache.
func (v *Vault) fold(keys []string) {
	byFold := map[string][]string{}
	for _, key := range keys {
		if fold, _, ok := foldOf(key); ok {
			byFold[fold] = append(byFold[fold], key)
		} else {
			_ = os.Remove(v.cachePath(key))
		}
	}
	for fold, keys := range byFold {
		if v.addToFold(fold, keys) != nil {
			return
		}
		for _, key := range keys {
			_ = os.Remove(v.cachePath(key))
		}
	}
}

func (v *Vault) addToFold(fold string, keys []string) error {
	all := v.readFold(fold)
	for _, key := range keys {
		b, err := os.ReadFile(v.cachePath(key))
		if _, base, ok := foldOf(key); ok && err == nil && len(b) <= maxCommit {
			all[base] = b
		}
	}
	var out bytes.Buffer
	for _, base := range slices.Sorted(maps.Keys(all)) {
		out.WriteString(base + " " + strconv.Itoa(len(all[base])) + "\n")
		out.Write(all[base])
	}
	path := v.cachePath(fold)
	tmp := filepath.Join(filepath.Dir(path), "."+fold+".tmp")
	if err := os.WriteFile(tmp, out.Bytes(), 0o600); err != nil {
		return err
	}
	v.folds.mu.Lock()
	delete(v.folds.read, fold)
	v.folds.mu.Unlock()
	return os.Rename(tmp, path)
}
