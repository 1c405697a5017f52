package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 5, 1, 3, 0, 0, 0, time.FixedZone("", 2*60*60))

// hour is start and so many hours.
func hour(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Hour))) }

// facts are those of a job that was good at start.
func facts(change func(*Facts)) Facts {
	f := Facts{Host: "laptop", Project: "website", Job: "backup", Seen: start, LastGood: start, MaxAge: 30 * time.Hour,
		Result: ResultOK, ResultAt: start}
	change(&f)
	return f
}

func ended(r Result, at float64) func(*Facts) {
	return func(f *Facts) {
		f.Result, f.ResultAt, f.Why = r, hour(at), "connection refused"
		if r == ResultOK {
			f.LastGood = f.ResultAt
		}
		if r == ResultFailed {
			f.Final, f.Tries = true, 3
		}
	}
}

// A step is what is known at an hour, and the events it is told as.
type step struct {
	at   float64
	f    func(*Facts)
	want string
}

func TestWatch(t *testing.T) {
	tryAgain := func(f *Facts) { ended(ResultFailed, 24)(f); f.Final = false }
	good := func(at float64) func(*Facts) { return func(f *Facts) { f.LastGood = hour(at) } }
	verifies := func(fn func(*Facts)) func(*Facts) { return func(f *Facts) { fn(f); f.Job = "verify" } }
	whole := func(at float64) func(*Facts) { return func(f *Facts) { f.Whole = hour(at) } }
	damaged := func(at float64, found string) func(*Facts) {
		return func(f *Facts) { ended(ResultOK, at)(f); f.Damage, f.DamageAt, f.Found = "1 pack", hour(at), found }
	}
	both := func(a, b func(*Facts)) func(*Facts) { return func(f *Facts) { a(f); b(f) } }
	for name, steps := range map[string][]step{
		"all is well": {{0, ended(ResultOK, 0), ""}, {24, ended(ResultOK, 24), ""}, {48, ended(ResultOK, 48), ""}},
		"a failure is told once, when its tries are over": {
			{24, tryAgain, ""}, {25, tryAgain, ""}, {26, ended(ResultFailed, 26), "failed"}, {27, ended(ResultFailed, 27), ""},
			{28, tryAgain, ""}, {29, ended(ResultOK, 29), "recovered"}, {30, ended(ResultOK, 30), ""},
		},
		"one that is mended by a try is not told": {{24, tryAgain, ""}, {25, ended(ResultOK, 25), ""}},
		"age is told once": {
			{30, func(*Facts) {}, ""}, {30.1, func(*Facts) {}, "stale"}, {31, func(*Facts) {}, ""}, {900, func(*Facts) {}, ""},
			{901, ended(ResultOK, 901), "recovered"}, {902, ended(ResultOK, 901), ""},
		},
		"a failure that lasts becomes an alarm": {
			{24, ended(ResultFailed, 24), "failed"}, {31, ended(ResultFailed, 24), "stale"}, {48, ended(ResultFailed, 48), ""}, {60, ended(ResultOK, 60), "recovered"},
		},
		"after the alarm a failure is no news": {
			{31, ended(ResultSkipped, 31), "stale"}, {32, ended(ResultFailed, 32), ""}, {33, ended(ResultOK, 33), "recovered"},
		},
		"nor is one after a good run that went by unseen": {
			{31, ended(ResultSkipped, 31), "stale"}, {40, both(ended(ResultFailed, 40), good(39)), ""}, {41, ended(ResultOK, 41), "recovered"},
		},
		"a machine that wakes up has its catch-up first": {
			{400, func(f *Facts) { f.NotBefore = hour(401) }, ""}, {400.5, ended(ResultOK, 400.5), ""},
		},
		"and is told of if that does not come": {
			{400, func(f *Facts) { f.NotBefore = hour(401) }, ""}, {401, func(f *Facts) { f.NotBefore = hour(401) }, "stale"},
		},
		"files missed are told once": {
			{24, ended(ResultPartial, 24), "partial"}, {25, ended(ResultPartial, 25), ""}, {26, ended(ResultOK, 26), "recovered"},
		},
		"from bad to half": {
			{24, ended(ResultFailed, 24), "failed"}, {25, ended(ResultPartial, 25), "partial"}, {26, ended(ResultFailed, 26), "failed"}, {27, ended(ResultOK, 27), "recovered"},
		},
		"skipping changes nothing": {
			{1, ended(ResultSkipped, 1), ""}, {24, ended(ResultFailed, 24), "failed"}, {25, ended(ResultSkipped, 25), ""}, {26, ended(ResultOK, 26), "recovered"},
		},
		"a good run that went by unseen": {
			{24, ended(ResultFailed, 24), "failed"}, {26, both(ended(ResultSkipped, 26), good(25)), "recovered"},
		},
		"never good since it was set up": {
			{10, func(f *Facts) { *f = Facts{Seen: start, MaxAge: 30 * time.Hour} }, ""},
			{31, func(f *Facts) { *f = Facts{Seen: start, MaxAge: 30 * time.Hour} }, "stale"},
		},
		"no limit":         {{9000, func(f *Facts) { f.MaxAge = 0 }, ""}},
		"nothing known":    {{9000, func(f *Facts) { *f = Facts{MaxAge: time.Hour} }, ""}},
		"a clock set back": {{24, ended(ResultFailed, 24), "failed"}, {-400, ended(ResultFailed, 24), ""}},
		"damage": {
			{24, func(f *Facts) { f.Damage, f.DamageAt = "2 packs", hour(24) }, "damage"}, {25, func(f *Facts) { f.Damage = "2 packs" }, ""},
			{26, func(f *Facts) { f.Damage = "3 packs" }, "damage"}, {27, verifies(ended(ResultOK, 27)), "recovered"}, {28, func(*Facts) {}, ""},
		},
		"other damage of the same words": {
			{24, damaged(24, "one"), "damage"}, {25, damaged(25, "one"), ""}, {26, damaged(26, "two"), "damage"},
			{27, damaged(27, ""), ""}, {28, damaged(28, "two"), ""}, {29, damaged(29, "three"), "damage"},
		},
		"a good backup is no look at the vault": {
			{24, damaged(24, "one"), "damage"}, {25, ended(ResultOK, 25), ""}, {26, damaged(26, ""), ""}, {27, damaged(27, "two"), "damage"},
			{28, ended(ResultOK, 28), ""}, {29, both(ended(ResultOK, 29), whole(23)), ""}, {30, both(ended(ResultOK, 29), whole(30)), "recovered"},
			{31, both(ended(ResultOK, 31), whole(30)), ""}, {32, both(damaged(32, "two"), whole(30)), "damage"},
		},
		"damage is not gone because nobody looked": {
			{24, func(f *Facts) { f.Damage = "2 packs" }, "damage"}, {25, ended(ResultSkipped, 25), ""}, {26, ended(ResultFailed, 26), "failed"},
			{27, ended(ResultPartial, 27), "partial"}, {28, verifies(ended(ResultOK, 28)), "recovered recovered"},
		},
	} {
		var told Told
		for _, s := range steps {
			var messages []Message
			told, messages = Watch(told, facts(s.f), hour(s.at))
			if got := events(messages); got != s.want {
				t.Errorf("%s: at hour %v: told %q, want %q", name, s.at, got, s.want)
			}
			told = saved(t, told)
		}
	}
}

func events(messages []Message) string {
	var names []string
	for _, m := range messages {
		names = append(names, string(m.Event))
	}
	return strings.Join(names, " ")
}

// saved takes a value through the file that holds it.
func saved[T any](t interface{ Fatal(...any) }, v T) T {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var again T
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

// Whatever happens, nothing is told twice, every trouble ends with one
// all-clear that knows what was told, and whoever is well was told so.
func TestWatchAnything(t *testing.T) {
	results := []Result{ResultNone, ResultOK, ResultPartial, ResultSkipped, ResultFailed}
	rapid.Check(t, func(rt *rapid.T) {
		var told Told
		f := facts(func(f *Facts) { f.Result = ResultNone })
		now, spell := start, []Event{}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Hour)).Draw(rt, "later")))
			if rapid.Bool().Draw(rt, "run") {
				f.Result, f.ResultAt = rapid.SampledFrom(results[1:]).Draw(rt, "result"), now
				f.Final = rapid.Bool().Draw(rt, "final")
				if f.Result == ResultOK {
					f.LastGood = now
				}
			}
			var messages []Message
			told, messages = Watch(told, f, now)
			if len(messages) > 1 {
				rt.Fatalf("%d at once", len(messages))
			}
			for _, m := range messages {
				if m.Event != Recovered {
					if len(spell) > 0 && spell[len(spell)-1] == m.Event {
						rt.Fatalf("%s told twice", m.Event)
					}
					spell = append(spell, m.Event)
					continue
				}
				for _, e := range spell {
					if !common(m.Ends, []Event{e}) {
						rt.Fatalf("all-clear of %v does not end %s", m.Ends, e)
					}
				}
				if len(spell) == 0 {
					rt.Fatal("all-clear of nothing")
				}
				spell = nil
			}
			if f.Result == ResultOK && now.Sub(f.LastGood) <= f.MaxAge && (told.Health != Healthy || len(spell) > 0) {
				rt.Fatalf("all is well, but told are %v, %v", told, spell)
			}
			told = saved(rt, told)
			if _, again := Watch(told, f, now); len(again) > 0 {
				rt.Fatalf("said again: %v", again)
			}
		}
	})
}

// What people read, in full.
func TestWords(t *testing.T) {
	zone := func(t Told, f Facts, now time.Time) Message {
		_, m := Watch(t, f, now)
		if len(m) != 1 {
			return Message{}
		}
		return m[0]
	}
	failing := Told{Health: Failing, Since: hour(24), Events: []Event{Failed}}
	_, kit, _ := WatchKit(time.Time{}, start, "laptop", "home", hour(25))
	for _, c := range []struct {
		name string
		got  Message
		want Message
	}{
		{"failed", zone(Told{}, facts(ended(ResultFailed, 24)), hour(24)), Message{
			Event: Failed, Projects: []string{"website"}, At: hour(24), Urgent: true,
			Subject: "Coffer on laptop: the backup of website fails",
			Body: "The backup of website on laptop failed at 2026-05-02 03:00 +02:00 after 3 tries: connection refused\n\n" +
				"Safe: the newest good backup is of 2026-05-01 03:00 +02:00, 24 hours old, and can be restored in full.\n" +
				"It is tried again when it is next due, and you hear of it when it works.\n\n" +
				"To see more:  coffer logs\nTo try now:   coffer backup now website"}},
		{"partial", zone(Told{}, facts(func(f *Facts) { ended(ResultPartial, 24)(f); f.Missed = 3 }), hour(24)), Message{
			Event: Partial, Projects: []string{"website"}, At: hour(24),
			Subject: "Coffer on laptop: the backup of website misses files",
			Body: "The backup of website on laptop could not read 3 files at 2026-05-02 03:00 +02:00.\n\n" +
				"Safe: all else was backed up; of what was missed, the newest earlier backup still holds its state.\n" +
				"You hear of it again when nothing is missed.\n\nTo see which:  coffer logs"}},
		{"stale", zone(failing, facts(ended(ResultFailed, 48)), hour(54)), Message{
			Event: Stale, Projects: []string{"website"}, At: hour(54), Urgent: true,
			Subject: "Coffer on laptop: no good backup of website for 2 days",
			Body: "There has been no good backup of website on laptop for 2 days; the limit is 30 hours. The last run ended so: connection refused.\n\n" +
				"Safe: the newest good backup is of 2026-05-01 03:00 +02:00, 2 days old, and can be restored in full.\n" +
				"You hear of it again when it works.\n\nTo see why:  coffer status\nTo try now:  coffer backup now website"}},
		{"recovered", zone(failing, facts(ended(ResultOK, 50)), hour(50)), Message{
			Event: Recovered, Projects: []string{"website"}, Ends: []Event{Failed}, At: hour(50),
			Subject: "Coffer on laptop: the backup of website is well again",
			Body: "The backup of website on laptop is well again since 2026-05-03 05:00 +02:00, after 26 hours of trouble that began at 2026-05-02 03:00 +02:00.\n\n" +
				"Nothing is left to do."}},
		{"damage", zone(Told{}, facts(func(f *Facts) { f.Damage, f.DamageAt = "2 packs are missing", hour(24) }), hour(24)), Message{
			Event: Damage, Projects: []string{"website"}, At: hour(24), Urgent: true,
			Subject: "Coffer on laptop: the vault is damaged",
			Body: "A look at the vault of website on laptop at 2026-05-02 03:00 +02:00 found: 2 packs are missing\n\n" +
				"Safe: what the damage does not touch can be restored, and the next backup of files that are still on this machine mends what it can. Nothing is deleted as long as this is open. You hear of it again when a verification finds nothing wrong.\n\n" +
				"To see all of it:  coffer verify"}},
		{"healed", zone(Told{Damage: "2 packs", DamageSince: hour(24)}, facts(func(f *Facts) { ended(ResultOK, 48)(f); f.Job = "verify" }), hour(48)), Message{
			Event: Recovered, Projects: []string{"website"}, Ends: []Event{Damage}, At: hour(48),
			Subject: "Coffer on laptop: the vault is whole again",
			Body:    "A look at the vault of website on laptop at 2026-05-03 03:00 +02:00 found nothing wrong any more. The damage was found at 2026-05-02 03:00 +02:00.\n\nNothing is left to do."}},
		{"another job", zone(Told{}, facts(func(f *Facts) { ended(ResultPartial, 24)(f); f.Job = "verify" }), hour(24)), Message{
			Event: Partial, Projects: []string{"website"}, At: hour(24),
			Subject: "Coffer on laptop: the verification of website is incomplete",
			Body: "The verification of website on laptop at 2026-05-02 03:00 +02:00 was done in part only: connection refused\n\n" +
				"Safe: your backups; this job only looks after them.\nYou hear of it again when all of it is done.\n\nTo see more:  coffer logs"}},
		{"kit", kit, Message{
			Event: Kit, At: hour(25), Subject: "Coffer on laptop: keep a copy of the recovery kit",
			Body: "No copy of the recovery kit of the vault home on laptop has been confirmed. If this machine is lost or stolen before you keep one elsewhere, nothing can be restored; and as long as the kit lies here, whoever takes the machine can read every backup.\n\n" +
				"Print it, or copy it to where this machine cannot lose it; then:  coffer kit confirm"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
}

func TestLateMessageSaysSo(t *testing.T) {
	m := Message{At: start, Body: "It failed."}
	if got := m.Text(hour(0.1)); got != "It failed." {
		t.Errorf("in time: %q", got)
	}
	want := "It failed.\n\nThis was found at 2026-05-01 03:00 +02:00 and could not be sent before 2026-05-01 09:00 +02:00."
	if got := m.Text(hour(6).UTC()); got != want {
		t.Errorf("late: %q", got)
	}
}

// Text of others cannot forge lines, nor swell a message.
func TestForeignText(t *testing.T) {
	f := facts(func(f *Facts) {
		ended(ResultFailed, 24)(f)
		f.Project, f.Host = "a\r\nBcc: eve@example.com\x1b[31m", "h\nx"
		f.Why = "two\nlines \xff" + strings.Repeat("ä\n", 4000)
	})
	_, m := Watch(Told{}, f, hour(24))
	if s := m[0].Subject; strings.ContainsAny(s, "\r\n\x1b") || len(s) > maxSubject {
		t.Errorf("subject %q", s)
	}
	if body := m[0].Text(hour(24)); !strings.Contains(body, "two lines") || len(body) > maxBody || strings.ContainsAny(body, "\r\x1b") || strings.Contains(body, "\nBcc") {
		t.Errorf("body %q", body)
	}
}

func TestWatchKit(t *testing.T) {
	var told time.Time
	var sent []float64
	for h := 0.0; h < 24*22; h++ {
		var ok bool
		if told, _, ok = WatchKit(told, start, "laptop", "home", hour(h)); ok {
			sent = append(sent, h)
		}
	}
	if diff := cmp.Diff([]float64{24, 24 * 8, 24 * 15}, sent); diff != "" {
		t.Error(diff)
	}
	if _, _, ok := WatchKit(hour(9000), start, "laptop", "home", hour(24)); !ok {
		t.Error("a clock that was wrong silences the reminder")
	}
}

func TestTargetWants(t *testing.T) {
	failed := Message{Event: Failed, Projects: []string{"website"}}
	allClear := Message{Event: Recovered, Ends: []Event{Failed}, Projects: []string{"website"}}
	for _, c := range []struct {
		name string
		t    Target
		m    Message
		want bool
	}{
		{"all", Target{}, failed, true},
		{"its event", Target{Events: []Event{Failed}}, failed, true},
		{"another event", Target{Events: []Event{Stale}}, failed, false},
		{"its project", Target{Projects: []string{"site", "website"}}, failed, true},
		{"another project", Target{Projects: []string{"site"}}, failed, false},
		{"the whole machine", Target{Projects: []string{"site"}}, Message{Event: Kit}, true},
		{"all-clear of what it heard", Target{Events: []Event{Failed, Recovered}}, allClear, true},
		{"all-clear of what it did not hear", Target{Events: []Event{Stale, Recovered}}, allClear, false},
		{"no all-clears", Target{Events: []Event{Failed}}, allClear, false},
		{"a test", Target{Events: []Event{Stale}, Projects: []string{"site"}}, Message{Event: Test}, true},
	} {
		if got := c.t.Wants(c.m); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
