package drill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/files"
	"coffer/vault"
	"coffer/vault/commit"
	"coffer/vault/restore"
	"coffer/vault/state"
)

// A Level says how much a drill could try.
type Level string

const (
	Restored Level = "restored" // files were restored and read back
	Objects  Level = "objects"  // only the bytes of objects were compared with their names
)

// A Report tells what a drill did and found. It is what the device signs.
type Report struct {
	Version int       `json:"v"`
	Type    string    `json:"type"` // "drill"
	Vault   string    `json:"vault"`
	Device  string    `json:"device,omitempty"` // that did it
	Trust   uint64    `json:"trust"`
	Commit  string    `json:"commit"` // base name of the snapshot's
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`

	Snapshot struct {
		ID      string    `json:"id"`
		Project string    `json:"project"`
		Label   string    `json:"label,omitempty"`
		Taken   time.Time `json:"taken"`
		Files   int64     `json:"files"` // regular ones; 0 without the identity
		Bytes   int64     `json:"bytes"`
	} `json:"snapshot"`

	Level  Level         `json:"level"`
	Result commit.Result `json:"result"`
	Says   string        `json:"says"` // the result in words

	All      bool  `json:"all"`
	Files    int64 `json:"files"` // restored
	Bytes    int64 `json:"bytes"`
	Verified int64 `json:"verified"` // of them, read back and found as the manifest says
	Source   struct {
		Same      int64 `json:"same"`      // equal to the file on the disk
		Changed   int64 `json:"changed"`   // which has changed since, or cannot be read
		Gone      int64 `json:"gone"`      // which is not there any more
		Different int64 `json:"different"` // which has the same size and time, and other bytes
	} `json:"source"`
	Damaged int64 `json:"damaged"` // files that the vault could not give
	Failed  int64 `json:"failed"`  // files that this machine could not write or read back
	Unsaved int64 `json:"unsaved"` // files that the snapshot does not hold

	Packs     int64 `json:"packs"` // needed for that, and their bytes
	PackBytes int64 `json:"pack_bytes"`
	Bad       int64 `json:"bad"` // objects
	Missing   int64 `json:"missing"`

	FirstByte float64  `json:"first_byte_seconds,omitempty"` // from opening the snapshot
	Seconds   float64  `json:"seconds"`                      // in all
	Rate      int64    `json:"bytes_per_second,omitempty"`   // restored and read back
	Losses    []string `json:"losses,omitempty"`             // kinds of metadata that could not be restored here

	Path        string `json:"-"` // of the report that was kept, or ""
	NotRecorded error  `json:"-"` // why it was not committed; nil if it was, or was not to be

	own       bool    // the snapshot is of this machine
	restoring float64 // seconds
}

func (r *Report) begin(v *vault.Vault, o *Options) {
	s := o.Snapshot
	r.Version, r.Type, r.Vault, r.Device, r.Trust = 1, "drill", string(v.ID()), string(v.Device()), v.Trust().N
	r.Commit, r.All, r.Began = s.Name.Base(), o.All, now()
	r.Snapshot.ID, r.Snapshot.Project, r.Snapshot.Label, r.Snapshot.Taken = s.ID(), string(s.Commit.Project), o.Label, s.Time().UTC()
	if r.Level = Objects; v.HasIdentity() {
		r.Level = Restored
	}
	me, ok := v.Trust().Device(v.Device())
	r.own = ok && (s.Name.Device == me.ID || slices.Contains(me.Inherits, s.Name.Device))
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// restored adds what the restore of one root did.
func (r *Report) restored(res *restore.Result, t time.Duration) {
	r.Files += res.Files
	r.Bytes += res.Bytes
	r.Verified += res.Verified
	r.Damaged += res.Damaged.Count
	r.Failed += res.Failed.Count + res.Refused.Count
	r.Unsaved += res.Unsaved.Count
	r.restoring += t.Seconds()
	bad := map[string]bool{}
	for _, p := range res.Damaged.First {
		pe := (*vault.PackError)(nil)
		if errors.As(p.Err, &pe) && bad[pe.Pack.Name()] {
			continue
		}
		if pe != nil {
			bad[pe.Pack.Name()] = true
		}
		if errors.Is(p.Err, fs.ErrNotExist) {
			r.Missing++
		} else {
			r.Bad++
		}
	}
	for _, l := range res.Losses {
		if !errors.Is(l.Err, files.ErrNotAsked) && !slices.Contains(r.Losses, l.Kind) {
			r.Losses = append(r.Losses, l.Kind)
		}
	}
}

// unlisted counts a part of the manifest that could not be read.
func (r *Report) unlisted(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		r.Missing++
	} else {
		r.Bad++
	}
}

// conclude comes to a result.
func (r *Report) conclude() {
	r.Ended = now()
	if r.restoring > 0 {
		r.Rate = int64(float64(r.Bytes) / r.restoring)
	}
	r.Result, r.Says = r.judge()
}

func (r *Report) judge() (commit.Result, string) {
	bad := count(r.Bad+r.Missing, "object")
	switch {
	case r.Bad+r.Missing > 0 && r.Level == Restored:
		return commit.Damaged, fmt.Sprintf("not proven: %s of the vault bad or missing, and %s could not be restored for that", bad, count(r.Damaged, "file"))
	case r.Bad+r.Missing > 0:
		return commit.Damaged, fmt.Sprintf("harmed: %s of the snapshot bad or missing", bad)
	case r.Source.Different > 0:
		return commit.Incomplete, fmt.Sprintf("not proven: of %s the restored content differs from the one on the disk, though that seems not to have changed", count(r.Source.Different, "file"))
	case r.Failed > 0:
		return commit.Incomplete, fmt.Sprintf("not proven: %s could not be written here", count(r.Failed, "file"))
	case r.Verified < r.Files || r.Level == Restored && r.Files == 0 && r.Snapshot.Files > 0:
		return commit.Incomplete, "not proven: not all that was restored was read back"
	case r.Level == Objects:
		return commit.OK, "less than a proof: this machine holds no key, so nothing was opened; the objects are there, their bytes are those that were stored, and they begin as they should"
	case r.All:
		return commit.OK, "proven: every file of the snapshot was restored and is as it was saved"
	}
	return commit.OK, fmt.Sprintf("proven for %d of %s, drawn by chance, with the oldest and the largest: they were restored and are as they were saved", r.Files, count(r.Snapshot.Files, "file"))
}

func count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Text is the report for people, as it is kept beside the other.
func (r *Report) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Drill of snapshot %s, taken %s", r.Snapshot.ID[:8], r.Snapshot.Taken.Format(time.RFC3339))
	line("  vault %s, project %s %q, drilled by device %s", r.Vault, r.Snapshot.Project, r.Snapshot.Label, r.Device)
	line("  from %s to %s", r.Began.Format(time.RFC3339), r.Ended.Format(time.RFC3339))
	line("Result: %s", r.Result)
	line("  %s", r.Says)
	if r.Level == Restored {
		line("Restored: %d files, %d bytes, of %d files, %d bytes", r.Files, r.Bytes, r.Snapshot.Files, r.Snapshot.Bytes)
		line("  %d read back and equal to the manifest", r.Verified)
		if r.own {
			line("  %d equal to the file on the disk, %d changed since, %d gone since, %d different", r.Source.Same, r.Source.Changed, r.Source.Gone, r.Source.Different)
		}
		line("  %d damaged in the vault, %d not written here, %d not in the snapshot", r.Damaged, r.Failed, r.Unsaved)
		line("Speed: first byte after %.2f s, then %d bytes a second", r.FirstByte, r.Rate)
	}
	line("Objects: %d packs, %d bytes; %d bad, %d missing", r.Packs, r.PackBytes, r.Bad, r.Missing)
	if len(r.Losses) > 0 {
		line("Metadata that could not be restored on this machine: %s", strings.Join(r.Losses, ", "))
	}
	return b.String()
}

// A Summary is what a device remembers of its drills.
type Summary struct {
	Last   *Outcome `json:"last,omitempty"`
	Proven *Outcome `json:"proven,omitempty"` // the newest that restored files and found nothing wrong
}

// An Outcome is one of them, in short.
type Outcome struct {
	At       time.Time     `json:"at"`
	Snapshot string        `json:"snapshot"` // ID
	Taken    time.Time     `json:"taken"`
	Files    int64         `json:"files"`
	Bytes    int64         `json:"bytes"`
	All      bool          `json:"all,omitempty"`
	Level    Level         `json:"level"`
	Result   commit.Result `json:"result"`
	Report   state.Text    `json:"report"` // path
}

const summaryFile = "drill.json"

// Last returns what the device remembers of its drills; all of it is nil if
// there was none.
func Last(dir *state.Dir) Summary {
	s, err := state.ReadSmall[Summary](dir, summaryFile)
	if err != nil {
		return Summary{} // the reports and the commits are there
	}
	return *s
}

// folder is where reports are kept, in the local state.
const folder = "drills"

// keep signs the report and writes it: NAME.json, its signature NAME.json.sig,
// and NAME.txt for people; and allowed_signers, for ssh-keygen.
func (r *Report) keep(v *vault.Vault) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(r); err != nil {
		return err
	}
	sig, signer, err := v.SignDrill(b.Bytes())
	if err != nil {
		return err
	}
	dir := filepath.Join(v.State().Path(), folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep report: %w", err)
	}
	r.Path = filepath.Join(dir, r.Began.Format("20060102T150405Z")+"-"+r.Snapshot.ID[:8]+".json")
	text := r.Text() + fmt.Sprintf("\nTo check the signature of the report:\n  ssh-keygen -Y verify -f allowed_signers -I %s -n coffer-drill -s %s.sig < %s\n",
		r.Device, filepath.Base(r.Path), filepath.Base(r.Path))
	for _, f := range []struct {
		path string
		data []byte
	}{
		{r.Path, b.Bytes()}, {r.Path + ".sig", sig}, {strings.TrimSuffix(r.Path, ".json") + ".txt", []byte(text)},
		{filepath.Join(dir, "allowed_signers"), []byte(signer + "\n")},
	} {
		if err := files.WriteAtomic(f.path, f.data, 0o600); err != nil {
			return fmt.Errorf("keep report: %w", err)
		}
	}
	return r.remember(v.State())
}

func (r *Report) remember(dir *state.Dir) error {
	s := Last(dir)
	s.Last = &Outcome{
		At: r.Ended, Snapshot: r.Snapshot.ID, Taken: r.Snapshot.Taken, Files: r.Files, Bytes: r.Bytes, All: r.All,
		Level: r.Level, Result: r.Result, Report: state.Text(r.Path),
	}
	if r.Level == Restored && r.Result == commit.OK {
		s.Proven = s.Last
	}
	return dir.WriteSmall(summaryFile, s)
}
