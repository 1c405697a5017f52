package s3

import (
	"net/http"
	"sync"
	"time"
)

// A serverClock knows the server's time from the Date of its answers.
type serverClock struct {
	mu     sync.Mutex
	server time.Time // Date of the last answer
	at     time.Time // when it came, by the local clock, with its monotonic reading
}

// trust is how long an answer is believed. The local clocks it is carried on
// by are checked against each other, so it is the drift of a quartz, only.
const trust = 30 * time.Second

// see notes the Date of an answer.
func (c *serverClock) see(res *http.Response) {
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil || res.Header.Get("Age") != "" { // Age: from a cache
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.at = date, time.Now()
}

// forget makes the next question for the time one to the server. It is called
// when an operation failed: what answered may not have been the server.
func (c *serverClock) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = time.Time{}
}

// now returns the server's time: at most what its clock shows, and less than
// it by under a second and the way of the answer, because a Date is in whole
// seconds. It is unknown if the last answer is old, or if the machine slept
// or its clock was set since.
func (c *serverClock) now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server.IsZero() {
		return time.Time{}, false
	}
	now := time.Now()
	return c.after(now.Sub(c.at), now.Round(0).Sub(c.at.Round(0)))
}

// after is now with what passed since by the monotonic clock, which stands
// still while the machine sleeps, and by the wall clock. It is called with mu
// held.
func (c *serverClock) after(passed, byWall time.Duration) (time.Time, bool) {
	if passed > trust || (byWall-passed).Abs() > time.Second {
		return time.Time{}, false
	}
	return c.server.Add(passed), true
}

// A recorder passes requests on and notes the server's time.
type recorder struct {
	next  http.RoundTripper
	clock *serverClock
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req)
	if err == nil {
		r.clock.see(res)
	}
	return res, err
}
