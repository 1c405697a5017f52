package config

import "time"

// The tables of the file: each key once, with all that is known of it. What is
// read, shown, hinted at and put into the schema comes from here.

// longestWait bounds what a run may be put off or tried again.
const longestWait = 7 * day

// fileFields are the keys at the top of the file, then its tables.
func fileFields(c *Config) []field {
	return []field{
		text("default-vault", `"home"`, "The vault of projects that name none. With a single vault it is that one.", &c.DefaultVault, parseName),
		word("compression", "Processor time against space, for what is stored from now on. Adaptive is hard while uploads are slow, light while they are fast, or on battery.",
			&c.Compression, CompressAdaptive, CompressFastest, CompressDefault, CompressBetter),
		stretch("dedup-memory", `"30d"`, "How long a chunk that no newer snapshot holds stays known on this machine. At least a day, in h, d, m (months) and y.",
			&c.DedupMemory),
		text("timezone", `"Europe/Paris"`, "In which schedules and times of day are meant. The default is the system's.", &c.Timezone, parseZone),
		group("schedule", "When jobs are due, for all projects and vaults that say nothing else.",
			scheduleFields(&c.Schedule, "backup", "forget", "verify", "drill", "prune")),
		group("keep", "Which snapshots stay, for all projects that say nothing else. Without any number everything is kept.", keepFields(&c.Keep)),
		group("daemon", "The daemon, and the conditions for all projects that say nothing else.", daemonFields(&c.Daemon)),
	}
}

// scheduleFields are those keys of a schedule.
func scheduleFields(s *Schedules, keys ...string) []field {
	all := map[string]field{
		"backup": cron("backup", `"@hourly"`, "When a project is backed up.", &s.Backup),
		"forget": cron("forget", `"@daily"`, "When snapshots that keep does not name are forgotten. It needs a number in keep.", &s.Forget),
		"verify": cron("verify", `"@daily"`, "When a share of a vault's bytes is read and checked.", &s.Verify),
		"drill":  cron("drill", `"@weekly"`, "When a restore is tried.", &s.Drill),
		"prune":  cron("prune", `"@weekly"`, "When space that nothing needs any more is freed.", &s.Prune),
	}
	fields := make([]field, len(keys))
	for i, key := range keys {
		fields[i] = all[key]
		fields[i].doc += ` Minute, hour, day, month and weekday as in "30 2 * * *", a short form like "@daily", or "off".`
	}
	return fields
}

// keepFields are the keys of a policy.
func keepFields(k *Keep) []field {
	const most = 9999
	return []field{
		number("last", "10", "How many of the newest snapshots stay.", &k.Last, 0, most),
		number("hourly", "24", "Of how many hours the last snapshot stays.", &k.Hourly, 0, most),
		number("daily", "14", "Of how many days the last snapshot stays.", &k.Daily, 0, most),
		number("weekly", "8", "Of how many weeks the last snapshot stays.", &k.Weekly, 0, most),
		number("monthly", "24", "Of how many months the last snapshot stays.", &k.Monthly, 0, most),
		number("yearly", "10", "Of how many years the last snapshot stays.", &k.Yearly, 0, most),
		stretch("within", `"30d"`, "Every snapshot that is not older stays. In h, d, m (months) and y.", &k.Within),
		list("tags", `["delivered"]`, "Every snapshot with one of these tags stays. Tags alone let nothing go.", &k.Tags, unique(parseTag)),
	}
}

// daemonFields are the keys of [daemon].
func daemonFields(d *Daemon) []field {
	return append([]field{
		length("retry-for", `"1h"`, "How long a failed run is tried again. 0s is not at all, 7d the most.", &d.RetryFor, 0, longestWait),
		text("web-address", `"127.0.0.1:9798"`, "Host and port of the web page and of /metrics. The default is none.", &d.WebAddress, parseListen),
		toggle("web-allow-remote", "Lets web-address be one that others can reach.", &d.WebAllowRemote),
		text("metrics-file", `"/var/lib/coffer/coffer.prom"`, "A Prometheus text file to write after each run. The default is none.",
			&d.MetricsFile, parseMetricsFile),
		word("log-level", "The least that is logged.", &d.LogLevel, LogDebug, LogInfo, LogWarn, LogError),
	}, conditionFields(&d.Conditions)...)
}

// conditionFields are the keys of conditions.
func conditionFields(c *Conditions) []field {
	return []field{
		length("jitter", `"10m"`, "Each run is put off by a part of this, always the same on one machine. In s, m (minutes), h and d, at most 1d.",
			&c.Jitter, 0, day),
		length("max-age", `"26h"`, "How old the newest good snapshot may be before it is an alarm. In s, m (minutes), h and d. The default goes by the schedule.",
			&c.MaxAge, time.Second, longestDuration),
		text("on-battery", `"skip-below 30%"`, `"run", "skip" or "skip-below 30%": what to do with a run that is due on battery.`, &c.OnBattery, parseOnBattery),
		word("metered", "What to do with a run that is due on a line that is paid by volume.", &c.Metered, MeteredRun, MeteredSkip),
		word("network", "Whether a run waits until the remote answers, as after a wake-up.", &c.Network, NetworkWait, NetworkRun),
	}
}

// vaultFields are the keys of a [vault.NAME].
func vaultFields(v *Vault) []field {
	s3 := v.Remote.Dir == ""
	return []field{
		needed(text("remote", `"s3:https://host/bucket/prefix"`, "s3:https://host/bucket/prefix, s3://bucket/prefix or an absolute folder.",
			&v.Remote, ParseRemote)),
		text("region", `"eu-central-1"`, "Of S3. The default is that of the environment or the profile.", &v.Region, parseWord),
		text("ca-file", `"/etc/ssl/my-ca.pem"`, "A PEM file of certificate authorities to trust besides those of the system.", &v.CAFile, ParsePath),
		text("credentials-file", `"~/.config/coffer/credentials"`, "In the format of ~/.aws/credentials, which is the default.", &v.CredentialsFile, ParsePath),
		text("profile", `"backup"`, "Of the credentials file.", &v.Profile, parseWord),
		text("maintain-profile", `"maintain"`, "Of the credentials file, for prune and forget, which need more rights. The default is profile.",
			&v.MaintainProfile, parseWord),
		varying(only(s3, toggle("path-style", "https://host/bucket instead of https://bucket.host. The default is true if the remote names a host or the bucket's name has a dot.",
			&v.PathStyle))),
		stretch("object-lock", `"30d"`, "How long the store must refuse to delete what is uploaded. In d, m (months) and y. The default is none.", &v.ObjectLock),
		word("object-lock-mode", "Whether special rights lift an object lock before its time (governance) or nothing does (compliance).",
			&v.ObjectLockMode, LockGovernance, LockCompliance),
		text("upload-limit", `"5MiB/s"`, "The most to take of the line, in bytes or bits a second, or \"unlimited\".", &v.UploadLimit, ParseRate),
		text("download-limit", `"5MiB/s"`, "The most to take of the line, in bytes or bits a second, or \"unlimited\".", &v.DownloadLimit, ParseRate),
		list("upload-times", `["08:00-18:00 2MiB/s"]`, "Times of day that have another limit.", &v.UploadTimes, parseRateTime),
		list("download-times", `["08:00-18:00 2MiB/s"]`, "Times of day that have another limit.", &v.DownloadTimes, parseRateTime),
		number("connections", "4", "Requests at one time; each holds a pack of 16 MiB in memory.", &v.Connections, 1, MaxConnections),
		toggle("classic", "Heeded by coffer init only: keys without protection against quantum computers.", &v.Classic),
		group("schedule", "When the jobs of this vault are due.", lent(scheduleFields(&v.Schedule, "verify", "drill", "prune"))),
		stretch("verify-within", `"30d"`, "Each byte is read at least this often; each day a share of them. In d, m (months) and y.", &v.VerifyWithin),
		text("price-per-tb", `"6.00 USD"`, "What 10^12 bytes cost a month, for plans that say what something costs.", &v.Price, ParsePrice),
	}
}

// projectFields are the keys of a [project.NAME].
func projectFields(p *Project) []field {
	fields := []field{
		needed(filled(list("paths", `["~/work/site"]`, "Absolute folders, or such that begin with ~/.", &p.Paths, unique(ParsePath)))),
		text("vault", `"home"`, "The name of a vault. The default is default-vault.", &p.Vault, parseName),
		list("tags", `["client"]`, "Words that are kept with each snapshot.", &p.Tags, unique(parseTag)),
		list("exclude", `["*.tmp", "/build"]`, "Patterns as in a .gitignore, relative to each path.", &p.Exclude, parsePattern),
		list("ignore-files", `[".gitignore"]`, "Names of files in the tree that hold such patterns for their folder.", &p.IgnoreFiles, unique(parseFileName)),
		toggle("one-file-system", "Stay on the file system that each path is on.", &p.OneFileSystem),
		toggle("cache-dirs", "Keep folders that a CACHEDIR.TAG marks as caches.", &p.CacheDirs),
		group("schedule", "When the jobs of this project are due.", lent(scheduleFields(&p.Schedule, "backup", "forget"))),
		group("keep", "Which snapshots of this project stay.", lent(keepFields(&p.Keep))),
		hook("run-before", "A command for the shell, run before the project is backed up. If it fails, so does the run.", &p.RunBefore),
		hook("run-after", "A command for the shell, run after a run that was ok or partial.", &p.RunAfter),
		hook("run-failed", "A command for the shell, run after a run that failed.", &p.RunFailed),
		hook("run-finally", "A command for the shell, run after every run, last.", &p.RunFinally),
		length("hook-timeout", `"10m"`, "After which a hook without a timeout of its own is ended. In s, m (minutes), h and d, at most 1d.",
			&p.HookTimeout, time.Second, day),
	}
	return append(fields, lent(conditionFields(&p.Conditions))...)
}

// notifyFields are the keys of a [notify.NAME].
func notifyFields(n *Notify) []field {
	return []field{
		text("url", `"ntfy://ntfy.example.com/backups"`, "The address of a message service that needs no secret.", &n.URL, parseServiceURL),
		text("url-file", `"~/.config/coffer/notify-url"`, "A file that only you can read, with the address of a message service.", &n.URLFile, ParsePath),
		text("ping", `"https://pings.example.com/4c1f"`, "A web address that is told of the start and the end of every run.", &n.Ping, parsePing),
		text("ping-file", `"~/.config/coffer/ping-url"`, "A file that only you can read, with such an address.", &n.PingFile, ParsePath),
		only(n.Desktop, toggle("desktop", "Shows messages in your desktop session.", &n.Desktop)),
		only(!n.IsPing(), among(Events(), filled(list("events", `["failed", "stale"]`, "What to tell. The default is all. Not for a ping, which is told of every run.",
			&n.Events, unique(parseEvent))))),
		list("projects", `["site"]`, "Which projects to tell of. The default is all.", &n.Projects, unique(parseName)),
	}
}
