package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxSize bounds a config file, in bytes, before it is parsed.
const maxSize = 1 << 20

// A Config is a checked file with its defaults filled in: where a project or a
// vault says nothing, it holds what is said for all.
type Config struct {
	DefaultVault string      // of projects that name none; "" only where there is no single obvious one
	Compression  Compression // of what is stored from now on
	DedupMemory  Span        // how long a chunk that no newer snapshot names stays known to deduplication
	Timezone     string      // in which schedules and times of day are meant, as in Europe/Paris; "" is the system's
	Schedule     Schedules   // of projects and vaults that say nothing else
	Keep         Keep        // of projects that say nothing else
	Daemon       Daemon
	Vaults       []Vault   // in the order of the file
	Projects     []Project // in the order of the file
	Notify       []Notify  // in the order of the file
}

// A Vault says where a vault rests and how to get there.
type Vault struct {
	Name    string
	Remote  Remote
	Classic bool // heeded by init only: X25519 instead of a post-quantum identity

	// Of an S3 remote only.
	Region          string // "" leaves it to the environment and the profile
	CAFile          string // PEM file of further certificate authorities, absolute, or ""
	CredentialsFile string // shared credentials file, absolute, or "" for the usual place
	Profile         string // in the credentials file, or ""
	MaintainProfile string // of prune and forget, which need to delete; "" is Profile
	PathStyle       bool   // https://host/bucket/ instead of https://bucket.host/
	ObjectLock      Span   // how long the store must refuse to delete what is uploaded; zero is no lock
	ObjectLockMode  LockMode

	// How much of the line it may take.
	UploadLimit   Rate
	DownloadLimit Rate
	UploadTimes   []RateTime // times of day that have another limit; no two overlap
	DownloadTimes []RateTime
	Connections   int // at one time, from 1 to MaxConnections

	// What is done to it.
	Schedule     Schedules // Verify, Drill and Prune; the others are empty
	VerifyWithin Span      // each byte is read at least this often
	Price        Price     // for the plans that say what something costs
}

// A Project is a set of folders under one policy.
type Project struct {
	Name  string
	Paths []string // absolute and clean, at least one
	Vault string   // the name of one of Config.Vaults
	Tags  []string // kept with each snapshot

	// What is left out.
	Exclude       []string // gitignore patterns, relative to each of Paths; later ones win
	IgnoreFiles   []string // names of files in the tree that hold such patterns for their folder; never nil
	OneFileSystem bool     // stay on the file system that each path is on
	CacheDirs     bool     // keep what stands beside a CACHEDIR.TAG, which is else left out

	// When it is backed up, and what is kept.
	Schedule   Schedules // Backup and Forget; the others are empty. No Forget where Keep is zero.
	Conditions Conditions
	Keep       Keep

	// What the daemon and backup run before and after a run of the project.
	RunBefore   Hook
	RunAfter    Hook          // after a run that was ok or partial
	RunFailed   Hook          // after one that failed
	RunFinally  Hook          // after any
	HookTimeout time.Duration // of hooks that name none
}

// Compression trades the processor's time for space.
type Compression string

const (
	CompressAdaptive Compression = "adaptive" // by what the uploads leave time for
	CompressFastest  Compression = "fastest"
	CompressDefault  Compression = "default"
	CompressBetter   Compression = "better"
)

// A LockMode says whether someone with special rights may lift an object lock
// before its time.
type LockMode string

const (
	LockGovernance LockMode = "governance"
	LockCompliance LockMode = "compliance" // nobody, not even the owner of the bucket
)

// MaxConnections bounds Vault.Connections: each holds a pack in memory.
const MaxConnections = 64

// Default returns the config that holds when there is no file.
func Default() *Config {
	return &Config{
		Compression: CompressAdaptive,
		DedupMemory: Span{Days: 30},
		Schedule:    Schedules{Backup: "@hourly", Forget: "@daily", Verify: "@daily"},
		Daemon: Daemon{
			RetryFor:   time.Hour,
			LogLevel:   LogInfo,
			Conditions: Conditions{Metered: MeteredRun, Network: NetworkWait},
		},
	}
}

// NewVault returns a vault at r with the defaults filled in.
func NewVault(name string, r Remote) Vault {
	v := Vault{Name: name, Remote: r, PathStyle: r.wantsPathStyle(), Connections: 2, VerifyWithin: Span{Days: 30}}
	Default().lendVault(&v)
	return v
}

// NewProject returns a project of these absolute paths with the defaults
// filled in and no vault yet.
func NewProject(name string, paths ...string) Project {
	p := Project{Name: name, Paths: paths, IgnoreFiles: []string{".cofferignore"}, HookTimeout: 10 * time.Minute}
	Default().lendProject(&p)
	p.Schedule.Forget = "" // it keeps everything
	return p
}

// lendVault gives v what is said for all vaults.
func (c *Config) lendVault(v *Vault) {
	v.Schedule = Schedules{Verify: c.Schedule.Verify, Drill: c.Schedule.Drill, Prune: c.Schedule.Prune}
}

// lendProject gives p what is said for all projects.
func (c *Config) lendProject(p *Project) {
	p.Schedule = Schedules{Backup: c.Schedule.Backup, Forget: c.Schedule.Forget}
	p.Conditions = c.Daemon.Conditions
	p.Keep = c.Keep
	p.Keep.Tags = slices.Clone(c.Keep.Tags)
}

// Load reads the file at path as [Checks.Load] does, and checks no more of
// schedules than their form.
func Load(path string) (*Config, error) { return Checks{}.Load(path) }

// Load reads the file at path. Mistakes in it are an [*Error]; where there is
// no file the error wraps [fs.ErrNotExist].
func (k Checks) Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return k.Parse(data, path)
}

// DefaultPath says where the config file is looked for: $COFFER_CONFIG, else
// coffer/config.toml in $XDG_CONFIG_HOME or in ~/.config. The file need not
// exist.
func DefaultPath() (string, error) {
	if p := os.Getenv("COFFER_CONFIG"); p != "" {
		return filepath.Abs(p)
	}
	// The XDG specification wants relative values ignored.
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "coffer", "config.toml"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("find the config file: neither COFFER_CONFIG nor HOME is set")
	}
	return filepath.Join(home, ".config", "coffer", "config.toml"), nil
}

// Vault returns the vault of that name, or the default vault for "".
func (c *Config) Vault(name string) (Vault, error) {
	if name == "" {
		name = c.DefaultVault
	}
	for _, v := range c.Vaults {
		if v.Name == name {
			return v, nil
		}
	}
	if name == "" {
		return Vault{}, c.noDefault()
	}
	return Vault{}, wrong(didYouMean(name, c.vaultNames()), "no vault is named %q", name)
}

// noDefault says why there is no default vault, and what to do.
func (c *Config) noDefault() error {
	if len(c.Vaults) == 0 {
		return wrong(`add a [vault.NAME] with a remote`, "no vault is defined")
	}
	return wrong(fmt.Sprintf("name one of %s, or set default-vault", quoted(c.vaultNames())), "there is more than one vault")
}

// Project returns the project of that name.
func (c *Config) Project(name string) (Project, error) {
	for _, p := range c.Projects {
		if p.Name == name {
			return p, nil
		}
	}
	return Project{}, wrong(didYouMean(name, c.projectNames()), "no project is named %q", name)
}

func (c *Config) projectNames() []string {
	names := make([]string, 0, len(c.Projects))
	for _, p := range c.Projects {
		names = append(names, p.Name)
	}
	return names
}

func (c *Config) vaultNames() []string {
	names := make([]string, 0, len(c.Vaults))
	for _, v := range c.Vaults {
		names = append(names, v.Name)
	}
	return names
}
