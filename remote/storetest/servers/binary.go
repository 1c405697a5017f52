package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// script builds the servers and says where they are.
const script = "deploy/testservers"

var (
	binariesMu sync.Mutex
	binaries   = make(map[Kind]string) // guarded by binariesMu
)

// binary returns the path of a server program, building it if need be.
func binary(kind Kind) (string, error) {
	binariesMu.Lock()
	defer binariesMu.Unlock()
	if path, ok := binaries[kind]; ok {
		return path, nil
	}
	top, err := repository()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("bash", filepath.Join(top, script), string(kind))
	cmd.Stderr = os.Stderr // a build that takes minutes should say so
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build %s by %s: %w", kind, script, err)
	}
	_, path, ok := strings.Cut(strings.TrimSpace(string(out)), "\t")
	if !ok {
		return "", fmt.Errorf("build %s by %s: it says %q", kind, script, out)
	}
	binaries[kind] = path
	return path, nil
}

// repository returns the top of the source tree that the test runs in.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, script)); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find " + script + ": the test does not run inside the source tree")
		}
		dir = parent
	}
}
