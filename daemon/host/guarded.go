package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// FullDiskAccess tells people what to do about [Guarded] folders. Its one verb
// is the path of the program.
const FullDiskAccess = `macOS keeps some folders, such as Documents, Desktop, Downloads, iCloud Drive and
external disks, from programs that were not allowed to read them. A backup
started in Terminal has Terminal's permission; the daemon needs its own:
  1. open System Settings, Privacy & Security, Full Disk Access
  2. press +, then Cmd-Shift-G, and choose  %s
  3. switch it on, and start the daemon again:  coffer service install
The permission belongs to that one file: after an update, look here again.`

// guardedHomes are what macOS guards in a home folder, and what lies outside.
var guardedHomes = []string{"Desktop", "Documents", "Downloads", "Library/Mobile Documents", "Library/CloudStorage",
	"Library/Mail", "Library/Messages", "Library/Safari"}

// Guarded returns those of the folders, or of the guarded folders in them,
// which macOS keeps from this process. It answers for this process only: a
// daemon and a terminal differ. Elsewhere it returns none.
func Guarded(folders []string) []string {
	if runtime.GOOS != "darwin" {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // what is asked for is looked at all the same
	}
	return guarded(folders, home, canList)
}

// guarded is [Guarded] with another way to list a folder.
func guarded(folders []string, home string, list func(string) error) []string {
	var kept []string
	for _, folder := range folders {
		probes := []string{folder}
		for _, g := range guardedHomes {
			if place := filepath.Join(home, g); home != "" && strings.HasPrefix(place, strings.TrimSuffix(folder, "/")+"/") {
				probes = append(probes, place)
			}
		}
		for _, p := range probes {
			// Ordinary permissions give EACCES; this is how a guard says no.
			if errors.Is(list(p), syscall.EPERM) {
				kept = append(kept, p)
			}
		}
	}
	return kept
}

func canList(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return err
}
