package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes are a contract with scripts; README and --help list them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitPartial     = 3
	exitDamage      = 4
	exitStale       = 5
	exitNoVault     = 10
	exitNoIdentity  = 13
	exitUnreachable = 14
	exitPermission  = 15
	exitUsage       = 64
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
  0    done
  1    failed; nothing was changed that a later run does not use
  3    partial: done, but some files could not be read or restored (they are named)
  4    damage found in the vault, or it shows an older state than was seen
  5    status: a project has had no good snapshot for longer than it may
  10   no vault there
  13   no identity: this needs the recovery kit
  14   the remote could not be reached
  15   permission denied by the remote or the system
  64   wrong usage or wrong config
  130  interrupted; the next run goes on from there
`

const environment = `Environment:
  COFFER_CONFIG            the config file, where --config is not given
  COFFER_REMOTE            the remote, where neither --remote nor --vault is given
  COFFER_IDENTITY_FILE     the recovery kit, where --kit is not given
  COFFER_IDENTITY_COMMAND  a command that prints the kit, such as a password manager's
  COFFER_RETRY_FOR         how long to wait for a remote that does not answer: 30s, 5m;
                           0 is a single try
  COFFER_CA_FILE           certificates to trust besides those of the system
  AWS_ACCESS_KEY_ID ...    S3 credentials, wherever AWS tools take them from
`

// usageTemplate is that of all commands. The exit codes stand at the end of
// the first help that people see.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{- if .Aliases}}
  (or {{.CommandPath | parent}} {{join .Aliases ", "}}){{end}}
{{- if .HasExample}}

Examples:
{{.Example}}{{end}}
{{- if .HasAvailableSubCommands}}

Commands:
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
{{- if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
{{- if not .HasParent}}

` + environment + `
` + exitCodes + `
"coffer help COMMAND" tells more about a command.
{{- end}}
`

// explainHelp sets how help looks, and a help command that knows our errors.
func (d *door) explainHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("join", strings.Join)
	cobra.AddTemplateFunc("parent", func(path string) string {
		return path[:max(strings.LastIndexByte(path, ' '), 0)]
	})
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Tell about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("coffer --help  lists the commands", "help: there is no command %q", strings.Join(args, " "))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	})
}

// group is a command that only holds others; alone it shows its help.
func group(use, short, long string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: noSuch}
	c.RunE = func(cmd *cobra.Command, args []string) error { return cmd.Help() }
	return c
}

// exactly is cobra.ExactArgs with our words and exit code.
func exactly(n int, usage string) cobra.PositionalArgs { return between(n, n, usage) }

// atLeastOne is cobra.MinimumNArgs(1) with our words and exit code.
func atLeastOne(usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("usage:  "+usage, "%s: something is missing", cmd.CommandPath())
		}
		return nil
	}
}

func between(low, high int, usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < low:
			return usagef("usage:  "+usage, "%s: something is missing", cmd.CommandPath())
		case len(args) > high:
			return usagef("usage:  "+usage, "%s: %q is one too many", cmd.CommandPath(), args[high])
		}
		return nil
	}
}
