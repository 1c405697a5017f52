package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"coffer/remote"
	"coffer/remote/storetest"
	"coffer/remote/storetest/servers"
)

// Both servers, in clear and over TLS with an authority of our own.
func TestContract(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MinIO, servers.VersityGW} {
		for _, scheme := range []servers.Scheme{servers.HTTP, servers.TLS} {
			t.Run(fmt.Sprintf("%s %s", kind, scheme), func(t *testing.T) {
				t.Parallel()
				srv := servers.Start(t, kind, scheme)
				bucket := srv.NewBucket(t)
				var n atomic.Int32
				storetest.Run(t, func(t *testing.T) remote.Store {
					return srv.Open(t, bucket, fmt.Sprintf("some/Prefix_%d", n.Add(1)))
				})
			})
		}
	}
}
