package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coffer/config"
)

// projects finds what the arguments name: projects of the config, or folders,
// which together are a project of their own.
func (d *door) projects(c *config.Config, args []string) ([]config.Project, error) {
	if len(args) == 0 {
		if len(c.Projects) == 0 {
			return nil, usagef("coffer backup now FOLDER", "say what to back up: there is no project in the config")
		}
		return c.Projects, nil
	}
	var out []config.Project
	var paths, gone []string
	for _, a := range args {
		if a == "" {
			return nil, usagef("is a variable empty?  .  names the folder you are in", "an empty name is no folder and no project")
		}
		if p, err := c.Project(a); err == nil {
			out = append(out, p)
			continue
		}
		abs, err := filepath.Abs(a)
		if err != nil {
			return nil, err
		}
		if _, err := os.Lstat(abs); err != nil {
			gone = append(gone, a)
		}
		paths = append(paths, abs)
	}
	if err := refuseGone(c, gone, len(gone) == len(args)); err != nil {
		return nil, err
	}
	if len(paths) > 0 {
		slices.Sort(paths)
		paths = slices.Compact(paths)
		out = append(out, projectOf(c, paths))
	}
	return out, nil
}

// projectOf is the config's project of just these folders, whose history goes
// on, or else one of their own.
func projectOf(c *config.Config, paths []string) config.Project {
	for _, p := range c.Projects {
		if slices.Equal(slices.Sorted(slices.Values(p.Paths)), paths) {
			return p
		}
	}
	return config.NewProject(paths[0], paths...)
}

// refuseGone refuses arguments that name nothing that is there. A folder among
// others may be missing: then the snapshot is partial. But what looks like the
// name of a project must be one.
func refuseGone(c *config.Config, gone []string, all bool) error {
	for _, a := range gone {
		_, err := os.Lstat(a)
		if len(c.Projects) > 0 && !strings.ContainsRune(a, filepath.Separator) {
			_, err := c.Project(a)
			return usagef("coffer config show  lists the projects", "%q is no file or folder here: %w", a, err)
		}
		if all {
			return hinted(fmt.Errorf("back up %q: %w", a, bareFile(err)), "name a folder or file that is there, or a project of the config")
		}
	}
	return nil
}

// refuseOwn refuses to back up a vault, or Coffer's state, for itself.
func refuseOwn(ch chosen, paths []string) error {
	for _, p := range paths {
		for _, own := range ownPlaces(ch.vault.Remote) {
			if rel, err := filepath.Rel(own, p); err == nil && filepath.IsLocal(rel) {
				return usagef("", "%s belongs to Coffer itself and is never backed up", p)
			}
		}
	}
	return nil
}
