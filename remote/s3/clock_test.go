package s3

import (
	"net/http"
	"testing"
	"time"
)

func TestServerClock(t *testing.T) {
	c := &serverClock{}
	if _, ok := c.now(); ok {
		t.Error("the time is known before any answer")
	}
	date := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	answer := func(header ...string) *http.Response {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{Header: h}
	}
	c.see(answer("Date", date.Add(time.Hour).Format(http.TimeFormat), "Age", "3600")) // from a cache
	c.see(answer("Date", "yesterday"))
	c.see(answer())
	if _, ok := c.now(); ok {
		t.Error("the time is known from answers that do not tell it")
	}
	c.see(answer("Date", date.Format(http.TimeFormat)))
	if now, ok := c.now(); !ok || now.Sub(date) < 0 || now.Sub(date) > 5*time.Second {
		t.Errorf("now %s, %v, want %s", now, ok, date)
	}
	for _, w := range []struct {
		what           string
		passed, byWall time.Duration
		known          bool
	}{
		{"a while", 10 * time.Second, 10 * time.Second, true},
		{"a clock being disciplined", 10 * time.Second, 10500 * time.Millisecond, true},
		{"long ago", time.Minute, time.Minute, false},
		{"a sleep", time.Second, time.Hour, false},
		{"a clock set back", 10 * time.Second, -time.Hour, false},
	} {
		now, ok := c.after(w.passed, w.byWall)
		if ok != w.known || ok && !now.Equal(date.Add(w.passed)) {
			t.Errorf("%s: %s, %v", w.what, now, ok)
		}
	}
	c.forget()
	if _, ok := c.now(); ok {
		t.Error("the time is known after a failure")
	}
}
