package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"coffer/remote/storetest/servers"
)

// stores starts a real S3 server, with or without TLS, for the scripts that ask
// for one.
type stores struct {
	t       *testing.T
	mu      sync.Mutex
	running map[servers.Scheme]*servers.Server // guarded by mu
	made    int                                // guarded by mu: buckets
}

// use is the command s3 [https] [versions | lock | governance | compliance]: it
// makes a bucket, which keeps versions, can lock, or has a default lock of a day, and sets REMOTE to
// a prefix of it, ENDPOINT to the server, DATA to the folder of the bucket on its
// disk, the credentials to those of the owner, and with https CA to the file of
// the authority.
func (s *stores) use(ts *testscript.TestScript, neg bool, args []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scheme, o := servers.HTTP, servers.BucketOptions{}
	for _, arg := range args {
		switch arg {
		case "https":
			scheme = servers.TLS
		case "versions":
			o.Versions = true
		case "lock":
			o.Lock = true
		default:
			o = servers.BucketOptions{Lock: true, Mode: types.ObjectLockRetentionMode(strings.ToUpper(arg)), Days: 1}
		}
	}
	srv := s.running[scheme]
	if srv == nil {
		var err error
		srv, err = servers.New(s.t.TempDir(), servers.MinIO, scheme)
		ts.Check(err)
		s.t.Cleanup(srv.Stop)
		s.running[scheme] = srv
	}
	s.made++
	bucket := fmt.Sprintf("bucket-%d", s.made)
	ts.Check(srv.MakeBucket(context.Background(), bucket, o))
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": srv.AccessKey, "AWS_SECRET_ACCESS_KEY": srv.SecretKey, "AWS_SESSION_TOKEN": "", "CA": srv.CAFile,
		"ENDPOINT": srv.Endpoint, "DATA": filepath.Join(srv.Data, bucket), "REMOTE": "s3:" + srv.Endpoint + "/" + bucket + "/prefix",
	} {
		ts.Setenv(name, value)
	}
}

// assume POLICY [https] takes credentials that may do no more than the access
// policy in a file says.
func (s *stores) assume(ts *testscript.TestScript, neg bool, args []string) {
	scheme := servers.HTTP
	if len(args) == 2 {
		scheme = servers.Scheme(args[1])
	}
	s.mu.Lock()
	srv := s.running[scheme]
	s.mu.Unlock()
	as, err := srv.Assume(context.Background(), []byte(ts.ReadFile(args[0])))
	ts.Check(err)
	for _, v := range as.Env() {
		name, value, _ := strings.Cut(v, "=")
		ts.Setenv(name, value)
	}
}
