package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote/s3"
)

// open returns a store at an endpoint, with credentials from a file.
func open(t *testing.T, endpoint string, change func(*s3.Options)) *s3.Store {
	t.Helper()
	creds := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(creds, []byte("AKIDEXAMPLE\nnot-a-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := s3.Options{Location: s3.Location{Endpoint: endpoint, Bucket: "bucket", Prefix: "p"}, CredentialsFile: creds}
	if change != nil {
		change(&o)
	}
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fake starts a server that answers as handler does, and opens a store on it.
func fake(t *testing.T, handler http.HandlerFunc) *s3.Store {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return open(t, srv.URL, nil)
}

// refuse answers as S3 refuses.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

// accept answers a PUT as S3 does.
func accept(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("ETag", `"0"`)
}

// page answers a listing.
func page(w http.ResponseWriter, truncated bool, token string, keys ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>bucket</Name><IsTruncated>%v</IsTruncated>", truncated)
	if token != "" {
		fmt.Fprintf(&b, "<NextContinuationToken>%s</NextContinuationToken>", token)
	}
	for _, key := range keys {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><Size>3</Size><LastModified>%s</LastModified></Contents>", key, time.Now().UTC().Format(time.RFC3339))
	}
	w.Header().Set("Content-Type", "application/xml")
	io.WriteString(w, b.String()+"</ListBucketResult>")
}

// fakeWith starts a server that answers as handler does and opens a store on it
// with o, whose location it fills in.
func fakeWith(t *testing.T, o s3.Options, handler http.HandlerFunc) *s3.Store {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	o.Location = s3.Location{Endpoint: srv.URL, Bucket: "bucket", Prefix: "p"}
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
