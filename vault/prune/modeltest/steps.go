package modeltest

import (
	"fmt"
	"strings"
)

// A step is one thing that may happen, told by whom it concerns.
type step struct {
	what stepKind
	who  int
	pack int
	set  set
}

type stepKind uint8

const (
	tick stepKind = iota
	begin
	upload
	uploadLost
	stage
	checkPasses
	checkFails
	publish
	publishLost
	publishLate
	writerCrash
	forget
	withdraw
	find
	condemn
	sweep
	recheck
	remove
	pruneCrash
	stepKinds int = iota
)

var stepWords = [stepKinds]string{
	tick:        "a tick passes",
	begin:       "writer {who} begins a run and relies on packs {set}",
	upload:      "writer {who} uploads pack {pack}",
	uploadLost:  "writer {who} uploads pack {pack}, and the acknowledgement is lost",
	stage:       "writer {who} stages its commit of packs {set}",
	checkPasses: "writer {who} checks packs {set}: all can be relied on",
	checkFails:  "writer {who} checks packs {set}: one is condemned, it starts again",
	publish:     "writer {who} publishes its commit of packs {set}",
	publishLost: "writer {who} publishes its commit of packs {set}, and the acknowledgement is lost",
	publishLate: "writer {who} comes too late with its commit",
	writerCrash: "writer {who} crashes",
	forget:      "the snapshot of packs {set} is forgotten",
	withdraw:    "the forget of the snapshot of packs {set} is withdrawn",
	find:        "prune {who} lists, and finds packs {set} dead",
	condemn:     "prune {who} publishes a condemned list of packs {set}",
	sweep:       "prune {who} removes pending commits that are too old",
	recheck:     "prune {who} lists again, and finds packs {set} still dead",
	remove:      "prune {who} deletes pack {pack}",
	pruneCrash:  "prune {who} crashes",
}

func (s step) String() string {
	return strings.NewReplacer("{who}", fmt.Sprint(s.who+1), "{pack}", fmt.Sprint(s.pack), "{set}", s.set.String()).
		Replace(stepWords[s.what])
}

func (s set) String() string {
	var packs []string
	for p := range nPacks {
		if s.has(p) {
			packs = append(packs, fmt.Sprint(p))
		}
	}
	if packs == nil {
		return "(none)"
	}
	return strings.Join(packs, " and ")
}
