package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A place is what one program uses in one round.
type place struct {
	home   string // for config, caches and the like
	source string // what is backed up
	folder string // where to back up to; "" if to S3
	s3     bucket
	target string // where to restore to
	keys   []string
	serial int // of the backup
}

// A bucket is a place in S3, as seen through the counting proxy.
type bucket struct{ host, name, prefix string }

func (b bucket) url() string { return "s3:http://" + b.host + "/" + b.name + "/" + b.prefix }

// A tool is a program to be measured. What it runs has the environment of env
// and the program's path in front.
type tool struct {
	name    string
	version []string
	env     func(place) []string
	create  func(place) []string
	tune    func(place) []string // after create; may be nil
	backup  func(place) []string
	restore func(place) []string
	verify  func(place) []string // reads all that was stored
	// below tells where in the target what was backed up is restored to.
	below func(place) string
}

func tools() []tool { return []tool{coffer(), restic(), kopia(), borg()} }

func toolNames() (names []string) {
	for _, t := range tools() {
		names = append(names, t.name)
	}
	return names
}

// homeEnv has everything that knows the conventions keep to itself.
func homeEnv(p place) []string {
	return append([]string{
		"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + p.home, "LANG=C.UTF-8",
		"XDG_CONFIG_HOME=" + p.home + "/config", "XDG_DATA_HOME=" + p.home + "/data",
		"XDG_STATE_HOME=" + p.home + "/state", "XDG_CACHE_HOME=" + p.home + "/cache",
	}, p.keys...)
}

func (p place) remote() string {
	if p.folder != "" {
		return p.folder
	}
	return p.s3.url()
}

const passphrase = "a passphrase for measurements"

func coffer() tool {
	remote := func(p place, args ...string) []string { return append(args, "--quiet", "--remote", p.remote()) }
	return tool{
		name: "coffer", version: []string{"version"}, env: homeEnv,
		create: func(p place) []string { return []string{"init", "--quiet", p.remote()} },
		backup: func(p place) []string {
			return []string{"backup", "now", "--quiet", "--here", "--to", p.remote(), p.source}
		},
		restore: func(p place) []string {
			kits, _ := filepath.Glob(p.home + "/data/coffer/coffer-kit-*.txt")
			return remote(p, "restore", "latest", "--target", p.target, "--kit", strings.Join(kits, ""))
		},
		verify: func(p place) []string { return remote(p, "verify", "--read-data") },
		below:  func(p place) string { return p.target },
	}
}

func restic() tool {
	return tool{
		name: "restic", version: []string{"version"},
		env: func(p place) []string {
			return append(homeEnv(p), "RESTIC_PASSWORD="+passphrase, "RESTIC_REPOSITORY="+p.remote())
		},
		create:  func(place) []string { return []string{"init", "--quiet"} },
		backup:  func(p place) []string { return []string{"backup", "--quiet", p.source} },
		restore: func(p place) []string { return []string{"restore", "latest", "--quiet", "--target", p.target} },
		verify:  func(place) []string { return []string{"check", "--quiet", "--read-data"} },
		below:   func(p place) string { return filepath.Join(p.target, p.source) },
	}
}

func kopia() tool {
	return tool{
		name: "kopia", version: []string{"--version"},
		env: func(p place) []string {
			return append(homeEnv(p), "KOPIA_PASSWORD="+passphrase, "KOPIA_CHECK_FOR_UPDATES=false",
				"KOPIA_CONFIG_PATH="+p.home+"/kopia.config", "KOPIA_LOG_DIR="+p.home+"/log", "KOPIA_CACHE_DIRECTORY="+p.home+"/cache")
		},
		create: func(p place) []string {
			if p.folder != "" {
				return []string{"repository", "create", "filesystem", "--path", p.folder}
			}
			return []string{"repository", "create", "s3", "--disable-tls", "--endpoint", p.s3.host, "--bucket", p.s3.name, "--prefix", p.s3.prefix + "/"}
		},
		tune:   func(place) []string { return []string{"policy", "set", "--global", "--compression=zstd-fastest"} },
		backup: func(p place) []string { return []string{"snapshot", "create", "--no-progress", p.source} },
		restore: func(p place) []string {
			return []string{"restore", "--no-progress", "--snapshot-time=latest", p.source, p.target}
		},
		verify: func(place) []string { return []string{"snapshot", "verify", "--verify-files-percent=100"} },
		below:  func(p place) string { return p.target },
	}
}

func borg() tool {
	return tool{
		name: "borg", version: []string{"--version"},
		env: func(p place) []string {
			return append(homeEnv(p), "BORG_PASSPHRASE="+passphrase, "BORG_REPO="+p.folder, "BORG_BASE_DIR="+p.home)
		},
		create:  func(place) []string { return []string{"init", "--encryption=repokey-blake2"} },
		backup:  func(p place) []string { return []string{"create", fmt.Sprintf("::run%d", p.serial), p.source} },
		restore: func(p place) []string { return []string{"extract", fmt.Sprintf("::run%d", p.serial)} }, // into where it runs
		verify:  func(place) []string { return []string{"check", "--verify-data"} },
		below:   func(p place) string { return filepath.Join(p.target, p.source) },
	}
}
