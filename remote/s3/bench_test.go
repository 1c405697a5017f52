package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"coffer/remote"
	"coffer/remote/storetest/servers"
)

// Packs of 16 MiB to and from MinIO on the same machine: what the client costs
// can be seen in -cpuprofile; the server takes most.
func BenchmarkPacks(b *testing.B) {
	for _, scheme := range []servers.Scheme{servers.HTTP, servers.TLS} {
		srv := servers.Start(b, servers.MinIO, scheme)
		s := srv.Open(b, srv.NewBucket(b), "p")
		o := remote.NewObject("packs/0", make([]byte, 16<<20))
		if err := s.Put(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("put %s", scheme), func(b *testing.B) {
			b.SetBytes(int64(len(o.Data)))
			var n atomic.Int64
			for b.Loop() {
				p := o
				p.Name = fmt.Sprintf("packs/%d", n.Add(1))
				if err := s.Put(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("get %s", scheme), func(b *testing.B) {
			b.SetBytes(int64(len(o.Data)))
			var buf []byte
			for b.Loop() {
				var err error
				if buf, err = s.Get(b.Context(), buf[:0], "packs/0", 0, -1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
