package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Options says which bucket, and how to get at it. Location is needed; the zero
// value of all else works.
type Options struct {
	Location Location

	Region          string // "" is guessed: from the host name, the AWS settings, or the server's answers
	Profile         string // of the AWS settings or the credentials file
	CredentialsFile string // "" is what the package comment says
	CAFile          string // PEM file of certificate authorities to trust besides the system's; "" is $AWS_CA_BUNDLE
	Metadata        bool   // ask a cloud machine's metadata service for credentials

	// HostStyle puts the bucket into the host name of a custom endpoint, for
	// servers that want it there. AWS is always addressed like that.
	HostStyle bool

	// IfNoneMatch asks the server to refuse a name that is taken. Set it only
	// where ProbeIfNoneMatch has found that it does; nothing depends on it.
	IfNoneMatch bool

	Lock Lock // of what is uploaded; the zero value leaves that to the bucket

	Dial  time.Duration // to connect, and again for TLS; 0 is 15 seconds
	Stall time.Duration // without a byte moving in either direction; 0 is a minute
}

// A Store is a remote in a bucket. It is safe for concurrent use.
type Store struct {
	location    Location // with the endpoint that counts
	hostStyle   bool
	client      *s3.Client
	presign     *s3.PresignClient
	credentials *aws.CredentialsCache
	transport   *http.Transport
	http        *http.Client
	clock       *serverClock
	stall       time.Duration
	lock        Lock

	region      atomic.Pointer[string] // believed so far
	ifNoneMatch atomic.Bool            // ask the server to refuse a taken name
	noChecksum  atomic.Bool            // the server knows no x-amz-checksum-sha256
	bodyBytes   atomic.Int64           // read from bodies for sending, ever
}

var _ remote.Store = (*Store)(nil)

// Open prepares access to a bucket. It reads settings and credentials files, but
// sends nothing.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.Location.check(); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Location, err)
	}
	if err := o.Lock.check(); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Location, err)
	}
	o.Dial = orDefault(o.Dial, 15*time.Second)
	o.Stall = orDefault(o.Stall, time.Minute)
	transport, err := newTransport(o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Location, err)
	}
	cfg, err := loadConfig(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Location, err)
	}
	s := &Store{
		location: o.Location, hostStyle: o.HostStyle,
		transport: transport, clock: &serverClock{}, stall: o.Stall, lock: o.Lock,
	}
	s.http = &http.Client{
		Transport: recorder{transport, s.clock},
		// A signed request cannot be sent elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.ifNoneMatch.Store(o.IfNoneMatch)
	s.connect(cfg)
	s.guessRegion(o.Region, cfg.Region)
	return s, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

// loadConfig runs the AWS settings chain.
func loadConfig(ctx context.Context, o Options) (aws.Config, error) {
	metadata := imds.ClientDisabled // on a laptop, asking it is a slow way to fail
	if o.Metadata {
		metadata = imds.ClientDefaultEnableState
	}
	opts := []func(*config.LoadOptions) error{config.WithEC2IMDSClientEnableState(metadata)}
	if file := credentialsFile(o.CredentialsFile); file != "" {
		opts = append(opts, config.WithCredentialsProvider(fileProvider{file, o.Profile}))
	} else if o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return cfg, fmt.Errorf("load AWS settings: %w", err)
	}
	return cfg, nil
}

// connect makes the clients. The settings may name another endpoint
// (AWS_ENDPOINT_URL), which the location then shows.
func (s *Store) connect(cfg aws.Config) {
	cache, ok := cfg.Credentials.(*aws.CredentialsCache)
	if !ok {
		cache = aws.NewCredentialsCache(cfg.Credentials)
	}
	s.credentials = cache
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if s.location.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.location.Endpoint)
		} else if o.BaseEndpoint != nil {
			s.location.Endpoint = strings.TrimRight(*o.BaseEndpoint, "/")
		}
		o.UsePathStyle = s.location.Endpoint != "" && !s.hostStyle
		o.Credentials = namedProvider{cache}
		o.HTTPClient = s.http
		o.AppID = "coffer"
		// Checksums that we do not hand over ourselves become trailers,
		// which many servers refuse.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.DisableS3ExpressSessionAuth = aws.Bool(true)
		// One try: repeating is remote.Retry's, which has no quota to run dry.
		o.Retryer = aws.NopRetryer{}
		o.RetryMaxAttempts = 1
	})
	s.presign = s3.NewPresignClient(s.client)
}

// guessRegion sets the region to begin with. A host name that states one is
// surer than settings, which may be meant for other buckets.
func (s *Store) guessRegion(asked, settings string) {
	for _, region := range []string{asked, hostRegion(s.location.Endpoint), settings, defaultRegion} {
		if region != "" {
			s.region.Store(&region)
			return
		}
	}
}

// Location is the remote as a user writes it, with the endpoint in use.
func (s *Store) Location() string { return s.location.String() }

func (s *Store) key(name string) *string { return aws.String(s.location.base() + name) }

func (s *Store) bucket() *string { return aws.String(s.location.Bucket) }

// Delete removes an object. In a bucket that keeps versions, the version stays.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	err := s.call(ctx, remote.OpDelete, name, func(in func(*s3.Options)) error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(name)}, in)
		return err
	})
	if isAbsent(err) {
		return nil
	}
	return err
}

// Now returns the server's clock, as far as its answers, which state whole
// seconds, tell: up to a second behind it.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	if now, ok := s.clock.now(); ok {
		return now, nil
	}
	// A listing rather than HEAD, whose refusals do not say why.
	err := s.call(ctx, remote.OpNow, "", func(in func(*s3.Options)) error {
		out, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
			Bucket: s.bucket(), Prefix: aws.String(s.location.base()), MaxKeys: aws.Int32(1),
		}, in)
		if err == nil && out.Name == nil {
			err = s.nonsense(remote.OpNow, "", "it is no listing")
		}
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	now, ok := s.clock.now()
	if !ok {
		return now, s.nonsense(remote.OpNow, "", "the answer has no date")
	}
	return now, nil
}

// body is what a request sends: bytes in memory, at the pace of the context,
// counted.
type body struct {
	ctx  context.Context // of the one request it belongs to
	data []byte
	at   int64
	read *atomic.Int64
}

func (s *Store) body(ctx context.Context, data []byte) *body {
	return &body{ctx: ctx, data: data, read: &s.bodyBytes}
}

func (b *body) Read(p []byte) (int, error) {
	rest := b.data[b.at:]
	if len(rest) == 0 {
		return 0, io.EOF
	}
	n, err := remote.PaceUp(b.ctx, min(len(p), len(rest)))
	if err != nil {
		return 0, err
	}
	copy(p, rest[:n])
	b.at += int64(n)
	b.read.Add(int64(n))
	return n, nil
}

func (b *body) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += b.at
	case io.SeekEnd:
		off += int64(len(b.data))
	}
	if off < 0 || off > int64(len(b.data)) {
		return b.at, fmt.Errorf("seek to %d of %d bytes", off, len(b.data))
	}
	b.at = off
	return off, nil
}

var _ io.ReadSeeker = (*body)(nil)
