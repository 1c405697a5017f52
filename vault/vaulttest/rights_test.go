package vaulttest_test

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"coffer/chunk"
	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"
	"coffer/vault"
	"coffer/vault/backup"
	"coffer/vault/ledger"
	"coffer/vault/prune"
	"coffer/vault/vaulttest"
	"coffer/vault/verify"
)

// With the credentials of the policies that are printed: a device makes a vault,
// backs up, condemns, and cannot delete; maintenance deletes. In a bucket that
// keeps versions, and in one where nothing can be destroyed for a day.
func TestPrunesUnderPolicies(t *testing.T) {
	for what, o := range map[string]servers.BucketOptions{
		"versions": {Versions: true},
		"locked":   {Lock: true, Mode: types.ObjectLockRetentionModeCompliance, Days: 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			srv := servers.Start(t, servers.MinIO, servers.HTTP)
			bucket := srv.NewBucketWith(t, o)
			device := restricted(t, srv, bucket, s3.PolicyOptions{})
			maintenance := restricted(t, srv, bucket, s3.PolicyOptions{Maintain: true})

			room := vaulttest.On(t, device)
			backUp(t, room)
			data := []byte("a pack that nobody needs")
			orphan := remote.NewObject(ledger.Pack{Series: chunk.Series{1}, Number: 7, Sum: sha256.Sum256(data)}.Name(), data)
			if err := device.Put(t.Context(), orphan); err != nil {
				t.Fatal(err)
			}
			quick := vault.DefaultSafety
			quick.CondemnAge, quick.CommitLife, quick.ListLag, quick.Grace, quick.GraceLate = time.Second, 2*time.Second, 0, 3*time.Second, 3*time.Second
			room.Safety = &quick
			time.Sleep(2500 * time.Millisecond)
			if res, err := pruneOnce(t, room); err != nil || res.Condemned.All().Count != 1 {
				t.Fatalf("condemn: %+v, %v", res, err)
			}
			time.Sleep(4500 * time.Millisecond)
			if res, err := pruneOnce(t, room); !errors.Is(err, fs.ErrPermission) || res.Deleted.All().Count != 0 {
				t.Fatalf("delete with a device's credentials: %+v, %v, want fs.ErrPermission", res, err)
			}
			if res, err := pruneOnce(t, room.With(maintenance)); err != nil || res.Deleted.All().Count != 1 {
				t.Fatalf("delete: %+v, %v", res, err)
			}
			if _, err := device.Get(t.Context(), nil, orphan.Name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("get what was pruned: %v, want fs.ErrNotExist", err)
			}
			room.Safety = nil
			backUp(t, room)
			res, err := verify.Run(t.Context(), room.Lent(t), verify.Options{Deep: true})
			if err != nil || len(res.Problems) > 0 || res.Snapshots != 2 {
				t.Errorf("verify: %+v, %v", res, err)
			}
		})
	}
}

// restricted opens a bucket's store under a policy.
func restricted(t *testing.T, srv *servers.Server, bucket string, o s3.PolicyOptions) *s3.Store {
	t.Helper()
	policy, err := s3.Policy(s3.Location{Endpoint: srv.Endpoint, Bucket: bucket, Prefix: "p"}, o)
	if err != nil {
		t.Fatal(err)
	}
	as, err := srv.Assume(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	return as.Open(t, bucket, "p")
}

func backUp(t *testing.T, room *vaulttest.Room) {
	t.Helper()
	folder := filepath.Join(room.Home, "work")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := backup.Run(t.Context(), room.Reopen(t), backup.Options{Project: "00112233445566aa", Label: "p", Roots: []string{folder}, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
}

func pruneOnce(t *testing.T, room *vaulttest.Room) (prune.Result, error) {
	t.Helper()
	plan, err := prune.Make(t.Context(), room.Reopen(t), prune.Options{MaxDelete: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Stopped(); err != nil {
		t.Fatal(err)
	}
	return plan.Run(t.Context())
}
