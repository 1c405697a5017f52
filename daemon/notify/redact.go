package notify

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// blot stands where a secret was.
const blot = "***"

// words are pieces of text that may carry a secret: services put the parts of
// a token together anew, so that it is looked for piece by piece.
var words = regexp.MustCompile(`[\pL\pN]{4,}`)

// secrets lists what must not be told of a URL, longest first: every part of
// it but its scheme and the names of its settings, as it is, unescaped, and
// each of its words; and what a header makes of its user.
func secrets(rawURL string) []string {
	u, err := url.Parse(rawURL)
	if err != nil { // nothing is known of it, so all of it is secret
		return longestFirst(append(words.FindAllString(rawURL, -1), rawURL))
	}
	parts := []string{rawURL, u.Opaque, u.Host, u.Hostname(), u.Path, u.EscapedPath(), u.RawQuery, u.Fragment, u.EscapedFragment()}
	parts = append(parts, strings.Split(u.EscapedPath(), "/")...)
	if u.User != nil {
		password, _ := u.User.Password()
		both := u.User.Username() + ":" + password
		parts = append(parts, u.User.String(), u.User.Username(), password, both,
			base64.StdEncoding.EncodeToString([]byte(both)), base64.URLEncoding.EncodeToString([]byte(both)))
	}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, p := range slices.Clone(parts) {
		if plain, err := url.PathUnescape(p); err == nil {
			parts = append(parts, plain)
			parts = append(parts, words.FindAllString(plain, -1)...)
		}
	}
	names := []string{u.Scheme} // the scheme, and names of settings, are no secrets
	for name := range u.Query() {
		names = append(names, words.FindAllString(name, -1)...)
	}
	return longestFirst(slices.DeleteFunc(parts, func(p string) bool { return len(p) < 4 || slices.Contains(names, p) }))
}

func longestFirst(parts []string) []string {
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(parts)
}

// redact blots every secret of a URL out of a text.
func redact(text, rawURL string) string {
	for _, s := range secrets(rawURL) {
		text = strings.ReplaceAll(text, s, blot)
	}
	return clip(plain(text), 300)
}

// explain says in our own words what went wrong on the way to a service, as
// far as it is known; the rest is told with the secrets of its URL blotted
// out. Only hosts that were really looked up are named.
func explain(err error, rawURL string) string {
	if unanswered(err) {
		return "no answer in time"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("there is no host %.80q", plain(dns.Name))
		}
		return fmt.Sprintf("the host %.80q cannot be looked up", plain(dns.Name))
	}
	if code, ok := errors.AsType[syscall.Errno](err); ok {
		return code.Error()
	}
	if cert, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return cert.Error()
	}
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return redact(fmt.Sprintf("it answered %d %s", answer.Code, answer.Msg), rawURL)
	}
	return redact(err.Error(), rawURL)
}

// unanswered reports whether time ran out.
func unanswered(err error) bool {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// wait sleeps unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// refusedMail reports whether a mail server has said a final no.
func refusedMail(err error) bool {
	answer, ok := errors.AsType[*textproto.Error](err)
	return ok && answer.Code >= 500
}
