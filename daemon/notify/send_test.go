package notify

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func failedMessage(t *testing.T) Message {
	t.Helper()
	_, m := Watch(Told{}, facts(ended(ResultFailed, 24)), hour(24))
	return m[0]
}

func TestSendMail(t *testing.T) {
	s := newMailServer(t, "", false)
	if err := NewSender(SenderOptions{}).Send(t.Context(), Target{Name: "mail", URL: s.url()}, failedMessage(t), hour(30)); err != nil {
		t.Fatal(err)
	}
	mails, _ := s.got()
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	for _, want := range []string{
		"MAIL FROM:<coffer@example.com>", "RCPT TO:<ada@example.com>", "\nSubject: Coffer on laptop: the backup of website fails\n",
		"\nThe backup of website on laptop failed at 2026-05-02 03:00 +02:00 after 3 tries: connection refused\n", "\nTo try now:   coffer backup now website\n",
		"\nThis was found at 2026-05-02 03:00 +02:00 and could not be sent before 2026-05-02 09:00 +02:00.",
	} {
		if !strings.Contains(mails[0], want) {
			t.Errorf("no %q in\n%s", want, mails[0])
		}
	}
}

// A server that says no is believed, and repeats no password into our logs.
func TestSendMailRefused(t *testing.T) {
	for _, verb := range []string{"AUTH", "MAIL", "RCPT", "DATA"} {
		s := newMailServer(t, verb, false)
		err := NewSender(SenderOptions{}).Send(t.Context(), Target{Name: "mail", URL: s.url()}, failedMessage(t), hour(24))
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `tell "mail": it answered 550 no `+verb) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "YWRh") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// The library waits for ever for a mail server that is mute. We do not, and
// call it only once.
func TestSendMailToTheMute(t *testing.T) {
	s := newMailServer(t, "", true)
	sender := NewSender(SenderOptions{Timeout: 2 * time.Second})
	target := Target{Name: "mail", URL: s.url()}
	for i, want := range []string{`tell "mail": no answer in time`, `tell "mail": the try before still waits for an answer`, `tell "mail": the try before still waits for an answer`} {
		err := sender.Send(t.Context(), target, failedMessage(t), hour(24))
		if err == nil || err.Error() != want || errors.Is(err, ErrRefused) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if _, calls := s.got(); calls > 1 {
		t.Errorf("%d calls", calls)
	}
	other := newWeb(t)
	if err := sender.Send(t.Context(), Target{Name: "hook", URL: "generic+" + other.URL + "/"}, failedMessage(t), hour(24)); err != nil {
		t.Errorf("another target: %v", err)
	}
}

func TestSendHook(t *testing.T) {
	w := newWeb(t)
	sender := NewSender(SenderOptions{})
	for _, address := range []string{"generic+" + w.URL + "/hook/key", "generic+" + w.URL + "/hook?template=json", strings.Replace(w.URL, "http:", "ntfy:", 1) + "/topic?scheme=http"} {
		if err := sender.Send(t.Context(), Target{Name: "hook", URL: address}, failedMessage(t), hour(24)); err != nil {
			t.Error(err)
		}
	}
	got := w.got()
	if len(got) != 3 {
		t.Fatalf("got %q", got)
	}
	for i, want := range []string{"POST /hook/key Coffer on laptop: the backup of website fails\n\nThe backup of", `"title":"Coffer on laptop: the backup of website fails"`, "The backup of website on laptop failed"} {
		if !strings.Contains(got[i], want) || !strings.Contains(got[i], "connection refused") {
			t.Errorf("no %q in %q", want, got[i])
		}
	}
	if title := w.header.Get("Title"); title != "Coffer on laptop: the backup of website fails" {
		t.Errorf("title of ntfy is %q", title)
	}
}

// addresses are of all services there are, with a secret wherever one can be.
var addresses = strings.Fields(`
	bark://:secretkey@bark.example/
	discord://secrettoken0123456789@9876543210
	generic://user:secretpass@hook.example/secretpath?key=secretvalue&@authorization=secretheader
	gotify://gotify.example/AsecretToken001
	googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=secretkey&token=secrettoken
	ifttt://secretkey/?events=secretevent
	join://shoutrrr:secretkey@join/?devices=secretdevice
	lark://open.larksuite.com/secrettoken?secret=secretvalue
	matrix://user:secretpass@matrix.example/?rooms=!secretroom:matrix.example
	mattermost://user@matter.example/secrettoken/channel
	notifiarr://secretkey?channel=1234567890
	ntfy://user:secretpass@ntfy.example/secrettopic
	opsgenie://api.opsgenie.com/eb243592-faa2-4ba2-a551q-1afdf565c889
	pagerduty://events.pagerduty.com/eb243592faa24ba2a5511afdf565c889
	pushbullet://secret0123456789secret0123456789ab/device
	pushover://shoutrrr:secrettoken@secretuser/
	rocketchat://user@rocket.example/secrettoken/secrettoken2/@channel
	signal://user:secretpass@signal.example:8080/+1234567890/+9876543210
	signalgrid://secretclient@secretchannel/
	slack://hook:T1234ABCD-B1234ABCD-secretsecretsecretsecret@webhook
	telegram://110201543:AAsecretsecretsecretsecretsecretsec@telegram?chats=secretchat
	twilio://ACsecretsid:secrettoken@+15551234567/+15557654321
	wecom://secretkey
	zulip://bot%40zulip.example:secretkey@zulip.example/?stream=secretstream
	smtp://user:secretpass@mail.invalid:587/?from=secretfrom@example.com&to=secretto@example.com
	mqtt://user:secretpass@mqtt.invalid:1883/secrettopic
`)

// servicesOf names the services that the addresses are of.
func servicesOf(addresses []string) map[string]bool {
	names := map[string]bool{}
	for _, a := range addresses {
		names[schemeOf(a)] = true
	}
	return names
}

// A round tripper in place of the network.
type answer func(*http.Request) (*http.Response, error)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// leaks reports a part of an address that should not be in a text.
func leaks(text, address string) string {
	plain, err := url.PathUnescape(address)
	if err != nil {
		plain = address
	}
	for _, w := range words.FindAllString(plain, -1) {
		hidden := strings.Contains(strings.ToLower(w), "secret") || strings.ContainsAny(w, "0123456789") && len(w) > 7
		if hidden && strings.Contains(text, w) {
			return w
		}
	}
	return ""
}

// No error of any service tells a secret, whatever goes wrong: no network, a
// service that says no and echoes what it was sent, or rubbish.
func TestSendErrorsKeepTheSecret(t *testing.T) {
	for _, service := range services() {
		if !servicesOf(addresses)[service] && service != "hangouts" && service != "teams" && service != "mqtts" {
			t.Errorf("no address of %s is tried", service)
		}
	}
	echo := func(status int) answer {
		return func(r *http.Request) (*http.Response, error) {
			var body []byte
			if r.Body != nil {
				body, _ = io.ReadAll(r.Body)
			}
			text := `{"error":"` + r.URL.String() + " " + r.Header.Get("Authorization") + `","ok":false} ` + string(body)
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
		}
	}
	for name, network := range map[string]answer{
		"no network": func(r *http.Request) (*http.Response, error) {
			return nil, errors.New("cannot reach " + r.URL.String())
		},
		"hangs":   func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
		"says no": echo(400), "broken": echo(500), "says no with a smile": echo(200),
	} {
		sender := NewSender(SenderOptions{Client: &http.Client{Transport: network}, Timeout: 200 * time.Millisecond})
		for _, address := range addresses {
			err := sender.Send(t.Context(), Target{Name: address, URL: address}, Message{Subject: "Subject.", Body: "Body."}, start)
			if err == nil {
				if name != "says no with a smile" {
					t.Errorf("%s, %s: no error", name, address)
				}
				continue
			}
			if w := leaks(errors.Unwrap(err).Error(), address); w != "" {
				t.Errorf("%s, %s: %q tells %q", name, address, errors.Unwrap(err), w)
			}
		}
	}
}

// The library takes some failures for successes; we do not.
func TestSendDoubtsTheLibrary(t *testing.T) {
	const telegram = "telegram://110201543:AAsecretsecretsecretsecretsecretsec@telegram?chats=1"
	for name, c := range map[string]struct {
		network answer
		want    string
	}{
		"no network": {func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }, `tell "t": no route`},
		"says no": {func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 502, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<html>")), Request: r}, nil
		}, `tell "t": it answered 502 Bad Gateway`},
	} {
		sender := NewSender(SenderOptions{Client: &http.Client{Transport: c.network}})
		if err := sender.Send(t.Context(), Target{Name: "t", URL: telegram}, failedMessage(t), start); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestSendSurvivesTheLibrary(t *testing.T) {
	sender := NewSender(SenderOptions{Client: &http.Client{Transport: answer(func(*http.Request) (*http.Response, error) { panic("secret") })}})
	err := sender.Send(t.Context(), Target{Name: "t", URL: "ntfy://ntfy.example/topic"}, failedMessage(t), start)
	if err == nil || err.Error() != `tell "t": it cannot be spoken to: its part of the library has a fault` {
		t.Error(err)
	}
}

// FuzzCheckURL holds that no address panics, and that what is refused is not
// repeated.
func FuzzCheckURL(f *testing.F) {
	for _, a := range addresses {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, address string) {
		err := CheckURL(address)
		if err != nil && len(address) > 40 && strings.Contains(err.Error(), address) {
			t.Errorf("%q: %v", address, err)
		}
	})
}

// Every service that speaks HTTP is given the subject as well as the text.
func TestSendSaysAll(t *testing.T) {
	for _, address := range addresses {
		var sent strings.Builder
		sender := NewSender(SenderOptions{Client: &http.Client{Transport: answer(func(r *http.Request) (*http.Response, error) {
			sent.WriteString(r.URL.String())
			for _, values := range r.Header {
				sent.WriteString(strings.Join(values, " "))
			}
			if r.Body != nil {
				_, _ = io.Copy(&sent, r.Body)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"ok":true}`)), Request: r}, nil
		})}})
		switch schemeOf(address) {
		case "smtp", "mqtt", "matrix", "ifttt": // no HTTP, a login first, or the owner's own words
			continue
		}
		_ = sender.Send(t.Context(), Target{Name: "t", URL: address}, Message{Subject: "Thesubject", Body: "Thebody"}, start)
		if text := sent.String(); !strings.Contains(text, "Thesubject") || !strings.Contains(text, "Thebody") {
			t.Errorf("%s was sent %q", address, text)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, address := range addresses {
		if err := CheckURL(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, want := range map[string]string{
		"":                              "it is no URL",
		"secret":                        "it is no URL",
		"https://ntfy.sh/secret":        "write generic+https:// for a web hook",
		"nfty://ntfy.sh/secret":         `there is no service "nfty"; there are: bark, discord, generic,`,
		"logger://":                     `there is no service "logger"`,
		"smtp://u:secretp@h:587/":       "fromAddress missing",
		"ntfy://h/secret?flavour=sweet": "flavour",
		"telegram://secrettoken":        "read the address of a service",
		"slack://secretsecret":          "read the address of a service",
		"%zz://secret":                  "it is no URL",
	} {
		err := CheckURL(address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestSendToDesktop(t *testing.T) {
	var shown Toast
	desk := Target{Name: "desk", Desktop: func(_ context.Context, toast Toast) error { shown = toast; return nil }}
	if err := NewSender(SenderOptions{}).Send(t.Context(), desk, failedMessage(t), hour(24)); err != nil {
		t.Fatal(err)
	}
	if shown.Title != "Coffer on laptop: the backup of website fails" || !shown.Urgent || !strings.HasPrefix(shown.Text, "The backup") {
		t.Errorf("shown was %+v", shown)
	}
	desk.Desktop = func(context.Context, Toast) error { return errors.New("no session") }
	if err := NewSender(SenderOptions{}).Send(t.Context(), desk, failedMessage(t), hour(24)); err == nil || err.Error() != `tell "desk": no session` {
		t.Error(err)
	}
}
