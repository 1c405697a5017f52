package notify

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A mailServer speaks just enough SMTP to take a mail.
type mailServer struct {
	listener net.Listener
	refuse   string // a command that is answered with a no
	mute     bool   // takes the call and says nothing

	mu    sync.Mutex
	mails []string // envelope and content
	calls int
	wg    sync.WaitGroup
}

func newMailServer(t *testing.T, refuse string, mute bool) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{listener: l, refuse: refuse, mute: mute}
	stop := make(chan struct{})
	s.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.calls++
			s.mu.Unlock()
			s.wg.Go(func() {
				defer conn.Close()
				if s.mute {
					<-stop
					return
				}
				s.talk(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		close(stop)
		s.wg.Wait()
	})
	return s
}

// url is what a user would write for this server.
func (s *mailServer) url() string {
	q := url.Values{"from": {"coffer@example.com"}, "to": {"ada@example.com"}, "usestarttls": {"no"}}
	return "smtp://ada:secretpass@" + s.listener.Addr().String() + "/?" + q.Encode()
}

func (s *mailServer) talk(conn net.Conn) {
	r := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	say("220 mail.example ready")
	var envelope strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb = strings.ToUpper(verb); {
		case verb == s.refuse:
			say("550 no %s for secretpass or YWRhOnNlY3JldHBhc3M=", verb)
		case verb == "EHLO":
			say("250-mail.example\r\n250 AUTH PLAIN")
		case verb == "AUTH":
			say("235 welcome")
		case verb == "DATA":
			say("354 go on")
			s.take(&envelope, r)
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			envelope.WriteString(strings.TrimSpace(line) + "\n")
			say("250 fine")
		}
	}
}

// take reads the content of a mail up to its lone dot.
func (s *mailServer) take(envelope *strings.Builder, r *bufio.Reader) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if line == ".\r\n" {
			break
		}
		envelope.WriteString(strings.TrimSuffix(line, "\r\n") + "\n")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, envelope.String())
	envelope.Reset()
}

func (s *mailServer) got() (mails []string, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...), s.calls
}
