package s3_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"
)

// assume returns a bucket's store as someone sees it who has a policy.
func assume(t *testing.T, srv *servers.Server, bucket string, o s3.PolicyOptions) (*servers.Server, *s3.Store) {
	t.Helper()
	policy, err := s3.Policy(s3.Location{Endpoint: srv.Endpoint, Bucket: bucket, Prefix: "p"}, o)
	if err != nil {
		t.Fatal(err)
	}
	as, err := srv.Assume(t.Context(), policy)
	if err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}
	return as, as.Open(t, bucket, "p")
}

// What the policies allow and refuse, as MinIO understands them.
func TestPolicies(t *testing.T) {
	t.Parallel()
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	bucket := srv.NewBucket(t)
	for _, maintain := range []bool{false, true} {
		as, s := assume(t, srv, bucket, s3.PolicyOptions{Maintain: maintain})
		ctx := t.Context()
		if err := s.Put(ctx, remote.NewObject("packs/a", []byte("a"))); err != nil {
			t.Errorf("put: %v", err)
		}
		if err := stageFor(t, s, "commits/a", time.Minute).Publish(ctx); err != nil {
			t.Errorf("publish: %v", err)
		}
		if b, err := s.Get(ctx, nil, "packs/a", 0, -1); string(b) != "a" || err != nil {
			t.Errorf("get: %q, %v", b, err)
		}
		if _, err := s.Get(ctx, nil, "packs/none", 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get what is not there: %v, want fs.ErrNotExist", err)
		}
		for _, prefix := range []string{"", "packs/"} {
			if names, err := list(t, s, prefix, ""); !slices.Contains(names, "packs/a") || err != nil {
				t.Errorf("list %q: %q, %v", prefix, names, err)
			}
		}
		if _, err := s.Now(ctx); err != nil {
			t.Errorf("now: %v", err)
		}
		want := fs.ErrPermission
		if maintain {
			want = nil
		}
		if err := s.Delete(ctx, "packs/a"); !errors.Is(err, want) {
			t.Errorf("delete, maintain %v: %v, want %v", maintain, err, want)
		}
		for _, prefix := range []string{"", "other", "p2"} {
			elsewhere := as.Open(t, bucket, prefix)
			if err := elsewhere.Put(ctx, remote.NewObject("x", nil)); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("put below %q: %v, want fs.ErrPermission", prefix, err)
			}
			if _, err := list(t, elsewhere, "", ""); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("list below %q: %v, want fs.ErrPermission", prefix, err)
			}
		}
	}
}

// At AWS every write must be conditional, and the partition is that of the
// region.
func TestPolicyAtAWS(t *testing.T) {
	for _, c := range []struct {
		endpoint, region, arn string
		conditional           bool
	}{
		{"", "", "arn:aws:s3:::bucket", true},
		{"", "cn-north-1", "arn:aws-cn:s3:::bucket", true},
		{"https://s3.us-gov-west-1.amazonaws.com", "", "arn:aws-us-gov:s3:::bucket", true},
		{"https://s3.cn-north-1.amazonaws.com.cn", "eu-west-1", "arn:aws-cn:s3:::bucket", true},
		{"https://minio.example:9000", "cn-north-1", "arn:aws:s3:::bucket", false},
	} {
		b, err := s3.Policy(s3.Location{Endpoint: c.endpoint, Bucket: "bucket"}, s3.PolicyOptions{Region: c.region, LockDays: 30})
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Statement []struct {
				Sid       string
				Resource  []string
				Condition map[string]map[string]string
			}
		}
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		for _, st := range p.Statement {
			for _, r := range st.Resource {
				if r != c.arn && !strings.HasPrefix(r, c.arn+"/") {
					t.Errorf("%s: resource %s, want below %s", st.Sid, r, c.arn)
				}
			}
			if st.Sid == "WriteObjects" && (st.Condition["Null"]["s3:if-none-match"] == "false") != c.conditional {
				t.Errorf("%q: writes under %v", c.endpoint, st.Condition)
			}
		}
	}
	if _, err := s3.Policy(s3.Location{Bucket: "x"}, s3.PolicyOptions{}); err == nil {
		t.Error("a policy for no bucket")
	}
}

// Where a policy demands conditional writes, they are made: the first refusal
// teaches it, to uploads and to what was staged before.
func TestConditionalWritesOnDemand(t *testing.T) {
	puts, taken := 0, map[string]bool{}
	demand := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPut:
			page(w, false, "")
			return
		case r.Header.Get("If-None-Match") != "*":
			refuse(w, 403, "AccessDenied", "Access Denied")
		case taken[r.URL.Path]:
			refuse(w, 412, "PreconditionFailed", "")
		default:
			taken[r.URL.Path] = true
			accept(w, r)
		}
		puts++
	}
	s := fake(t, demand)
	for i, want := range []int{2, 1, 1} {
		puts = 0
		if err := s.Put(t.Context(), remote.NewObject([]string{"a", "b", "c"}[i], nil)); err != nil || puts != want {
			t.Errorf("put %d: %v in %d requests, want %d", i, err, puts, want)
		}
	}
	s = fake(t, demand)
	for name, want := range map[string]int{"staged": 2} {
		puts = 0
		st := stageFor(t, s, name, time.Minute)
		if err := st.Publish(t.Context()); err != nil || puts != want {
			t.Errorf("publish: %v in %d requests, want %d", err, puts, want)
		}
	}
	// Who may not write at all is told so.
	s = fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			refuse(w, 403, "AccessDenied", "Access Denied")
			return
		}
		page(w, false, "")
	})
	if err := s.Put(t.Context(), remote.NewObject("a", nil)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("put: %v, want fs.ErrPermission", err)
	}
	if err := stageFor(t, s, "b", time.Minute).Publish(t.Context()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("publish: %v, want fs.ErrPermission", err)
	}
}

// The documentation shows the policy that is printed.
func TestPolicyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := s3.Policy(s3.Location{Endpoint: "https://minio.example:9000", Bucket: "backups", Prefix: "laptop"}, s3.PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```json\n"+string(policy)+"```\n") {
		t.Errorf("docs/security.md shows another policy than:\n%s", policy)
	}
}
