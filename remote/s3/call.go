package s3

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"coffer/remote"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// call runs one operation. It tries again at once, each time only once, what
// the answer itself tells how to do better. do gets the option that sets the
// region.
func (s *Store) call(ctx context.Context, op remote.Op, name string, do func(in func(*s3.Options)) error) error {
	var l lessons
	for {
		if err := ctx.Err(); err != nil {
			return s.explain(ctx, op, name, err)
		}
		region := *s.region.Load()
		err := do(func(o *s3.Options) { o.Region = region })
		if err == nil {
			return nil
		}
		s.clock.forget()
		if !s.learn(&l, answerOf(err), region) {
			return s.explain(ctx, op, name, err)
		}
	}
}

// lessons are those learned in one call; none is learned twice.
type lessons struct{ region, clock, credentials, checksum bool }

// An answer is what a server said when it refused.
type answer struct {
	status    int // 0: there was none
	code      string
	message   string
	requestID string
	header    http.Header
}

func answerOf(err error) answer {
	var a answer
	var api smithy.APIError
	if errors.As(err, &api) {
		a.code, a.message = api.ErrorCode(), api.ErrorMessage()
	}
	var res *awshttp.ResponseError
	if errors.As(err, &res) && res.Response != nil {
		a.status, a.requestID = res.HTTPStatusCode(), res.ServiceRequestID()
		if res.Response.Response != nil {
			a.header = res.Response.Header
		}
	}
	return a
}

// learn reports whether the answer teaches something that makes another try
// worthwhile.
func (s *Store) learn(l *lessons, a answer, region string) bool {
	if hint := a.region(); hint != "" && hint != region && !l.region {
		l.region = true
		s.region.Store(&hint)
		return true
	}
	switch a.code {
	case "RequestTimeTooSkewed":
		// The client has taken the server's time from the answer.
		return once(&l.clock)
	case "ExpiredToken", "InvalidAccessKeyId", "InvalidToken":
		// They may have been renewed behind our back.
		s.credentials.Invalidate()
		return once(&l.credentials)
	}
	if a.refusesChecksum() && !l.checksum {
		l.checksum = true
		s.noChecksum.Store(true)
		return true
	}
	return false
}

// refusesChecksum reports whether the server does not know the header that
// tells an object's SHA-256. (One that finds the sum wrong says BadDigest or
// the like.)
func (a answer) refusesChecksum() bool {
	switch a.code {
	case "NotImplemented", "InvalidArgument", "InvalidRequest":
		return strings.Contains(strings.ToLower(a.message), "x-amz-checksum")
	}
	return false
}

// once reports whether it is called for the first time with this flag.
func once(flag *bool) bool {
	was := *flag
	*flag = true
	return !was
}

var (
	regionForm = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	regionHint = regexp.MustCompile(`expecting '([a-z0-9-]{1,40})'`)
)

// region returns the region that a refusal points to, or "".
func (a answer) region() string {
	if a.status < 300 {
		return ""
	}
	if r := a.header.Get("X-Amz-Bucket-Region"); regionForm.MatchString(r) {
		return r
	}
	if m := regionHint.FindStringSubmatch(a.message); m != nil {
		return m[1]
	}
	return ""
}
