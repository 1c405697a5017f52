// Package servers starts real S3 servers for tests: MinIO and versitygw, built
// from pinned sources (deploy/minio, deploy/versitygw), each with empty data of
// its own, on a free port of the loopback interface.
//
//	srv := servers.Start(t, servers.MinIO, servers.TLS)
//	store := srv.Open(t, srv.NewBucket(t), "prefix")
//
// A server ends with the test that started it, and with its process, however
// that ends. If a binary is missing, it is built, which takes minutes the first
// time (deploy/testservers does it beforehand). Nothing here skips a test.
package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/remote/s3"
)

// A Kind is a server program.
type Kind string

const (
	MinIO     Kind = "minio"
	VersityGW Kind = "versitygw"
)

// A Scheme is how a server is spoken to.
type Scheme string

const (
	HTTP Scheme = "http"
	TLS  Scheme = "https"
)

// A Server is running.
type Server struct {
	Kind      Kind
	Endpoint  string // scheme://127.0.0.1:port
	AccessKey string
	SecretKey string
	Token     string // of a session; see [Server.Assume]
	CAFile    string // PEM file of the authority made for it; "" without TLS
	Data      string // folder in which it keeps its data

	dir    string
	scheme Scheme
	cmd    *exec.Cmd
	stdin  io.Closer // its end ends the server
	log    *syncBuffer
	gone   chan struct{}
}

// Start starts a server and stops it at the end of the test.
func Start(t testing.TB, kind Kind, scheme Scheme) *Server {
	t.Helper()
	s, err := New(t.TempDir(), kind, scheme)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// New starts a server that keeps everything in dir, for use outside of a single
// test (TestMain). It must be stopped.
func New(dir string, kind Kind, scheme Scheme) (*Server, error) {
	program, err := binary(kind)
	if err != nil {
		return nil, err
	}
	s := &Server{Kind: kind, dir: dir, Data: filepath.Join(dir, "data"), AccessKey: "test" + token(4), SecretKey: token(20), scheme: scheme}
	for _, sub := range []string{"data", "meta", "certs", "home"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if scheme == TLS {
		if s.CAFile, err = makeCertificates(filepath.Join(dir, "certs")); err != nil {
			return nil, err
		}
	}
	// The port is free when chosen; whoever takes it meanwhile costs a try.
	for range 5 {
		if err = s.start(program); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func token(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Again starts a server that was stopped once more, at the same address and
// with the data it had.
func (s *Server) Again() error {
	program, err := binary(s.Kind)
	if err != nil {
		return err
	}
	return s.startAt(program, strings.TrimPrefix(s.Endpoint, string(s.scheme)+"://"))
}

// start starts the program at a free address and waits until it serves.
func (s *Server) start(program string) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	return s.startAt(program, addr)
}

func (s *Server) startAt(program, addr string) (err error) {
	s.Endpoint = string(s.scheme) + "://" + addr
	s.cmd = exec.Command(program, s.args(addr)...)
	s.cmd.Env = s.environment()
	s.cmd.Dir = s.dir
	s.log = &syncBuffer{}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.Kind, err)
	}
	s.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		cmd.Wait()
		close(gone)
	}(s.cmd, s.gone)
	if err := s.ready(30 * time.Second); err != nil {
		s.Stop()
		return err
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *Server) args(addr string) []string {
	certs := filepath.Join(s.dir, "certs")
	if s.Kind == MinIO {
		return []string{"server", "--quiet", "--address", addr, "--certs-dir", certs, s.Data}
	}
	args := []string{"-data", s.Data, "-meta", filepath.Join(s.dir, "meta")}
	if s.scheme == TLS {
		args = append(args, "-cert", filepath.Join(certs, certFile), "-key", filepath.Join(certs, keyFile))
	}
	return append(args, addr)
}

func (s *Server) environment() []string {
	return []string{
		"EXIT_WITH_STDIN=1",
		"HOME=" + filepath.Join(s.dir, "home"),
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
		"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey,
	}
}

// ready waits until the server says that it is.
func (s *Server) ready(patience time.Duration) error {
	path := "/health"
	if s.Kind == MinIO {
		path = "/minio/health/ready"
	}
	client, err := s.plainClient()
	if err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s.ended() {
			break
		}
		res, err := client.Get(s.Endpoint + path)
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK && !s.ended() {
			return nil
		}
	}
	return fmt.Errorf("start %s at %s: it is not ready; it says:\n%s", s.Kind, s.Endpoint, s.log.String())
}

func (s *Server) ended() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// Stop ends the server.
func (s *Server) Stop() {
	s.stdin.Close()
	select {
	case <-s.gone:
	case <-time.After(5 * time.Second):
		s.cmd.Process.Kill()
		<-s.gone
	}
}

// Log returns what the server has written so far.
func (s *Server) Log() string { return s.log.String() }

// Env returns the environment with which the command and the AWS tools reach
// the server.
func (s *Server) Env() []string {
	env := []string{"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey}
	if s.Token != "" {
		env = append(env, "AWS_SESSION_TOKEN="+s.Token)
	}
	if s.CAFile != "" {
		env = append(env, "AWS_CA_BUNDLE="+s.CAFile)
	}
	return env
}

// CredentialsFile writes the server's credentials to a file and returns its path.
func (s *Server) CredentialsFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(strings.Join([]string{s.AccessKey, s.SecretKey, s.Token}, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Options returns how to open a prefix of a bucket.
func (s *Server) Options(t testing.TB, bucket, prefix string) s3.Options {
	t.Helper()
	return s3.Options{
		Location:        s3.Location{Endpoint: s.Endpoint, Bucket: bucket, Prefix: prefix},
		CredentialsFile: s.CredentialsFile(t),
		CAFile:          s.CAFile,
	}
}

// Open opens a prefix of a bucket, without retries.
func (s *Server) Open(t testing.TB, bucket, prefix string) *s3.Store {
	t.Helper()
	store, err := s3.Open(t.Context(), s.Options(t, bucket, prefix))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// NewBucket makes a bucket of a new name.
func (s *Server) NewBucket(t testing.TB) string {
	t.Helper()
	bucket := "bucket-" + token(6)
	store := s.Open(t, bucket, "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for { // a server that is ready may still be making its own house
		err := store.MakeBucket(ctx)
		if err == nil {
			return bucket
		}
		if ctx.Err() != nil {
			t.Fatalf("make bucket at %s: %v; the server says:\n%s", s.Kind, err, s.Log())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// syncBuffer collects what a server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.b.String())
}
