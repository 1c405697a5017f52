package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/config"
)

// People come from other programs, and try the words of those first. What is
// spelled most like such a word often does the opposite of what it meant, so
// each is answered with what Coffer has for it.

// foreignVerbs are answers to commands of other programs.
var foreignVerbs = map[string]string{
	"coffer find":          "coffer ls latest --kit FILE | grep NAME  finds it in one snapshot",
	"coffer diff":          "coffer restore SNAPSHOT --in-place --dry-run -v --kit FILE  names what differs from the disk",
	"coffer mount":         "there is no mount;  coffer ls,  coffer cat SNAPSHOT:PATH  and  coffer restore SNAPSHOT:PATH --target DIR  reach single files",
	"coffer unlock":        noLocks,
	"coffer break-lock":    noLocks,
	"coffer stats":         "coffer snapshots  has the sizes,  coffer prune --dry-run  what is needed of the vault",
	"coffer info":          "coffer status  tells how the vault stands,  coffer snapshots  what is in it",
	"coffer key":           "coffer kit  is the key that reads all,  coffer recipient  further ones,  coffer device  the machines",
	"coffer delete":        letGo,
	"coffer rm":            letGo,
	"coffer remove":        letGo,
	"coffer expire":        letGo,
	"coffer compact":       "coffer prune  frees what no snapshot needs",
	"coffer gc":            "coffer prune  frees what no snapshot needs",
	"coffer maintenance":   "coffer prune  frees what no snapshot needs,  coffer verify  checks what is there",
	"coffer create":        "coffer backup now FOLDER",
	"coffer run":           "coffer backup now  backs up,  coffer service install  has it done by the clock",
	"coffer copy":          "keep a second vault:  coffer backup now FOLDER --to REMOTE",
	"coffer sync":          "keep a second vault:  coffer backup now FOLDER --to REMOTE",
	"coffer tag":           "coffer backup now FOLDER --tag TAG  as it is made,  coffer pin SNAPSHOT  to keep one",
	"coffer rewrite":       "no snapshot is changed: leave it out from now on with --exclude, then  coffer forget SNAPSHOT",
	"coffer recreate":      "no snapshot is changed: leave it out from now on with --exclude, then  coffer forget SNAPSHOT",
	"coffer rebuild-index": "coffer repair;  there is no index, each snapshot has its own",
	"coffer recover":       "coffer repair  for a vault,  coffer enrol --kit FILE --replace list  for a machine that lost its state",
	"coffer connect":       "coffer enrol --kit FILE REMOTE",
	"coffer repository":    "coffer init REMOTE  makes a vault,  coffer enrol --kit FILE REMOTE  joins one",
	"coffer policy":        "coffer forget --help  has the policies,  coffer config example  how to write them down",
	"coffer schedule":      "coffer service install  backs up by the clock",
	"coffer cache":         "there is no cache to look after",
	"coffer man":           "coffer help COMMAND",
	"coffer docs":          "coffer help COMMAND",
	"coffer daemon status": "coffer status  tells how the daemon and its jobs stand",
	"coffer daemon start":  "coffer service install",
	"coffer daemon stop":   "coffer daemon pause,  or  coffer service uninstall",
	"coffer service start": "coffer service install",
	"coffer service stop":  "coffer daemon pause,  or  coffer service uninstall",
	"coffer config init":   "coffer config begin",
	"coffer config edit":   "coffer config show  tells which file it is;  coffer config begin  makes one",
	"coffer kit verify":    "coffer kit confirm COPY",
	"coffer device add":    "on the new machine:  coffer enrol --kit FILE REMOTE",
}

// foreignFlags are answers to flags of other programs.
var foreignFlags = map[string]string{
	"repo": useRemote, "repository": useRemote, "repository-file": useRemote,
	"password-file": useKit, "password-command": useKit, "passphrase": useKit, "key-hint": useKit,
	"no-lock": noLocks, "retry-lock": noLocks, "lock-wait": noLocks,
	"prune":            "forget first, then:  coffer prune",
	"read-data-subset": "--read-data=10%  reads a part",
	"exclude-file":     "write the patterns to a file .cofferignore in the folder",
	"exclude-caches":   "folders that CACHEDIR.TAG marks are left out anyway",
	"files-from":       "name the folders, or write them to the config as a project:  coffer config example",
	"limit-upload":     "upload-limit in the config:  coffer config example",
	"limit-download":   "download-limit in the config:  coffer config example",
	"delete-extra":     "--delete",
	"path":             "--project FOLDER",
}

const (
	noLocks   = "nothing takes a lock on a vault, so there is none to wait for or to take away"
	letGo     = "coffer forget SNAPSHOT  lets it go,  coffer prune  frees the space a week later"
	useRemote = "--remote REMOTE"
	useKit    = "there is no password:  --kit FILE  names the recovery kit"
)

// noSuch refuses an argument where only a command could stand, and names the
// command that was probably meant.
func noSuch(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	word := cmd.CommandPath() + " " + args[0]
	return usagef(insteadOf(cmd, word, args), "unknown command %q", word)
}

func insteadOf(cmd *cobra.Command, word string, args []string) string {
	if answer, ok := foreignVerbs[word]; ok {
		return answer
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return "did you mean:  " + cmd.CommandPath() + " " + near[0]
	}
	if cmd.CommandPath() == "coffer backup" {
		return "did you mean:  coffer backup now " + shellLine(args)
	}
	return cmd.CommandPath() + " --help  lists the commands"
}

// badFlag says of a flag that is not one which was probably meant.
func badFlag(cmd *cobra.Command, err error) error {
	hint := cmd.CommandPath() + " --help  lists the flags"
	var missing *pflag.NotExistError
	if errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "" {
		name := missing.GetSpecifiedName()
		if near := config.Nearest(name, flagNames(cmd)); near != "" {
			hint = "did you mean:  --" + near
		}
		if answer, ok := foreignFlags[name]; ok {
			hint = answer
		}
	}
	return usagef(hint, "%w", err)
}

func flagNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
