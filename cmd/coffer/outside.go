package main

import "regexp"

// What leaves this machine, as pings and messages do, goes through the hands of
// others. It tells what went wrong, and not in which folder: the log and coffer
// status have that.
var (
	// hookSaid is what a hook printed last, which may be anything.
	hookSaid = regexp.MustCompile(`(\brun-(?:before|after|failed|finally): exit status \d+)[^\n]*`)
	// quotedName is a name that an error quotes.
	quotedName = regexp.MustCompile(`"[^"\n]*"`)
	// pathName is a path, up to the colon that parts it from the rest of an error.
	pathName = regexp.MustCompile(`(?:~|\.{1,2})?/[^:\n]*`)
)

// forOthers is a reason as it may leave this machine: without paths, names, and
// what hooks printed. It rather takes out too much.
func forOthers(why string) string {
	why = hookSaid.ReplaceAllString(why, "$1")
	why = quotedName.ReplaceAllString(why, "…")
	return pathName.ReplaceAllString(why, "…")
}
