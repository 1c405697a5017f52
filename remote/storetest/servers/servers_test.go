package servers_test

import (
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/storetest/servers"
)

// Each server starts in both ways, keeps its data where it says, and is gone
// after Stop.
func TestServers(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		for _, scheme := range []servers.Scheme{servers.HTTP, servers.TLS} {
			srv := servers.Start(t, kind, scheme)
			bucket := srv.NewBucket(t)
			if _, err := os.Stat(filepath.Join(srv.Data, bucket)); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if err := srv.Open(t, bucket, "p").Put(t.Context(), remote.NewObject("a", []byte("x"))); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			u, err := url.Parse(srv.Endpoint)
			if err != nil || u.Hostname() != "127.0.0.1" || u.Scheme != string(scheme) {
				t.Errorf("%s: endpoint %s, %v", kind, srv.Endpoint, err)
			}
			if (srv.CAFile != "") != (scheme == servers.TLS) {
				t.Errorf("%s %s: CA file %q", kind, scheme, srv.CAFile)
			}
			if scheme == servers.TLS {
				// Nobody trusts it who was not told to.
				if c, err := tls.Dial("tcp", u.Host, nil); err == nil {
					c.Close()
					t.Errorf("%s: trusted without its authority", kind)
				}
			}
			if env := strings.Join(srv.Env(), "\n"); !strings.Contains(env, srv.SecretKey) {
				t.Errorf("%s: environment %q", kind, env)
			}
			srv.Stop()
			srv.Stop()
			if c, err := net.DialTimeout("tcp", u.Host, time.Second); err == nil {
				c.Close()
				t.Errorf("%s: there after stop", kind)
			}
		}
	}
}
