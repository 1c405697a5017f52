package notify

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var twoTargets = []Target{{Name: "mail"}, {Name: "phone", Events: []Event{Stale, Recovered}}}

func due(o *Outbox, now time.Time) string {
	text := ""
	for _, l := range o.Due(now) {
		text += fmt.Sprintf("%s:%s ", l.Target, l.Message.Event)
	}
	return text
}

// The network is out when the backup fails, as is usual: the message waits
// for it, over a restart, and the all-clear does not overtake it.
func TestOutboxWithoutNetwork(t *testing.T) {
	var o Outbox
	off := errors.New("no route to host")
	o.Post(Message{Event: Failed, At: start}, twoTargets, start)
	now := start
	for range 30 {
		for _, l := range o.Due(now) {
			if o.Settle(l.ID, off, now) {
				t.Fatalf("given up after %v", now.Sub(start))
			}
		}
		if got := o.Due(now); len(got) > 0 {
			t.Fatalf("tried again at once: %v", got)
		}
		now = o.Next()
		o = saved(t, o)
	}
	if now.Sub(start) < 10*time.Hour {
		t.Errorf("30 tries in %v", now.Sub(start))
	}
	o.Post(Message{Event: Recovered, At: now}, twoTargets, now)
	if got := due(&o, now); got != "mail:failed phone:recovered " {
		t.Errorf("due are %s", got)
	}
	for _, l := range o.Due(now) {
		o.Settle(l.ID, nil, now)
	}
	if got := due(&o, now); got != "mail:recovered " {
		t.Errorf("then due are %s", got)
	}
	o.Settle(o.Due(now)[0].ID, nil, now)
	if len(o.Letters) != 0 || !o.Next().IsZero() {
		t.Errorf("left: %v", o.Letters)
	}
}

// The same with a real server: down when the backup fails, up hours later.
func TestAlarmWaitsForTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	target := Target{Name: "mail", URL: "smtp://" + address + "/?from=coffer@example.com&to=ada@example.com&usestarttls=no"}
	sender := NewSender(SenderOptions{})
	_, messages := Watch(Told{}, facts(ended(ResultFailed, 24)), hour(24))
	var o Outbox
	o.Post(messages[0], []Target{target}, hour(24))
	letter := o.Due(hour(24))[0]
	err = sender.Send(t.Context(), target, letter.Message, hour(24))
	if err == nil || errors.Is(err, ErrRefused) || o.Settle(letter.ID, err, hour(24)) {
		t.Fatalf("sent to nobody: %v", err)
	}
	s := newMailServer(t, "", false)
	target.URL = s.url()
	o = saved(t, o)
	letter = o.Due(hour(30))[0]
	if err := sender.Send(t.Context(), target, letter.Message, hour(30)); err != nil {
		t.Fatal(err)
	}
	o.Settle(letter.ID, nil, hour(30))
	mails, _ := s.got()
	if len(mails) != 1 || !strings.Contains(mails[0], "This was found at 2026-05-02 03:00 +02:00 and could not be sent before 2026-05-02 09:00 +02:00.") || len(o.Letters) > 0 {
		t.Errorf("got %q, left %v", mails, o.Letters)
	}
}

func TestOutboxGivesUp(t *testing.T) {
	for _, c := range []struct {
		err         error
		least, most time.Duration
	}{
		{fmt.Errorf("it answered 401: %w", ErrRefused), refusedFor, refusedFor + time.Hour},
		{errors.New("no route to host"), unreachableFor, unreachableFor + time.Hour},
	} {
		var o Outbox
		o.Post(Message{Event: Failed}, twoTargets, start)
		now := start
		for !o.Settle(o.Letters[0].ID, c.err, now) {
			now = o.Next()
		}
		if took := now.Sub(start); took < c.least || took > c.most || len(o.Letters) != 0 {
			t.Errorf("%v: given up after %v", c.err, took)
		}
	}
}

func TestOutboxOfNobody(t *testing.T) {
	var o Outbox
	o.Post(Message{Event: Stale}, twoTargets, start)
	if gone := o.Keep(twoTargets[1:]); len(gone) != 1 || gone[0].Target != "mail" || due(&o, start) != "phone:stale " {
		t.Errorf("gone are %v, left are %v", gone, o.Letters)
	}
	if o.Settle(99, nil, start) {
		t.Error("an unknown letter was given up")
	}
}

func TestOutboxHurry(t *testing.T) {
	var o Outbox
	o.Post(Message{Event: Failed}, twoTargets, start)
	o.Settle(1, errors.New("off"), start)
	if got := due(&o, start); got != "" {
		t.Errorf("due are %s", got)
	}
	o.Hurry(start)
	if got := due(&o, start); got != "mail:failed " {
		t.Errorf("due are %s", got)
	}
}

// A letter put off by a clock that was years ahead is not put off for years.
func TestOutboxWrongClock(t *testing.T) {
	var o Outbox
	o.Post(Message{Event: Failed}, twoTargets, hour(90000))
	if got := due(&o, start); got != "mail:failed " {
		t.Errorf("due are %q", got)
	}
}

// Each target gets every message it wants, once, in order, whatever fails on
// the way; the box stays bounded.
func TestOutboxDelivers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var o Outbox
		want, got := map[string][]time.Time{}, map[string][]time.Time{}
		now := start
		deliver := func(works bool) {
			for _, l := range o.Due(now) {
				if works {
					got[l.Target] = append(got[l.Target], l.Message.At)
					o.Settle(l.ID, nil, now)
					continue
				}
				o.Settle(l.ID, errors.New("off"), now)
			}
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(2*time.Hour)).Draw(rt, "later")))
			if rapid.Bool().Draw(rt, "post") {
				m := Message{Event: rapid.SampledFrom([]Event{Failed, Stale}).Draw(rt, "event"), At: now}
				o.Post(m, twoTargets, now)
				for _, target := range twoTargets {
					if target.Wants(m) {
						want[target.Name] = append(want[target.Name], now)
					}
				}
			}
			deliver(rapid.Bool().Draw(rt, "works"))
			o = saved(rt, o)
		}
		for len(o.Letters) > 0 {
			o.Hurry(now)
			deliver(true)
		}
		for name := range want {
			if fmt.Sprint(got[name]) == "" || len(got[name]) != len(want[name]) {
				rt.Fatalf("%s got %v, want %v", name, got[name], want[name])
			}
			for i := range want[name] {
				if !got[name][i].Equal(want[name][i]) {
					rt.Fatalf("%s got %v, want %v", name, got[name], want[name])
				}
			}
		}
	})
	var o Outbox
	for range 150 {
		o.Post(Message{Event: Stale}, twoTargets, start)
	}
	if len(o.Letters) != maxLetters || o.Letters[0].ID != 101 {
		t.Errorf("%d letters from %d", len(o.Letters), o.Letters[0].ID)
	}
}
