package config

import "testing"

func TestParseRemote(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for text, want := range map[string]Remote{
		"/mnt/coffer":                          {Dir: "/mnt/coffer"},
		"/mnt//coffer/../b/":                   {Dir: "/mnt/b"},
		"~/vault":                              {Dir: "/home/ada/vault"},
		"s3://my-bucket":                       {Bucket: "my-bucket"},
		"s3://my_Bucket.1/a/b/":                {Bucket: "my_Bucket.1", Prefix: "a/b"},
		"s3:https://s3.example.com/bucket":     {Endpoint: "https://s3.example.com", Bucket: "bucket"},
		"s3:http://localhost:9000/bucket/x":    {Endpoint: "http://localhost:9000", Bucket: "bucket", Prefix: "x"},
		"s3:https://[2001:db8::1]:9000/bucket": {Endpoint: "https://[2001:db8::1]:9000", Bucket: "bucket"},
		"s3:https://[2001:db8::1]/bucket":      {Endpoint: "https://[2001:db8::1]", Bucket: "bucket"},
		"s3:https://127.0.0.1/bucket/a=b":      {Endpoint: "https://127.0.0.1", Bucket: "bucket", Prefix: "a=b"},
		"s3:https://H.Example/bucket":          {Endpoint: "https://h.example", Bucket: "bucket"},
	} {
		got, err := ParseRemote(text)
		if got != want || err != nil {
			t.Errorf("%q gives %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := ParseRemote(got.String()); again != got || err != nil {
			t.Errorf("%q is shown as %q, which gives %+v, %v", text, got, again, err)
		}
	}
}

func TestParseRemoteRefuses(t *testing.T) {
	for _, text := range []string{
		"", "bucket", "./dir", "~bob/dir", `C:\backup`, "file:///mnt", "s3:", "s3:/", "s3://", "s3:///a", "s3:bucket", "S3://bucket",
		"s3:ftp://h.example/bucket", "s3:https:/h.example/bucket", "s3:https:///bucket", "s3:https://h.example", "s3:https://h.example/",
		"s3:https://h.example//bucket", "s3:https://h.example:/bucket", "s3:https://h.example:0/bucket", "s3:https://h.example:65536/bucket",
		"s3:https://h.example:x/bucket", "s3:https://-h/bucket", "s3:https://h example/bucket", "s3:https://[::1/bucket",
		"s3:https://[::1]x/bucket", "s3:https://[h]/bucket", "s3:https://2001:db8::1/bucket",
		"s3://ab", "s3://-abc", "s3://abc-", "s3://a b", "s3://bucket/a//b", "s3://bucket/./b", "s3://bucket/../b", "s3://bucket/a%20b",
		"s3://bucket/größe", "s3://bucket/a\x00b", "s3://bucket?x", "s3://bucket/a#b", "s3:https://u@h.example/bucket",
		"s3:https://u:p@h.example/bucket", "s3:https://u:1/p@h.example/bucket", "s3:https://h.example/bucket/a@b",
	} {
		if got, err := ParseRemote(text); err == nil {
			t.Errorf("%q is accepted as %+v", text, got)
		}
	}
}
