package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode"

	"coffer/remote"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// An Error is an operation that failed. It wraps the sentinel that says what
// kind of failure it is, and nothing of the transport below, whose errors may
// look like something else (a firewall's "operation not permitted") or show a
// signed URL.
type Error struct {
	Op     remote.Op
	Name   string // of the object; "" for operations on the bucket
	Where  string // the location
	Status int    // of the HTTP answer; 0 if there was none
	Code   string // S3 error code, as "AccessDenied"
	Text   string // what happened, for people

	kind  error // sentinel, or nil
	final bool  // trying again cannot help
}

func (e *Error) Error() string {
	where := e.Where
	if e.Name != "" {
		where = e.Name + " in " + e.Where
	}
	return fmt.Sprintf("%s %s: %s", e.Op, where, e.Text)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.kind }

// Retryable reports whether another try may succeed.
func (e *Error) Retryable() bool { return !e.final }

func (s *Store) newError(op remote.Op, name string, kind error, text string) *Error {
	return &Error{Op: op, Name: name, Where: s.Location(), Text: text, kind: kind}
}

// nonsense is the error for an answer that claims success and cannot be one:
// from something in between that is no S3 server, most likely.
func (s *Store) nonsense(op remote.Op, name, text string) error {
	return s.newError(op, name, remote.ErrUnreachable, "the answer is not that of an S3 server: "+text)
}

// damaged is the error for an answer that contradicts itself.
func (s *Store) damaged(op remote.Op, name, text string) error {
	return s.newError(op, name, remote.ErrDamaged, text)
}

// explain makes an Error of whatever an operation failed with.
func (s *Store) explain(ctx context.Context, op remote.Op, name string, err error) error {
	var own *Error
	var cred *credentialsError
	switch {
	case ctx.Err() != nil:
		return s.newError(op, name, ctx.Err(), ctx.Err().Error())
	case errors.As(err, &own):
		return own
	case errors.As(err, &cred):
		return s.explainCredentials(op, name, cred)
	}
	if a := answerOf(err); a.status != 0 {
		return s.refused(op, name, a)
	}
	return s.explainTransport(op, name, err)
}

func (s *Store) explainCredentials(op remote.Op, name string, err *credentialsError) error {
	if netTrouble(err.err) {
		return s.newError(op, name, remote.ErrUnreachable, clean(err.Error()))
	}
	return s.newError(op, name, fs.ErrPermission, clean(err.Error())+
		" (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a credentials file or profile)")
}

// explainTransport explains why there is no answer.
func (s *Store) explainTransport(op remote.Op, name string, err error) error {
	s.transport.CloseIdleConnections() // what is broken for one may be for all, as after sleep
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &cert):
		e := s.newError(op, name, remote.ErrUnreachable,
			"the server's certificate is not trusted: "+clean(cert.Err.Error())+" (is its authority in the CA file?)")
		e.final = true
		return e
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e := s.newError(op, name, remote.ErrUnreachable, "the server does not speak TLS (http:// instead of https://?)")
		e.final = true
		return e
	case errors.Is(err, os.ErrDeadlineExceeded) && !isDial(err):
		return s.newError(op, name, remote.ErrUnreachable, fmt.Sprintf("nothing moved for %s: %s", s.stall, cause(err)))
	case netTrouble(err):
		return s.newError(op, name, remote.ErrUnreachable, cause(err))
	}
	return s.newError(op, name, nil, cause(err))
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// netTrouble reports whether err comes from the network rather than from
// anything said over it.
func netTrouble(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var timed net.Error
	var send *smithyhttp.RequestSendError
	var u *url.Error
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &send) || errors.As(err, &u) ||
		errors.As(err, &timed) && timed.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// cause is the text of what lies under the layers that only repeat the request,
// which may be a signed URL.
func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return clean(err.Error())
}

// refused explains an answer by its code, or where the code says nothing, by
// its status.
func (s *Store) refused(op remote.Op, name string, a answer) *Error {
	e := s.newError(op, name, nil, "")
	e.Status, e.Code = a.status, a.code
	reason, known := reasons[a.code]
	if !known {
		reason = byStatus(a.status)
	}
	e.kind, e.final = reason.kind, reason.final
	e.Text = reason.text
	if e.Text == "" {
		e.Text = "the server refused"
	}
	e.Text += a.detail()
	return e
}

// detail is what the server said, in brackets.
func (a answer) detail() string {
	said := fmt.Sprint(a.status)
	if a.code != "" {
		said += " " + a.code
	}
	if a.message != "" {
		said += ": " + a.message
	}
	if r := a.region(); r != "" && a.status != http.StatusForbidden {
		said += "; the bucket is in region " + r
	}
	return " (" + clean(said) + ")"
}

// A reason is what an error code means to us.
type reason struct {
	kind  error
	final bool
	text  string
}

var (
	busy    = reason{remote.ErrUnreachable, false, "the server is not able to answer now"}
	broken  = reason{remote.ErrDamaged, false, "the server received other bytes than were sent"}
	noSpace = reason{remote.ErrFull, true, "the remote is full"}
	denied  = reason{fs.ErrPermission, true, "the credentials do not allow this"}
	expired = reason{fs.ErrPermission, true, "the credentials have expired"}
	taken   = reason{fs.ErrExist, true, "the name is taken"}
)

var reasons = map[string]reason{
	"NoSuchBucket": {remote.ErrNoBucket, true, "the bucket does not exist"},
	"NoSuchKey":    {fs.ErrNotExist, true, "there is no such object"},

	"AccessDenied":               denied,
	"AllAccessDisabled":          denied,
	"AccountProblem":             denied,
	"InvalidSecurity":            denied,
	"XAdminUserNotFound":         {fs.ErrPermission, true, "the access key is not known to the server"},
	"InvalidAccessKeyId":         {fs.ErrPermission, true, "the access key is not known to the server"},
	"SignatureDoesNotMatch":      {fs.ErrPermission, true, "the secret key does not belong to the access key"},
	"RequestTimeTooSkewed":       {fs.ErrPermission, true, "the clock of this machine is wrong"},
	"ExpiredToken":               expired,
	"InvalidToken":               expired,
	"TokenRefreshRequired":       expired,
	"PreconditionFailed":         taken,
	"ConditionalRequestConflict": {nil, false, "another writer was at the same name"},
	"OperationAborted":           busy,

	"SlowDown":                    busy,
	"RequestTimeout":              busy,
	"InternalError":               busy,
	"ServiceUnavailable":          busy,
	"XMinioServerNotInitialized":  busy,
	"BadDigest":                   broken,
	"InvalidDigest":               broken,
	"XAmzContentSHA256Mismatch":   broken,
	"XAmzContentChecksumMismatch": broken,
	"IncompleteBody":              broken,

	"QuotaExceeded":                  noSpace,
	"InsufficientStorage":            noSpace,
	"XMinioStorageFull":              noSpace,
	"XMinioAdminBucketQuotaExceeded": noSpace,

	"PermanentRedirect":            {nil, true, "the bucket is elsewhere"},
	"AuthorizationHeaderMalformed": {nil, true, "the region is wrong"},
}

func byStatus(status int) reason {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return denied
	case http.StatusNotFound:
		// Absence is said by its code, and by nothing else: this may be any
		// web server, or any trouble with the account.
		return reason{final: true, text: "not found, and not in the words of S3"}
	case http.StatusPreconditionFailed:
		return taken
	case http.StatusInsufficientStorage:
		return noSpace
	case http.StatusConflict:
		return reason{}
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return busy
	case http.StatusNotImplemented:
		return reason{final: true}
	}
	if status >= 500 || status < 300 {
		return busy
	}
	return reason{final: true}
}

func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// clean makes foreign text fit for one line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}
