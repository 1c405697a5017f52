package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (d *door) completionCommand() *cobra.Command {
	c := group("completion", "Print a script that completes commands in a shell", `Print a script that completes commands, flags and snapshots in a shell. Each
shell's own help says where the script goes.`)
	for _, shell := range []struct{ name, help string }{
		{"bash", "To load it in each new session:\n  coffer completion bash > ~/.local/share/bash-completion/completions/coffer"},
		{"zsh", "To load it in each new session, in a folder of $fpath:\n  coffer completion zsh > ~/.zfunc/_coffer"},
		{"fish", "To load it in each new session:\n  coffer completion fish > ~/.config/fish/completions/coffer.fish"},
	} {
		c.AddCommand(&cobra.Command{
			Use: shell.name, Short: "Print the script for " + shell.name, Long: "Print the completion script for " + shell.name + ".\n\n" + shell.help,
			Args: exactly(0, "coffer completion "+shell.name),
			RunE: func(cmd *cobra.Command, args []string) error {
				switch root := cmd.Root(); cmd.Name() {
				case "bash":
					return root.GenBashCompletionV2(d.out, true)
				case "zsh":
					return root.GenZshCompletion(d.out)
				default:
					return root.GenFishCompletion(d.out, true)
				}
			},
		})
	}
	return c
}

// offer completes a flag that takes one of a few words.
func offer(c *cobra.Command, flag string, words ...string) {
	// It fails only for a flag that is not there, which any test of c shows.
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// offerSnapshots completes a snapshot from what this machine remembers, without
// asking a remote.
func offerSnapshots(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	out := []string{"latest"}
	known, err := knownVaults()
	if err != nil {
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	for _, ch := range known {
		for s, err := range ch.dir.Snapshots() {
			if err == nil {
				id := s.Commit[strings.LastIndexByte(s.Commit, '-')+1:]
				out = append(out, id[:min(8, len(id))]+"\t"+safeName(catalogText(s))+" "+timeText(time.Unix(s.Time, 0)))
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
