package s3_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/s3"
)

// openWith opens a store with other credentials.
func openWith(t *testing.T, o s3.Options, key, secret string) *s3.Store {
	t.Helper()
	o.CredentialsFile = filepath.Join(t.TempDir(), "credentials")
	write(t, o.CredentialsFile, key+"\n"+secret+"\n")
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestParseLocation(t *testing.T) {
	for text, want := range map[string]s3.Location{
		"s3:https://host/bucket":                {Endpoint: "https://host", Bucket: "bucket"},
		"s3:https://host:9000/bucket/":          {Endpoint: "https://host:9000", Bucket: "bucket"},
		"s3:http://127.0.0.1:9000/bucket/a/B.c": {Endpoint: "http://127.0.0.1:9000", Bucket: "bucket", Prefix: "a/B.c"},
		"s3:http://[::1]:9000/bucket/a/":        {Endpoint: "http://[::1]:9000", Bucket: "bucket", Prefix: "a"},
		"s3://my.bucket":                        {Bucket: "my.bucket"},
		"s3://bucket/a_b/c=d+e":                 {Bucket: "bucket", Prefix: "a_b/c=d+e"},
	} {
		got, err := s3.ParseLocation(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := s3.ParseLocation(got.String()); err != nil || again != want {
			t.Errorf("%q: written as %q, which reads as %+v, %v", text, got.String(), again, err)
		}
	}
	for _, text := range []string{
		"", "s3:", "s3://", "/path", "https://host/bucket", "s3:https://host", "s3:https://host/", "s3:ftp://host/bucket",
		"s3:host/bucket", "s3:https:///bucket", "s3://ab", "s3://under score", "s3://bucket/a//b", "s3://bucket/../b",
		"s3://bucket/a b", "s3://bucket/ä", "s3://bucket?x=y", "s3://bucket#x", "s3://bucket/%41", "s3:https://host/bucket/%2e%2e/x",
		"s3://bucket/" + strings.Repeat("x", 600), "s3://" + strings.Repeat("b", 64),
	} {
		if l, err := s3.ParseLocation(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, l)
		}
	}
	for _, text := range []string{"s3:https://AKID:hunter2@host/bucket", "s3://AKID:hunter2@bucket/x", "s3:https://host/bucket@hunter2/x\x7f"} {
		if _, err := s3.ParseLocation(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want an error that keeps the secret", text, err)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	f.Add("s3:https://host:9000/bucket/prefix")
	f.Add("s3://bucket/a/b")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := s3.ParseLocation(text)
		if err != nil {
			return
		}
		if again, err := s3.ParseLocation(l.String()); err != nil || again != l {
			t.Errorf("%q reads as %+v, written %q, read again as %+v, %v", text, l, l.String(), again, err)
		}
	})
}

func TestHostRegion(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://s3.eu-central-1.amazonaws.com":           "eu-central-1",
		"https://s3.dualstack.us-west-2.amazonaws.com":    "us-west-2",
		"https://s3-eu-west-1.amazonaws.com":              "eu-west-1",
		"https://s3.cn-north-1.amazonaws.com.cn":          "cn-north-1",
		"https://s3-fips.us-gov-west-1.amazonaws.com:443": "us-gov-west-1",
		"https://s3.amazonaws.com":                        "",
		"https://s3-accelerate.amazonaws.com":             "",
		"https://s3.eu-central-1.example.com":             "",
		"http://127.0.0.1:9000":                           "",
		"":                                                "",
	} {
		if got := s3.HostRegion(endpoint); got != want {
			t.Errorf("%s: %q, want %q", endpoint, got, want)
		}
	}
}

func TestRegionOrder(t *testing.T) {
	aws := s3.Location{Endpoint: "https://s3.eu-west-3.amazonaws.com", Bucket: "bucket"}
	own := s3.Location{Endpoint: "https://minio.example", Bucket: "bucket"}
	for _, c := range []struct {
		location          s3.Location
		option, env, want string
	}{
		{aws, "ap-south-1", "us-east-2", "ap-south-1"},
		{aws, "", "us-east-2", "eu-west-3"},
		{own, "", "us-east-2", "us-east-2"},
		{own, "", "", "us-east-1"},
	} {
		t.Setenv("AWS_REGION", c.env)
		t.Setenv("AWS_CONFIG_FILE", os.DevNull)
		s := openWith(t, s3.Options{Location: c.location, Region: c.option}, "a", "b")
		if s.Region() != c.want {
			t.Errorf("%+v: %q", c, s.Region())
		}
	}
}

// The bucket's region is learned from the first refusal, in either of the ways
// servers state it, and kept.
func TestRegionIsLearned(t *testing.T) {
	for _, how := range []string{"header", "message"} {
		requests := 0
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			requests++
			if strings.Contains(r.Header.Get("Authorization"), "/eu-north-1/s3/") || strings.Contains(r.URL.RawQuery, "%2Feu-north-1%2Fs3%2F") {
				if r.Method == http.MethodGet {
					page(w, false, "")
				} else {
					accept(w, r)
				}
				return
			}
			if how == "header" {
				w.Header().Set("X-Amz-Bucket-Region", "eu-north-1")
				refuse(w, 301, "PermanentRedirect", "elsewhere")
			} else {
				refuse(w, 400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-north-1'")
			}
		})
		for range 3 {
			if err := s.Put(t.Context(), remote.NewObject("a", []byte("x"))); err != nil {
				t.Errorf("%s: %v", how, err)
			}
		}
		st, err := s.Stage(t.Context(), remote.NewObject("b", []byte("x")), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Publish(t.Context()); err != nil {
			t.Errorf("%s: publish: %v", how, err)
		}
		if requests != 5 || s.Region() != "eu-north-1" {
			t.Errorf("%s: %d requests, region %s", how, requests, s.Region())
		}
	}
	// One that sends in circles is not followed for ever.
	n := 0
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("X-Amz-Bucket-Region", []string{"aa-1", "bb-2"}[n%2])
		refuse(w, 301, "PermanentRedirect", "elsewhere")
	})
	if err := s.Put(t.Context(), remote.NewObject("a", nil)); err == nil || n != 2 {
		t.Errorf("in circles: %v after %d requests", err, n)
	}
}

func TestCredentials(t *testing.T) {
	for what, c := range map[string]struct{ text, profile, key, token string }{
		"two lines":     {"AK\nsecret\n", "", "AK", ""},
		"three lines":   {"\ufeff# mine\r\nAK\r\n\r\nsecret\r\ntoken\r\n", "", "AK", "token"},
		"default":       {"[default]\naws_access_key_id = AK\naws_secret_access_key=secret\n", "", "AK", ""},
		"no section":    {"aws_access_key_id=AK\naws_secret_access_key=secret", "", "AK", ""},
		"profile":       {"[default]\naws_access_key_id=X\naws_secret_access_key=y\n[ profile work ]\nAWS_ACCESS_KEY_ID=AK\naws_secret_access_key=secret\naws_session_token=tok=en\n", "work", "AK", "tok=en"},
		"only one":      {"[backup]\naws_access_key_id=AK\naws_secret_access_key=secret\n; end", "", "AK", ""},
		"other setting": {"[default]\nregion=x\naws_access_key_id=AK\naws_secret_access_key=secret\n", "", "AK", ""},
	} {
		got, err := s3.ParseCredentials([]byte(c.text), c.profile)
		if err != nil || got.AccessKeyID != c.key || got.SecretAccessKey != "secret" || got.SessionToken != c.token {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	for what, text := range map[string]string{
		"empty": "", "only comments": "# x\n; y\n", "one line": "hunter2\n", "four lines": "hunter2\nhunter2\nhunter2\nhunter2\n",
		"open section": "[default\naws_access_key_id=hunter2\n", "no equals": "[default]\nhunter2\n",
		"no secret": "[default]\naws_access_key_id=hunter2\n", "two others": "[a]\nx=1\n[b]\nx=1\n",
		"huge": strings.Repeat("hunter2\n", 10000), "long line": "[a]\n" + strings.Repeat("x", 65000) + "=hunter2",
	} {
		if c, err := s3.ParseCredentials([]byte(text), ""); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %+v, %v, want an error without a secret", what, c, err)
		}
	}
	if _, err := s3.ParseCredentials([]byte("[a]\naws_access_key_id=x\naws_secret_access_key=y\n"), "b"); err == nil {
		t.Error("a missing profile was found")
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte("AK\nsecret\n"), "")
	f.Add([]byte("[default]\naws_access_key_id=AK\naws_secret_access_key=secret\n"), "default")
	f.Fuzz(func(t *testing.T, b []byte, profile string) {
		if c, err := s3.ParseCredentials(b, profile); err == nil && (c.AccessKeyID == "" || c.SecretAccessKey == "") {
			t.Errorf("accepted %q as %+v", b, c)
		}
	})
}

// Where credentials come from, first to last: the file named, the service
// manager, the AWS chain.
func TestCredentialsOrder(t *testing.T) {
	dir := t.TempDir()
	home := t.TempDir()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, "credentials"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_PROFILE", "")
	var used string
	who := func(o s3.Options) string {
		t.Helper()
		s := fakeWith(t, o, func(w http.ResponseWriter, r *http.Request) {
			_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			used, _, _ = strings.Cut(rest, "/")
			accept(w, r)
		})
		used = ""
		if err := s.Put(t.Context(), remote.NewObject("a", nil)); err != nil {
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
				t.Errorf("put: %v, want fs.ErrPermission and a hint", err)
			}
			return "nobody"
		}
		return used
	}
	check := func(want string, o s3.Options) {
		t.Helper()
		start := time.Now()
		if got := who(o); got != want {
			t.Errorf("%+v: signed by %q, want %q", o, got, want)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %s", took) // as asking a metadata service that is not there would
		}
	}
	check("nobody", s3.Options{})
	write(t, filepath.Join(home, "credentials"), "[default]\naws_access_key_id=SHARED\naws_secret_access_key=x\n[work]\naws_access_key_id=WORK\naws_secret_access_key=x\n")
	check("SHARED", s3.Options{})
	check("WORK", s3.Options{Profile: "work"})
	write(t, filepath.Join(home, "config"), "[profile proc]\ncredential_process = /bin/echo '{\"Version\":1,\"AccessKeyId\":\"PROC\",\"SecretAccessKey\":\"x\"}'\n")
	check("PROC", s3.Options{Profile: "proc"})
	t.Setenv("AWS_ACCESS_KEY_ID", "ENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	check("ENV", s3.Options{})
	write(t, filepath.Join(dir, "aws-credentials"), "SYSTEMD2\nx\n")
	check("SYSTEMD2", s3.Options{})
	write(t, filepath.Join(dir, "coffer-s3"), "SYSTEMD\nx\n")
	check("SYSTEMD", s3.Options{})
	file := filepath.Join(dir, "mine")
	write(t, file, "[a]\naws_access_key_id=FILE\naws_secret_access_key=x\n[b]\naws_access_key_id=FILEB\naws_secret_access_key=x\n")
	check("FILEB", s3.Options{CredentialsFile: file, Profile: "b"})
	check("nobody", s3.Options{CredentialsFile: file})
	check("nobody", s3.Options{CredentialsFile: file + ".gone"})
}

// Credentials that were renewed in their file are taken up when the old ones
// are refused.
func TestCredentialsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c")
	write(t, file, "OLD\nx\n")
	n := 0
	s := fakeWith(t, s3.Options{CredentialsFile: file}, func(w http.ResponseWriter, r *http.Request) {
		n++
		if strings.Contains(r.Header.Get("Authorization"), "Credential=OLD/") {
			refuse(w, 400, "ExpiredToken", "The provided token has expired.")
			return
		}
		accept(w, r)
	})
	if err := s.Put(t.Context(), remote.NewObject("a", nil)); !errors.Is(err, fs.ErrPermission) || n != 2 {
		t.Errorf("put: %v after %d requests, want fs.ErrPermission after 2", err, n)
	}
	write(t, file, "NEW\nx\n")
	if err := s.Put(t.Context(), remote.NewObject("a", nil)); err != nil {
		t.Errorf("put with new credentials: %v", err)
	}
}

// Where the environment sends us is what the location says.
func TestEndpointFromTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/")
	s := openWith(t, s3.Options{Location: s3.Location{Bucket: "bucket", Prefix: "p"}}, "a", "b")
	if got := s.Location(); got != "s3:http://127.0.0.1:9/bucket/p" {
		t.Errorf("location %s", got)
	}
	os.Unsetenv("AWS_ENDPOINT_URL")
	s = openWith(t, s3.Options{Location: s3.Location{Bucket: "bucket", Prefix: "p"}}, "a", "b")
	if got := s.Location(); got != "s3://bucket/p" {
		t.Errorf("location %s", got)
	}
}
