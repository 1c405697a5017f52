package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var _ remote.Prober = (*Store)(nil)

// What helps where too much is allowed, or nothing is kept.
const (
	useThePolicy = "give this machine credentials under the policy that  coffer init --print-policy  prints"
	keepVersions = "turn on versioning for the bucket, or make one with object lock"
)

// Probe tries with the credentials in use what must be refused, and finds out
// what the bucket enforces. See [remote.Prober].
func (s *Store) Probe(ctx context.Context, canary remote.Object, _ remote.ProbeOptions) []remote.Finding {
	out := []remote.Finding{s.probeTransport(), s.probeConditional(ctx), s.probeChecksum(ctx)}
	out = append(out, s.probeSettings(ctx, canary)...)
	for _, change := range s.changes(ctx) {
		out = append(out, change.probe())
	}
	// What harms the canary comes last.
	over := s.overwrite(ctx, canary)
	out = append(out, over.finding())
	if over.kept {
		out = append(out, s.probeDestroy(ctx, canary, over.old))
	}
	return append(out, s.probeDelete(ctx, canary, over.keeps()))
}

func ok(check, found string) remote.Finding {
	return remote.Finding{Check: check, Grade: remote.OK, Found: found}
}

// unknown is the finding that something could not be found out.
func unknown(check string, err error) remote.Finding {
	return remote.Finding{Check: check, Grade: remote.Weak, Found: "could not be found out: " + err.Error()}
}

func (s *Store) probeTransport() remote.Finding {
	const check = "transport"
	if strings.HasPrefix(s.location.Endpoint, "http:") {
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "the endpoint is spoken to in clear",
			Means: "who is on the way sees names and ciphertext, and can answer in the server's place; what is altered is noticed",
			Do:    "use https://"}
	}
	return ok(check, "TLS")
}

func (s *Store) probeConditional(ctx context.Context) remote.Finding {
	const check = "conditional-writes"
	switch works, err := s.probeRace(ctx); {
	case err != nil:
		return unknown(check, err)
	case !works:
		return remote.Finding{Check: check, Grade: remote.Weak, Found: fmt.Sprintf("more than one of %d who wrote the same name at once was told that it won, or all were", probeWriters),
			Means: "nothing depends on it: Coffer never uses a name twice"}
	}
	return ok(check, fmt.Sprintf("of %d who wrote the same name at once exactly one won", probeWriters))
}

func (s *Store) probeChecksum(ctx context.Context) remote.Finding {
	const check = "checksums"
	o := remote.NewObject(remote.Canary+"checksum", []byte("sent\n"))
	o.Sum[0] ^= 1
	err := s.put(ctx, o, s.ifNoneMatch.Load())
	switch {
	case err == nil:
		s.clear(ctx, o.Name)
		return remote.Finding{Check: check, Grade: remote.Bad, Found: "bytes whose SHA-256 is not the one announced were stored",
			Means: "what is altered on the way is noticed only when it is read", Do: "run  coffer verify --read-data  often, or use another server"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, remote.ErrUnreachable):
		return unknown(check, err)
	}
	return ok(check, "bytes whose SHA-256 is not the one announced are refused")
}

// An overwriting is what came of storing other bytes under a taken name.
type overwriting struct {
	err  error
	old  string // version that was there before; "" where the bucket keeps none
	kept bool   // that version can still be read
	seen bool   // the new bytes were there at once
}

func (s *Store) overwrite(ctx context.Context, canary remote.Object) overwriting {
	var o overwriting
	_, o.old, o.err = s.version(ctx, canary.Name, "")
	if o.err != nil {
		return o
	}
	other := remote.NewObject(canary.Name, []byte("overwritten\n"))
	if o.err = s.put(ctx, other, false); o.err != nil {
		return o
	}
	now, _, err := s.version(ctx, canary.Name, "")
	o.seen = err == nil && now == string(other.Data)
	if o.old != "" && o.old != "null" {
		before, _, err := s.version(ctx, canary.Name, o.old)
		o.kept = err == nil && before == string(canary.Data)
	}
	return o
}

// keeps reports whether the bucket is known to keep what is overwritten. Where
// overwriting is refused, its version tells.
func (o overwriting) keeps() bool {
	return o.kept || o.err != nil && o.old != "" && o.old != "null"
}

// version reads an object of a few bytes in one version, or in the newest, and
// says which it was.
func (s *Store) version(ctx context.Context, name, version string) (data, got string, err error) {
	err = s.call(ctx, remote.OpGet, name, func(in func(*s3.Options)) error {
		input := &s3.GetObjectInput{Bucket: s.bucket(), Key: s.key(name)}
		if version != "" {
			input.VersionId = &version
		}
		out, err := s.client.GetObject(ctx, input, in)
		if err != nil {
			return err
		}
		defer out.Body.Close()
		b, err := s.receive(ctx, remote.OpGet, nil, name, out, newWindow(0, 1<<10))
		data, got = string(b), aws.ToString(out.VersionId)
		return err
	})
	return data, got, err
}

func (o overwriting) finding() remote.Finding {
	const check = "overwrite"
	switch {
	case errors.Is(o.err, fs.ErrPermission):
		return ok(check, "refused to these credentials")
	case o.err != nil:
		return unknown(check, o.err)
	case !o.seen:
		return remote.Finding{Check: check, Grade: remote.Bad, Found: "allowed, and the old bytes still came back afterwards",
			Means: "this store is not consistent", Do: "use a store that is"}
	case o.kept:
		return ok(check, "allowed, and makes a new version: what was there is kept")
	}
	return remote.Finding{Check: check, Grade: remote.Bad, Found: "allowed, and what was there is gone",
		Means: "whoever takes this machine can destroy every backup", Do: keepVersions}
}

// probeDestroy tries to remove a version for good, also past a lock that may be
// lifted.
func (s *Store) probeDestroy(ctx context.Context, canary remote.Object, version string) remote.Finding {
	const check = "destroy-version"
	for _, bypass := range []bool{false, true} {
		err := s.call(ctx, remote.OpDelete, canary.Name, func(in func(*s3.Options)) error {
			input := &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(canary.Name), VersionId: &version}
			if bypass {
				input.BypassGovernanceRetention = aws.Bool(true)
			}
			_, err := s.client.DeleteObject(ctx, input, in)
			return err
		})
		switch {
		case err == nil && bypass:
			return remote.Finding{Check: check, Grade: remote.Bad, Found: "allowed: the lock can be lifted by these credentials",
				Means: "whoever takes this machine can destroy every backup", Do: useThePolicy}
		case err == nil:
			return remote.Finding{Check: check, Grade: remote.Bad, Found: "allowed: the versions that the bucket keeps can be removed by these credentials",
				Means: "whoever takes this machine can destroy every backup", Do: useThePolicy}
		case !refusedToDelete(err):
			return unknown(check, err)
		}
	}
	return ok(check, "refused")
}

// refusedToDelete reports whether a deletion was refused for want of rights, or
// because of a lock, for which servers have words of their own.
func refusedToDelete(err error) bool {
	var e *Error
	return errors.Is(err, fs.ErrPermission) ||
		errors.As(err, &e) && (e.Code == "InvalidRequest" || e.Code == "ObjectLocked") && strings.Contains(strings.ToLower(e.Text), "worm")
}

func (s *Store) probeDelete(ctx context.Context, canary remote.Object, kept bool) remote.Finding {
	const check = "delete"
	err := s.Delete(ctx, canary.Name)
	switch {
	case refusedToDelete(err):
		return ok(check, "refused to these credentials")
	case err != nil:
		return unknown(check, err)
	case kept:
		return remote.Finding{Check: check, Grade: remote.Weak, Found: "allowed; it hides the object, whose version the bucket keeps",
			Means: "whoever takes this machine can hide every backup until someone removes the delete markers", Do: useThePolicy}
	}
	return remote.Finding{Check: check, Grade: remote.Bad, Found: "allowed",
		Means: "whoever takes this machine can destroy every backup", Do: useThePolicy}
}

// locked says until when an object is protected.
func lockedText(until time.Time, mode string) string {
	return fmt.Sprintf("what is uploaded now is locked until %s (%s)", until.UTC().Format("2006-01-02 15:04 MST"), strings.ToLower(mode))
}
