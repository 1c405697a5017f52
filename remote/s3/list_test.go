package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coffer/remote"
)

// list returns the names of a listing, and the error that ended it.
func list(t *testing.T, s remote.Store, prefix, after string) (names []string, err error) {
	t.Helper()
	for info, e := range s.List(t.Context(), prefix, after) {
		if e != nil {
			return names, e
		}
		names = append(names, info.Name)
	}
	return names, nil
}

// A listing that is not what it should be is an error, never a short listing.
func TestListWrong(t *testing.T) {
	const size = "<Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
	for what, handler := range map[string]http.HandlerFunc{
		"truncated without a token": func(w http.ResponseWriter, r *http.Request) { page(w, true, "", "p/a", "p/b") },
		"not in order":              func(w http.ResponseWriter, r *http.Request) { page(w, false, "", "p/b", "p/a") },
		"repeated":                  func(w http.ResponseWriter, r *http.Request) { page(w, false, "", "p/a", "p/a") },
		"strays":                    func(w http.ResponseWriter, r *http.Request) { page(w, false, "", "p/a", "q/a") },
		"page repeated": func(w http.ResponseWriter, r *http.Request) {
			page(w, true, "t"+r.FormValue("continuation-token"), "p/a", "p/b")
		},
		"circle": func(w http.ResponseWriter, r *http.Request) { page(w, true, "same") },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			page(w, true, r.FormValue("continuation-token")+"x")
		},
		"no size": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<ListBucketResult><Name>bucket</Name><Contents><Key>p/a</Key></Contents></ListBucketResult>")
		},
		"negative size": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<ListBucketResult><Name>bucket</Name><Contents><Key>p/a</Key>"+strings.Replace(size, "1", "-1", 1)+"</Contents></ListBucketResult>")
		},
		"bad encoding": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<ListBucketResult><Name>bucket</Name><EncodingType>url</EncodingType><Contents><Key>p/%zz</Key>"+size+"</Contents></ListBucketResult>")
		},
	} {
		names, err := list(t, fake(t, handler), "", "")
		if !errors.Is(err, remote.ErrDamaged) {
			t.Errorf("%s: %q, %v, want ErrDamaged", what, names, err)
		}
	}
	for what, answer := range map[string]string{
		"cut off":          "<ListBucketResult><Name>bucket</Name><Contents><Key>p/a</Key>" + size,
		"login page":       "<html><body>Welcome</body></html>",
		"nothing":          "",
		"error in success": "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>",
		"other XML":        "<ListAllMyBucketsResult></ListAllMyBucketsResult>",
	} {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answer) })
		names, err := list(t, s, "", "")
		if err == nil || remote.Final(err) || len(names) != 0 {
			t.Errorf("%s: %q, %v, want an error worth a retry", what, names, err)
		}
	}
}

// A second page that fails ends the listing with the error, after the first.
func TestListBreaks(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("continuation-token") != "" {
			refuse(w, 503, "SlowDown", "Reduce your request rate.")
			return
		}
		page(w, true, "next", "p/a", "p/b")
	})
	names, err := list(t, s, "", "")
	if !errors.Is(err, remote.ErrUnreachable) || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q, %v", names, err)
	}
}

// Pages, one of them empty; keys that are nobody's; a server that does not know
// start-after.
func TestListForgives(t *testing.T) {
	keys := []string{"p/", "p/%01", "p/.x", "p/A", "p/a", "p/a%2Fb", "p/b", "p/c%20d", "p/d"}
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("encoding-type") != "url" || r.FormValue("prefix") != "p/" {
			refuse(w, 400, "InvalidArgument", "not what was expected")
			return
		}
		at, _ := strconv.Atoi(r.FormValue("continuation-token"))
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprintf(w, "<ListBucketResult><Name>bucket</Name><EncodingType>url</EncodingType><IsTruncated>%v</IsTruncated>", at < 5)
		fmt.Fprintf(w, "<NextContinuationToken>%d</NextContinuationToken>", at+1)
		for _, key := range keys[min(len(keys), 2*at):min(len(keys), 2*at+2)] {
			fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>", key)
		}
		fmt.Fprint(w, "</ListBucketResult>")
	})
	names, err := list(t, s, "", "a")
	if err != nil || !slices.Equal(names, []string{"a/b", "b", "d"}) {
		t.Errorf("%q, %v", names, err)
	}
}
