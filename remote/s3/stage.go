package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The lives that a presigned request can have.
const (
	minLife = 2 * time.Second
	maxLife = 7 * 24 * time.Hour
)

// Stage signs a request that stores o and that the server refuses once life has
// passed by its own clock, which is also the clock it is signed with: times are
// whole seconds, so up to one second of the life is lost, and none is ever won.
// Nothing is sent but, perhaps, a question for the server's time.
//
// The server judges when the request begins. A publish whose answer was lost
// may therefore still succeed for as long as its body, sent before, is on the
// way.
func (s *Store) Stage(ctx context.Context, o remote.Object, life time.Duration) (remote.Staged, error) {
	if err := errors.Join(remote.CheckObject(o), remote.CheckSum(o)); err != nil {
		return nil, err
	}
	if life < minLife || life > maxLife {
		return nil, fmt.Errorf("stage %s: a life of %s is not within %s and %s: %w", o.Name, life, minLife, maxLife, fs.ErrInvalid)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	until, err := s.lockUntil(ctx)
	if err != nil {
		return nil, err
	}
	p := &staged{
		s:     s,
		o:     remote.Object{Name: o.Name, Data: slices.Clone(o.Data), Sum: o.Sum},
		guard: s.ifNoneMatch.Load(),
		until: until,
		life:  life.Truncate(time.Second), signed: now.Truncate(time.Second), made: time.Now(),
	}
	if err := p.sign(ctx); err != nil {
		return nil, s.explain(ctx, remote.OpStage, o.Name, err)
	}
	return p, nil
}

// sign makes the request.
func (p *staged) sign(ctx context.Context) (err error) {
	in := p.s.putInput(ctx, p.o, p.guard, p.until)
	in.Body = nil
	region := *p.s.region.Load()
	p.request, err = p.s.presign.PresignPutObject(ctx, in, func(o *s3.PresignOptions) {
		o.Expires = p.life
		o.Presigner = signAt{o.Presigner, p.signed}
		o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) { o.Region = region })
	})
	return err
}

// signAt signs with a time of its own instead of the local clock's.
type signAt struct {
	s3.HTTPPresignerV4
	time time.Time
}

func (s signAt) PresignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string,
	_ time.Time, opts ...func(*v4.SignerOptions)) (string, http.Header, error) {
	return s.HTTPPresignerV4.PresignHTTP(ctx, c, r, payloadHash, service, region, s.time, opts...)
}

// staged is a signed request, not yet sent.
type staged struct {
	s       *Store
	o       remote.Object
	request *v4.PresignedHTTPRequest
	guard   bool      // the server shall refuse a name that is taken
	until   time.Time // locked; zero if not
	life    time.Duration
	signed  time.Time // by the server's clock
	made    time.Time // by the local clock, with its monotonic reading

	// guarded by mu
	mu        sync.Mutex
	published bool
	discarded bool
	unsure    bool // a try was sent whose outcome is not known
}

// Publish sends the request.
func (p *staged) Publish(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return p.s.explain(ctx, remote.OpPublish, p.o.Name, err)
	}
	if p.published {
		return nil
	}
	err := p.expiry()
	if err == nil {
		err = p.send(ctx)
	}
	if !p.guard && mayWantGuard(err) {
		err = p.sendGuarded(ctx, err)
	}
	if p.guard && errors.Is(err, fs.ErrExist) {
		err = p.s.compare(ctx, remote.OpPublish, p.o, err)
	}
	if errors.Is(err, remote.ErrExpired) && p.unsure {
		err = p.late(ctx, err)
	}
	if err != nil {
		p.s.clock.forget()
	}
	p.published = err == nil
	return err
}

// sendGuarded signs the same request once more, as a conditional one of the
// same time and life, and sends it.
func (p *staged) sendGuarded(ctx context.Context, refused error) error {
	plain := p.request
	p.guard = true
	if err := p.sign(ctx); err != nil {
		p.guard, p.request = false, plain
		return p.s.explain(ctx, remote.OpPublish, p.o.Name, err)
	}
	if !p.s.guarded(&refused, p.send(ctx)) {
		p.guard, p.request = false, plain
	}
	return refused
}

// Discard gives the request up. The server knows nothing of it.
func (p *staged) Discard(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discarded = true
	return nil
}

// expiry saves asking a server for what it must refuse, or should.
func (p *staged) expiry() error {
	now := time.Now()
	passed := max(now.Sub(p.made), now.Round(0).Sub(p.made.Round(0)))
	if p.discarded || passed >= p.life {
		return p.expired("its time is over")
	}
	return nil
}

func (p *staged) expired(text string) error {
	return p.s.newError(remote.OpPublish, p.o.Name, remote.ErrExpired, text)
}

// late looks whether an earlier try, whose answer was lost, has succeeded.
func (p *staged) late(ctx context.Context, expired error) error {
	there, err := p.s.holds(ctx, remote.OpPublish, p.o)
	if err != nil {
		return err
	}
	if !there {
		return expired
	}
	return nil
}

func (p *staged) send(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, p.request.Method, p.request.URL, p.s.body(ctx, p.o.Data))
	if err != nil {
		return p.s.newError(remote.OpPublish, p.o.Name, nil, "make the request: "+cause(err))
	}
	for name, values := range p.request.SignedHeader {
		if name != "Host" {
			req.Header[name] = values
		}
	}
	req.ContentLength = int64(len(p.o.Data))
	if len(p.o.Data) == 0 {
		req.Body = http.NoBody // or the length would be unknown
	}
	res, err := p.s.http.Do(req)
	if err != nil {
		p.unsure = true
		return p.s.explain(ctx, remote.OpPublish, p.o.Name, err)
	}
	defer res.Body.Close()
	return p.judge(ctx, res)
}

// maxRefusal bounds what is read of an answer, in bytes.
const maxRefusal = 64 << 10

// judge reads the answer.
func (p *staged) judge(ctx context.Context, res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	if err != nil {
		p.unsure = true
		return p.s.explain(ctx, remote.OpPublish, p.o.Name, err)
	}
	a := readRefusal(res, text)
	if res.StatusCode/100 == 2 && a.code == "" {
		err := p.s.acknowledged(remote.OpPublish, p.o, res.Header.Get("ETag"), res.Header.Get("X-Amz-Checksum-Sha256"))
		p.unsure = p.unsure || err != nil
		return err
	}
	if p.refusedAsLate(a) {
		return p.expired("the server refused it as too late" + a.detail())
	}
	// A server that is in trouble may have stored it all the same.
	p.unsure = p.unsure || a.status >= 500 || a.status < 300
	return p.s.refused(remote.OpPublish, p.o.Name, a)
}

// refusedAsLate: servers say so in words, under a code that they also use for
// other things; and what is forbidden after the time has passed is forbidden
// for that.
func (p *staged) refusedAsLate(a answer) bool {
	if a.status != http.StatusForbidden && a.status != http.StatusBadRequest {
		return false
	}
	said := a.code == "AccessDenied" && strings.Contains(strings.ToLower(a.message), "expired") ||
		a.code == "ExpiredPresignRequest"
	date, err := http.ParseTime(a.header.Get("Date"))
	return said || err == nil && a.status == http.StatusForbidden && date.After(p.signed.Add(p.life))
}

// readRefusal reads the error an answer holds, if it holds one.
func readRefusal(res *http.Response, text []byte) answer {
	a := answer{status: res.StatusCode, header: res.Header, requestID: res.Header.Get("X-Amz-Request-Id")}
	var e struct {
		XMLName xml.Name
		Code    string
		Message string
	}
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&e); err == nil && e.XMLName.Local == "Error" {
		a.code, a.message = e.Code, e.Message
		if a.code == "" {
			a.code = "Unknown"
		}
	}
	return a
}
