package main

import (
	"errors"
	"io/fs"
	"os"

	"coffer/remote"
)

// examineSystem finds out whether macOS lets this program at all files. What it
// keeps back it keeps from reading only, with an error like that of any other
// file that may not be read. The list of such grants is itself kept back.
func examineSystem() []remote.Finding {
	const check = "full-disk-access"
	f, err := os.Open("/Library/Application Support/com.apple.TCC/TCC.db")
	if err == nil {
		f.Close()
		return []remote.Finding{fine(check, "granted")}
	}
	if !errors.Is(err, fs.ErrPermission) {
		return []remote.Finding{{Check: check, Grade: remote.Weak, Found: "could not be found out: " + err.Error()}}
	}
	return []remote.Finding{{Check: check, Grade: remote.Weak, Found: "not granted to the program that runs this",
		Means: "files in Mail, Messages, Safari, Photos, and perhaps Desktop and Documents are told as unreadable, and are not in the backup",
		Do:    "grant it in System Settings, Privacy & Security, Full Disk Access, to coffer and to the terminal"}}
}
