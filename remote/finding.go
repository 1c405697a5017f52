package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A Grade says how good a [Finding] is.
type Grade string

const (
	OK   Grade = "ok"
	Weak Grade = "weak" // it works, and could be safer
	Bad  Grade = "bad"  // something that a vault rests on does not hold
)

// A Finding is what was seen of one property of a remote.
type Finding struct {
	Check string // what was tried: one word, hyphens in it
	Grade Grade
	Found string // what was seen
	Means string // what follows from it; "" where that is plain
	Do    string // what helps; "" where nothing need be done
}

// ProbeOptions says what a probe cannot see by itself. The zero value works.
type ProbeOptions struct {
	// Home is a folder that should not be on the disk that the remote is on;
	// "" is none.
	Home string
}

// A Prober is a Store that knows how to try what others cannot: what must be
// refused to the credentials in use, and what the store enforces. canary is an
// object that is there and may be harmed. Of an error it makes a Finding, unless
// the context has ended.
type Prober interface {
	Probe(ctx context.Context, canary Object, o ProbeOptions) []Finding
}

// Probe tries what the store under s and its wrappers really does and enforces,
// with objects of a few bytes below [Canary], and never with others. They are
// removed afterwards, if the credentials may. It takes some seconds, most of
// them waiting for a staged object to expire.
//
// An error says that the remote could not be probed at all.
func Probe(ctx context.Context, s Store, o ProbeOptions) ([]Finding, error) {
	canary := newCanary()
	clock, err := probeClock(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("probe the remote: %w", err)
	}
	if err := s.Put(ctx, canary); err != nil {
		return nil, fmt.Errorf("probe the remote: %w", err)
	}
	defer clearCanaries(context.WithoutCancel(ctx), s)
	out := []Finding{clock, probeRead(ctx, s, canary), probeList(ctx, s, canary), probeExpiry(ctx, s)}
	if p, ok := under[Prober](s); ok {
		out = append(out, p.Probe(ctx, canary, o)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("probe the remote: %w", err)
	}
	return out, nil
}

// newCanary is an object of a name and bytes that no probe had before.
func newCanary() Object {
	var b [8]byte
	rand.Read(b[:])
	return NewObject(Canary+hex.EncodeToString(b[:]), fmt.Appendf(nil, "canary %x\n", b))
}

// clearCanaries removes all there are, also those of probes that were cut off.
// Where the first is refused, all would be.
func clearCanaries(ctx context.Context, s Store) {
	for info, err := range s.List(ctx, Canary, "") {
		if err != nil || s.Delete(ctx, info.Name) != nil {
			return
		}
	}
}

// Clocks that differ by less than slack are not worth a word.
const slack = time.Minute

func probeClock(ctx context.Context, s Store) (Finding, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return Finding{}, err
	}
	off := time.Since(now).Round(time.Second)
	if off.Abs() <= slack {
		return Finding{Check: "clock", Grade: OK, Found: fmt.Sprintf("within %s of the remote's", max(off.Abs(), time.Second))}, nil
	}
	side := "ahead of"
	if off < 0 {
		side = "behind"
	}
	return Finding{"clock", Weak, fmt.Sprintf("this machine's is %s %s the remote's", off.Abs(), side),
		"what may be deleted is judged by the remote's clock, so nothing is in danger; schedules and the times that are shown are off",
		"let the system set its clock over the network"}, nil
}

// unknown is the finding that something could not be found out.
func unknown(check string, err error) Finding {
	return Finding{check, Weak, "could not be found out: " + err.Error(), "", ""}
}

func probeRead(ctx context.Context, s Store, canary Object) Finding {
	const check = "read-after-write"
	got, err := s.Get(ctx, nil, canary.Name, 0, -1)
	switch {
	case err == nil && bytes.Equal(got, canary.Data):
		return Finding{Check: check, Grade: OK, Found: "what was written is there at once"}
	case err == nil:
		return Finding{check, Bad, "other bytes came back than were written", "what is stored there is not what was sent", "do not keep a vault here"}
	case errors.Is(err, fs.ErrNotExist):
		return Finding{check, Bad, "what was just written is not there",
			"a run that looks whether its objects are stored may be told that they are not", "use a store that is consistent"}
	}
	return unknown(check, err)
}

func probeList(ctx context.Context, s Store, canary Object) Finding {
	const check = "list-after-write"
	for info, err := range s.List(ctx, Canary, "") {
		if err != nil {
			return unknown(check, err)
		}
		if info.Name == canary.Name && info.Size == int64(len(canary.Data)) {
			return Finding{Check: check, Grade: OK, Found: "what was written is listed at once, with its size"}
		}
	}
	return Finding{check, Bad, "what was just written is not listed",
		"a prune that does not see a new snapshot could delete what it needs, if that lasts longer than the grace it waits",
		"use a store whose listings are consistent; until then do not prune"}
}

func probeExpiry(ctx context.Context, s Store) Finding {
	const check = "expiry"
	enforced, err := ExpiryEnforced(ctx, s)
	switch {
	case err != nil:
		return unknown(check, err)
	case !enforced:
		return Finding{check, Weak, "a commit that is sent too late is accepted",
			"a machine that slept could publish late; a prune has to wait seven days instead of one", ""}
	}
	return Finding{Check: check, Grade: OK, Found: "a commit that is sent too late is refused"}
}
