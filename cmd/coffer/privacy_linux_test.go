package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/xattr"

	"coffer/remote/storetest/servers"
)

// What must not be found where others can look. The words are such as nothing
// else is called.
const (
	secretHome    = "zqhomezq"
	secretFolder  = "zqfolderzq"
	secretName    = "zqnamezq"
	secretGone    = "zqgonezq"
	secretTarget  = "zqtargetzq"
	secretContent = "zqcontentzq of no one else's business"
	secretXattr   = "zqxattrzq"
	secretUser    = "zquserzq"
	secretTag     = "zqtagzq"
	secretHost    = "zqhostzq"
)

var (
	secretFiles = []string{secretFolder, secretName, secretGone, secretTarget, secretContent, secretXattr}
	secrets     = append([]string{secretHome, secretUser, secretTag, secretHost, "zqprojectzq"}, secretFiles...)
)

// Nobody learns from the bucket, from logs, pings and messages what is backed up
// or by whom; what is kept on the machine is for its user only, whatever the
// umask; it holds no content, and no name of a file that is gone.
func TestPrivacy(t *testing.T) {
	l, r := newLab(t), newListener(t)
	l.home = filepath.Join(l.home, secretHome)
	l.env = append(l.env[1:], "HOME="+l.home, "USER="+secretUser, "LOGNAME="+secretUser, "HOSTNAME="+secretHost)
	l.plant()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	remote := l.bucket(srv)
	config := func(remote string) {
		l.config(fmt.Sprintf("[vault.v]\nremote = %q\n[project.zqprojectzq]\npaths = [\"$HOME/work\", \"/proc/self/mem\"]\ntags = [%q]\nschedule.backup = \"@yearly\"\n", remote, secretTag) +
			fmt.Sprintf("[notify.hook]\nurl = \"generic+%s/message\"\n[notify.ping]\nping = \"%s/ping\"\n", r.URL, r.URL))
	}
	before := syscall.Umask(0) // of this process, and so of all that it starts
	t.Cleanup(func() { syscall.Umask(before) })
	for _, remote := range []string{remote, "$HOME/vault"} {
		config(remote)
		gone := l.path("work/" + secretFolder + "/" + secretGone)
		runs, pings := len(l.runs()), len(r.told("/ping", ""))
		s := l.daemon()
		l.say(t, "backup", "now")
		l.untilRuns(runs + 1)
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
		l.say(t, "backup", "now")
		l.until("the end of a run is told", func() error {
			if got := r.told("/ping", ""); len(got) < pings+2 {
				return fmt.Errorf("told %q", got)
			}
			return nil
		})
		s.end(syscall.SIGTERM, 0)
		l.say(t, "backup", "now")
		lacks(t, "the daemon's log", s.err.Bytes(), secretFiles)
		if err := os.WriteFile(gone, []byte(secretContent+" once more"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lacks(t, "pings and messages", []byte(strings.Join(r.told("/", ""), "\n")), append([]string{secretUser, secretHost, secretHome, secretTag}, secretFiles...))
	looked := l.treeLacks(t, srv.Data, secrets) + l.treeLacks(t, l.path("vault"), secrets)
	looked += l.treeLacks(t, l.path(".local"), []string{secretContent, secretGone, secretUser})
	t.Logf("tried: %d planted words looked for in %d files and names", len(secrets), looked)
	if names, _ := exec.Command("grep", "-rl", secretName, l.path(".local")).Output(); len(names) == 0 {
		t.Error("not even the local state holds the names of the last run: nothing is found where it is")
	}
	if n := l.modes(t, ".local") + l.modes(t, "vault"); n < 50 {
		t.Errorf("only %d files and folders were looked at", n)
	}
}

// plant makes the files to be backed up. One file of the config's paths cannot
// be read, so that the runs have something to tell.
func (l *lab) plant() {
	l.t.Helper()
	dir := "work/" + secretFolder + "/"
	l.write(dir+secretName, secretContent)
	l.write(dir+secretGone, secretContent+" any more")
	l.write(dir+"large", strings.Repeat(secretContent+"\n", 40_000))
	if err := os.Symlink(secretTarget, l.path(dir+"link")); err != nil {
		l.t.Fatal(err)
	}
	if err := xattr.Set(l.path(dir+secretName), "user."+secretXattr, []byte(secretXattr)); err != nil {
		l.t.Fatal(err)
	}
}

// say runs a backup of which a file could not be read, and holds what it says
// against the words.
func (l *lab) say(t *testing.T, args ...string) {
	t.Helper()
	out, code := l.coffer(args...)
	if code != 3 {
		t.Fatalf("coffer %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	lacks(t, "what the command says", []byte(out), secretFiles)
}

// lacks wants none of the words in a text, in no spelling that comes to mind.
func lacks(t *testing.T, what string, text []byte, words []string) {
	t.Helper()
	low := bytes.ToLower(text)
	for _, w := range words {
		for how, spelled := range map[string]string{
			"as it is": w, "in hex": hex.EncodeToString([]byte(w)), "in base64": strings.ToLower(base64.RawStdEncoding.EncodeToString([]byte(w))[:len(w)]),
			"in UTF-16": strings.Join(strings.Split(w, ""), "\x00"),
		} {
			if at := bytes.Index(low, []byte(spelled)); at >= 0 {
				t.Errorf("%s holds %q %s: %q", what, w, how, text[max(0, at-100):min(len(text), at+200)])
			}
		}
	}
}

// treeLacks wants none of the words in names and bytes of a tree. Where the
// tree itself lies does not count. It returns how many things it looked at.
func (l *lab) treeLacks(t *testing.T, root string, words []string) (n int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n++
		lacks(t, "a name", []byte(strings.TrimPrefix(path, root)), words)
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		lacks(t, path, b, words)
		return err
	})
	if err != nil || n < 10 {
		t.Errorf("looked at %d things in %s: %v", n, root, err)
	}
	return n
}

// modes wants nothing of a tree to be for others, and returns how much is in it.
func (l *lab) modes(t *testing.T, name string) (n int) {
	t.Helper()
	err := filepath.WalkDir(l.path(name), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, fi.Mode())
		}
		n++
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return n
}
