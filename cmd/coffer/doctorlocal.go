package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"coffer/remote"
)

// examine looks at what is on this machine.
func (d *door) examine(ctx context.Context, ch chosen) []remote.Finding {
	out := []remote.Finding{d.examineConfig()}
	if f := ch.vault.CredentialsFile; f != "" {
		out = append(out, examineSecret("credentials", f))
	}
	if ch.dir != nil {
		out = append(out, examineState(ch.dir.Path()), examineKit(ch))
	}
	out = append(out, examineAge(ctx), examineTools())
	return append(out, examineSystem()...)
}

func fine(check, found string) remote.Finding {
	return remote.Finding{Check: check, Grade: remote.OK, Found: found}
}

// examineConfig tells where the config is, which was read without a complaint.
func (d *door) examineConfig() remote.Finding {
	path, err := d.configPath()
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return fine("config", "none; the defaults hold")
	}
	return fine("config", path+" is right")
}

// examineSecret wants a file that nobody but its owner can read.
func examineSecret(check, path string) remote.Finding {
	info, err := os.Stat(path)
	if err != nil {
		return remote.Finding{Check: check, Grade: remote.Bad, Found: err.Error()}
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return remote.Finding{Check: check, Grade: remote.Bad, Found: fmt.Sprintf("%s has mode %04o", path, perm),
			Means: "others on this machine can read the credentials", Do: "chmod 600 " + path}
	}
	return fine(check, path+" is readable for its owner only")
}

// examineState wants the local state closed to others, every file of it.
func examineState(dir string) remote.Finding {
	const check = "state"
	var open []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // a run beside us replaced it
			return nil
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			open = append(open, path)
		}
		return err
	})
	switch {
	case err != nil:
		return remote.Finding{Check: check, Grade: remote.Bad, Found: err.Error(), Means: "a run could not go on from the last one"}
	case len(open) > 0:
		return remote.Finding{Check: check, Grade: remote.Bad, Found: fmt.Sprintf("others can look into %s, %s", open[0], plural(len(open), "place")+" in all"),
			Means: "who reads it can sign as this machine, and sees the names of the last run's files", Do: "chmod -R go= " + dir}
	}
	return fine(check, dir+" is closed to others")
}

// examineKit tells whether the key is still here.
func examineKit(ch chosen) remote.Finding {
	const check = "kit"
	if ch.dev.KitPath == "" {
		return fine(check, "not on this machine")
	}
	if _, err := os.Lstat(string(ch.dev.KitPath)); err != nil {
		return fine(check, "not on this machine any more")
	}
	return remote.Finding{Check: check, Grade: remote.Weak, Found: "still on this machine: " + string(ch.dev.KitPath),
		Means: "whoever takes this machine can read every backup; and if it breaks, nobody can",
		Do:    "put a copy elsewhere, then:  coffer kit confirm COPY"}
}

// The lowest age that opens what Coffer stores, and the other tools by which a
// restore goes without Coffer.
var (
	ageVersion = regexp.MustCompile(`v?(\d+)\.(\d+)\.\d+`)
	otherTools = []string{"zstd", "jq", "sha256sum", "ssh-keygen"}
)

const forScript = "needed only where a backup is restored without Coffer (docs/recovery.md)"

func examineAge(ctx context.Context) remote.Finding {
	const check = "age"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "age", "--version").Output()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "the age tool is not here", Means: forScript, Do: "install age 1.3.0 or newer there"}
	}
	m := ageVersion.FindStringSubmatch(text)
	if m == nil {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: fmt.Sprintf("age says %q", text), Means: forScript, Do: "make sure that it is age 1.3.0 or newer"}
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < 1 || major == 1 && minor < 3 {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "age " + text + " does not know the keys of a vault", Means: forScript, Do: "install age 1.3.0 or newer there"}
	}
	return fine(check, "age "+text)
}

func examineTools() remote.Finding {
	const check = "tools"
	var missing []string
	for _, tool := range otherTools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "not here: " + strings.Join(missing, " "), Means: forScript}
	}
	return fine(check, strings.Join(otherTools, ", ")+" are here")
}
