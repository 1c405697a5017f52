package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"coffer/remote"
)

var _ remote.Prober = (*Store)(nil)

// Less free space than this is worth a word, in bytes.
const littleSpace = 2 << 30

// Probe looks at the folder, the disk it is on, and what a file system may or
// may not do. See [remote.Prober].
func (s *Store) Probe(ctx context.Context, canary remote.Object, o remote.ProbeOptions) []remote.Finding {
	return []remote.Finding{
		s.probeMode(), s.probeDisk(o.Home), s.probeSpace(), s.probeSync(), s.probeRename(ctx), s.probeDelete(ctx, canary),
	}
}

func ok(check, found string) remote.Finding {
	return remote.Finding{Check: check, Grade: remote.OK, Found: found}
}

// unknown is the finding that something could not be found out.
func unknown(check string, err error) remote.Finding {
	return remote.Finding{Check: check, Grade: remote.Weak, Found: "could not be found out: " + err.Error()}
}

func (s *Store) probeMode() remote.Finding {
	const check = "permissions"
	info, err := os.Stat(s.root)
	if err != nil {
		return unknown(check, err)
	}
	found := fmt.Sprintf("the folder has mode %04o", info.Mode().Perm())
	switch perm := info.Mode().Perm(); {
	case perm&0o022 != 0:
		return remote.Finding{Check: check, Grade: remote.Bad, Found: found, Means: "others on this machine can delete or replace every backup",
			Do: "chmod 700 " + s.root}
	case perm&0o055 != 0:
		return remote.Finding{Check: check, Grade: remote.OK, Found: found + "; what is in it is for its owner only"}
	}
	return ok(check, found)
}

func (s *Store) probeDisk(home string) remote.Finding {
	const check = "disk"
	if home == "" {
		return ok(check, "not compared with any other")
	}
	here, err1 := device(s.root)
	there, err2 := device(home)
	if err := errors.Join(err1, err2); err != nil {
		return unknown(check, err)
	}
	if here == there {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "the folder is on the same disk as " + home,
			Means: "when this disk dies or is taken, the files and their backups go together", Do: "keep the vault, or a second one, on another disk or on S3"}
	}
	return ok(check, "another than that of "+home)
}

func device(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return uint64(st.Dev), nil
}

func (s *Store) probeSpace() remote.Finding {
	const check = "space"
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.root, &st); err != nil {
		return unknown(check, err)
	}
	free := st.Bavail * uint64(st.Bsize)
	found := fmt.Sprintf("%.1f GiB free", float64(free)/(1<<30))
	if free < littleSpace {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: found, Means: "backups will soon fail; what is stored stays", Do: "free some space, or prune"}
	}
	return ok(check, found)
}

// probeSync finds out whether folders can be synced: without it a rename may be
// lost in a power cut though it was acknowledged.
func (s *Store) probeSync() remote.Finding {
	const check = "durability"
	f, err := os.Open(s.root)
	if err != nil {
		return unknown(check, err)
	}
	defer f.Close()
	switch err := f.Sync(); {
	case err == nil:
		return ok(check, "files and folders can be synced")
	case unsupported(err):
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "this file system cannot sync folders",
			Means: "what was stored seconds before a power cut may be gone after it; the next run notices", Do: ""}
	default:
		return remote.Finding{Check: check, Grade: remote.Bad, Found: "syncing failed: " + err.Error(), Means: "the disk does not store what it is given", Do: "check the disk"}
	}
}

// probeRename tries what publishing is made of: one rename, which gives a
// written file its name, whole, and nothing else.
func (s *Store) probeRename(ctx context.Context) remote.Finding {
	const check = "rename"
	o := remote.NewObject(remote.Canary+"rename", []byte("renamed\n"))
	st, err := s.Stage(ctx, o, remote.StagedMax)
	if err != nil {
		return unknown(check, err)
	}
	pending := st.(*staged).pending
	if err := st.Publish(ctx); err != nil {
		return unknown(check, err)
	}
	err = s.in("look at", pending, func(root *os.Root) error { _, err := root.Lstat(pending); return err })
	if !errors.Is(err, fs.ErrNotExist) {
		return remote.Finding{Check: check, Grade: remote.Bad, Found: "a file that was renamed is still there under its old name",
			Means: "a prune cannot stop a late commit", Do: "use another file system"}
	}
	return ok(check, "a written file gets its name at once and whole")
}

func (s *Store) probeDelete(ctx context.Context, canary remote.Object) remote.Finding {
	const check = "delete"
	switch err := s.Delete(ctx, canary.Name); {
	case errors.Is(err, fs.ErrPermission):
		return ok(check, "refused")
	case err != nil:
		return unknown(check, err)
	}
	return remote.Finding{Check: check, Grade: remote.Weak, Found: "allowed: in a folder, who may write may delete",
		Means: "whatever runs as this user can destroy every backup", Do: "keep a second vault where this machine may not delete: on S3, or on a disk that is unplugged"}
}
