package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the build (-X main.version); without it the module's own
// version serves.
var version string

// vaultFormat is the version of the objects on a remote.
const vaultFormat = 1

func versionText() string {
	if version != "" {
		return version
	}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}

func (d *door) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactly(0, "coffer version"),
		RunE: func(cmd *cobra.Command, args []string) error { return d.tellVersion() },
	}
}

// versionFlag lets coffer --version be what many type first.
func (d *door) versionFlag(root *cobra.Command) {
	asked := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *asked {
			return d.tellVersion()
		}
		return cmd.Help()
	}
}

func (d *door) tellVersion() error {
	if d.json {
		d.emit("version", map[string]any{"version": versionText(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "format": vaultFormat})
		return nil
	}
	fmt.Fprintf(d.out, "coffer %s %s %s/%s, vault format %d\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH, vaultFormat)
	return nil
}
