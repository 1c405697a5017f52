package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// SenderOptions are what a Sender may be told; the zero value is right.
type SenderOptions struct {
	Client  *http.Client  // nil is one that follows no redirect elsewhere
	Timeout time.Duration // of one message; 0 is 20 s
}

// A Sender delivers messages. Calls may overlap.
type Sender struct {
	opts SenderOptions

	mu      sync.Mutex
	waiting map[string]bool // by name of target: a try is on
}

// NewSender makes a sender.
func NewSender(o SenderOptions) *Sender {
	if o.Client == nil {
		o.Client = newClient()
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	client := *o.Client
	client.Timeout = o.Timeout
	o.Client = &client
	return &Sender{opts: o, waiting: map[string]bool{}}
}

// Send delivers one message to one target, as of now, and does not try again:
// that is for the outbox. It is in the error whether the service has refused
// it ([ErrRefused]); no secret is.
func (s *Sender) Send(ctx context.Context, t Target, m Message, now time.Time) error {
	var err error
	if t.Desktop != nil {
		err = t.Desktop(ctx, Toast{Title: m.Subject, Text: m.Text(now), Urgent: m.Urgent})
	} else {
		err = s.deliver(ctx, t, m, now)
	}
	if err != nil {
		return fmt.Errorf("tell %q: %w", t.Name, err)
	}
	return nil
}

// deliver leaves a service that hangs to itself, and tries it again only when
// that has ended: one goroutine for each target at most, since the library
// sets no time limit on a mail server that takes the call and says nothing.
func (s *Sender) deliver(ctx context.Context, t Target, m Message, now time.Time) error {
	if !s.begin(t.Name) {
		return errors.New("the try before still waits for an answer")
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	result := make(chan error, 1)
	go func() {
		defer cancel()
		err := s.call(ctx, t.URL, m, now)
		s.end(t.Name) // before the caller can go on to the next message
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result: // it ended, and ctx with it
		return err
	default:
		return errors.New("no answer in time")
	}
}

// begin takes the place of the one try that a target may have.
func (s *Sender) begin(target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[target] {
		return false
	}
	s.waiting[target] = true
	return true
}

func (s *Sender) end(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, target)
}

// call has the library send the message. The library reads what servers of
// others answer; should it panic over that, the daemon goes on.
func (s *Sender) call(ctx context.Context, rawURL string, m Message, now time.Time) (err error) {
	defer survive(&err)
	seen := &recorder{ctx: ctx, client: s.opts.Client}
	service, err := locate(rawURL, seen)
	if err != nil {
		return seen.explain(err, rawURL)
	}
	text, params := compose(rawURL, m, now)
	if sender, ok := service.(types.ContextSender); ok {
		err = sender.SendContext(ctx, text, &params)
	} else {
		err = service.Send(text, &params)
	}
	if err == nil && schemeOf(rawURL) != "smtp" && !strings.HasPrefix(schemeOf(rawURL), "mqtt") {
		err = seen.doubt()
	}
	return seen.explain(err, rawURL)
}

// survive makes an error of a panic. What the panic says may hold secrets.
func survive(err *error) {
	if recover() != nil {
		*err = errors.New("it cannot be spoken to: its part of the library has a fault")
	}
}

// locate finds the service of a URL and reads its settings.
func locate(rawURL string, client types.HTTPClient) (_ types.Service, err error) {
	defer survive(&err)
	r, err := router.NewWithOptions(nil, types.SenderOptions{HTTPClient: client})
	if err != nil {
		return nil, err
	}
	return r.Locate(rawURL)
}

// untitled are the services that refuse a title, or leave it out.
var untitled = strings.Fields("generic googlechat hangouts mqtt mqtts notifiarr pagerduty rocketchat signal wecom")

// compose makes text and title of a message. A service without titles gets
// the subject as its first line.
func compose(rawURL string, m Message, now time.Time) (string, types.Params) {
	text, params := m.Text(now), types.Params{}
	scheme := schemeOf(rawURL)
	if slices.Contains(untitled, scheme) {
		text = m.Subject + "\n\n" + text
	}
	if scheme == "generic" || !slices.Contains(untitled, scheme) {
		params.SetTitle(m.Subject)
	}
	return text, params
}

// schemeOf returns the name of the service: generic of generic+https.
func schemeOf(rawURL string) string {
	scheme, _, _ := strings.Cut(rawURL, ":")
	scheme, _, _ = strings.Cut(scheme, "+")
	return strings.ToLower(scheme)
}

// CheckURL reports what is wrong with the URL of a service. It sends nothing.
func CheckURL(rawURL string) error {
	scheme := schemeOf(rawURL)
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Scheme == "":
		return errors.New(`read the address of a service: it is no URL; it looks like "ntfy://ntfy.sh/topic" or "smtp://user:password@host:587/?from=me@example.com&to=me@example.com"`)
	case scheme == "http" || scheme == "https":
		return fmt.Errorf("read the address of a service: %s is no service; write generic+%s:// for a web hook, or name it as a ping", scheme, scheme)
	case !router.SupportsSchema(scheme) || scheme == "logger":
		return fmt.Errorf("read the address of a service: there is no service %.20q; there are: %s", scheme, strings.Join(services(), ", "))
	case scheme == "matrix": // it would log in
		return nil
	}
	if _, err := locate(rawURL, &recorder{}); err != nil {
		return fmt.Errorf("read the address of a service: %s", redact(err.Error(), rawURL))
	}
	return nil
}

func services() []string {
	return slices.DeleteFunc(router.SupportedSchemas(), func(s string) bool { return s == "logger" })
}

// A recorder makes the web requests of one message, and remembers how the last
// one ended: the library's own errors are for reading only.
type recorder struct {
	ctx    context.Context // of the message; the library's requests have none
	client *http.Client    // nil refuses all

	mu     sync.Mutex
	status int
	err    error
}

// Do sends one request.
func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	if r.client == nil {
		return nil, errors.New("nothing is sent while an address is checked")
	}
	resp, err := r.client.Do(req.WithContext(r.ctx))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.err = 0, err
	if resp != nil {
		r.status = resp.StatusCode
	}
	return resp, err
}

// doubt reports why a success that the library tells of is none: it has let
// failures pass in silence.
func (r *recorder) doubt() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err == nil && r.status == 0:
		return errors.New("nothing was sent")
	case r.err != nil || r.status >= 300:
		return errors.New("it did not arrive")
	}
	return nil
}

// explain makes our error of the library's: in our own words where we saw the
// answer, and else in its words without the secrets.
func (r *recorder) explain(err error, rawURL string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case r.err != nil:
		return errors.New(explain(unwrapURL(r.err), rawURL))
	case r.status >= 300:
		return judge(r.status)
	case r.status != 0: // the service says no in a friendly way
		return fmt.Errorf("%w: %s", ErrRefused, redact(err.Error(), rawURL))
	}
	text := explain(err, rawURL)
	if refusedMail(err) {
		return fmt.Errorf("%s: %w", text, ErrRefused)
	}
	return errors.New(text)
}
