package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coffer/daemon/report"
	"coffer/remote/s3"
	"coffer/remote/storetest/servers"
)

// The daemon as a service manager starts it: the real program, with a home of
// its own, a real notify socket, and a real S3 server that goes away and comes
// back.

// A lab is a home in which daemons run.
type lab struct {
	t    *testing.T
	home string
	env  []string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, home: t.TempDir()}
	l.env = []string{"HOME=" + l.home, "PATH=" + os.Getenv("PATH"), "TZ=UTC", "TERM=xterm"}
	l.write("work/one.txt", "one\n")
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.home, name) }

func (l *lab) write(name, text string) {
	l.t.Helper()
	if err := os.MkdirAll(filepath.Dir(l.path(name)), 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(l.path(name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// config writes the config; $HOME in it is the home.
func (l *lab) config(text string) {
	l.write(".config/coffer/config.toml", strings.ReplaceAll(text, "$HOME", l.home))
}

// bucket makes the vault rest in a new bucket of a server, and returns its
// remote.
func (l *lab) bucket(srv *servers.Server) string {
	l.t.Helper()
	store, err := s3.Open(l.t.Context(), s3.Options{
		Location: s3.Location{Endpoint: srv.Endpoint, Bucket: "backups"}, CredentialsFile: l.credentials(srv),
	})
	if err == nil {
		err = patiently(func() error { return store.MakeBucket(l.t.Context()) })
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.env = append(l.env, "AWS_ACCESS_KEY_ID="+srv.AccessKey, "AWS_SECRET_ACCESS_KEY="+srv.SecretKey)
	return "s3:" + srv.Endpoint + "/backups/laptop"
}

func (l *lab) credentials(srv *servers.Server) string {
	l.write("credentials", srv.AccessKey+"\n"+srv.SecretKey+"\n")
	return l.path("credentials")
}

// coffer runs a command and returns what it printed and its exit code.
func (l *lab) coffer(args ...string) (out string, code int) {
	l.t.Helper()
	cmd := exec.Command("coffer", args...)
	cmd.Env, cmd.Dir = l.env, l.home
	b, err := cmd.CombinedOutput()
	return string(b), codeOf(err)
}

// ok runs a command that must end well.
func (l *lab) ok(args ...string) string {
	l.t.Helper()
	out, code := l.coffer(args...)
	if code != 0 {
		l.t.Fatalf("coffer %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// A service is a daemon at work.
type service struct {
	l    *lab
	cmd  *exec.Cmd
	err  *bytes.Buffer
	gone chan struct{}
}

// daemon starts a daemon and waits until it answers.
func (l *lab) daemon(env ...string) *service {
	l.t.Helper()
	s := &service{l: l, cmd: exec.Command("coffer", "daemon", "run"), err: new(bytes.Buffer), gone: make(chan struct{})}
	s.cmd.Env, s.cmd.Dir = append(slices.Clone(l.env), env...), l.home
	s.cmd.Stderr = s.err
	if err := s.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { defer close(s.gone); s.cmd.Wait() }()
	l.t.Cleanup(func() { s.cmd.Process.Kill(); <-s.gone })
	l.until("the daemon answers", func() error {
		select {
		case <-s.gone:
			l.t.Fatalf("the daemon has ended: %s", s.err)
		default:
		}
		if out, _ := l.coffer("daemon", "resume"); !strings.Contains(out, "resumed") {
			return fmt.Errorf("it says %s", out)
		}
		return nil
	})
	return s
}

// end ends the daemon by a signal, and returns how long that took.
func (s *service) end(sig syscall.Signal, code int) time.Duration {
	s.l.t.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.l.t.Fatal(err)
	}
	select {
	case <-s.gone:
	case <-time.After(30 * time.Second):
		s.l.t.Fatalf("the daemon does not end: %s", s.err)
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.l.t.Fatalf("the daemon ended with %d, not %d: %s", got, code, s.err)
	}
	return time.Since(began)
}

func (l *lab) until(what string, try func() error) {
	l.t.Helper()
	var err error
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	l.t.Fatalf("waited in vain until %s: %v", what, err)
}

// runs are the runs that the daemon noted.
func (l *lab) runs() []report.Run {
	l.t.Helper()
	runs, err := report.At(l.path(".local/state/coffer/daemon")).Runs()
	if err != nil {
		l.t.Fatal(err)
	}
	return runs
}

// untilRuns waits until as many runs have ended.
func (l *lab) untilRuns(n int) []report.Run {
	l.t.Helper()
	l.until(fmt.Sprintf("%d runs have ended", n), func() error {
		if got := len(l.runs()); got < n {
			return fmt.Errorf("%d have", got)
		}
		return nil
	})
	return l.runs()
}

// A manager is the service manager's end of the notify socket.
type manager struct {
	conn *net.UnixConn
	name string
	mu   sync.Mutex
	said []string // guarded by mu
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{name: fmt.Sprintf("@coffer-test-%d-%d", os.Getpid(), time.Now().UnixNano())}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m.conn = conn
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said = append(m.said, string(b[:n]))
			m.mu.Unlock()
		}
	}()
	return m
}

// heard tells how often a message that begins so has come.
func (m *manager) heard(message string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, s := range m.said {
		if strings.HasPrefix(s, message) {
			n++
		}
	}
	return n
}

func (l *lab) hears(m *manager, message string, times int) {
	l.t.Helper()
	l.until(fmt.Sprintf("%s has come %d times", message, times), func() error {
		if got := m.heard(message); got < times {
			return fmt.Errorf("%d times", got)
		}
		return nil
	})
}

const folderConfig = `
[vault.home]
remote = "$HOME/vault"
[project.work]
paths = ["$HOME/work"]
schedule.backup = "@yearly"
`

// A service manager hears that the daemon is ready, that it is alive, that it
// reloads, and that it stops; and a daemon whose loop hangs is silent.
func TestDaemonTellsItsManager(t *testing.T) {
	l, m := newLab(t), newManager(t)
	l.config(folderConfig)
	s := l.daemon("NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=400000")
	l.hears(m, "READY=1", 1)
	l.hears(m, "WATCHDOG=1", 3)
	l.hears(m, "STATUS=", 1)
	l.untilRuns(1)

	// A config that cannot be used is told of, and the one before stays.
	l.config(folderConfig + "nonsense = 1\n")
	s.signal(syscall.SIGHUP)
	l.hears(m, "RELOADING=1\nMONOTONIC_USEC=", 1)
	l.hears(m, "READY=1", 2)
	if out, code := l.coffer("daemon", "reload"); code != 1 || !strings.Contains(out, "nonsense") {
		t.Errorf("reload of a bad config: exit code %d\n%s", code, out)
	}
	if out, code := l.coffer("status"); code != exitUsage || !strings.Contains(out, "goes by the one before") || !strings.Contains(out, "backup work: last run") {
		t.Errorf("status with a bad config: exit code %d\n%s", code, out)
	}
	// A changed file needs no signal.
	before := m.heard("READY=1")
	l.config(folderConfig)
	l.hears(m, "READY=1", before+1)

	s.end(syscall.SIGTERM, 0)
	l.hears(m, "STOPPING=1", 1)
}

func (s *service) signal(sig syscall.Signal) {
	s.l.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.l.t.Fatal(err)
	}
}

// A loop that hangs must miss the watchdog, or nothing would ever start the
// daemon anew. Here it hangs in the reading of a config on a disk that does not
// answer: a pipe that nobody writes to.
func TestDaemonThatHangs(t *testing.T) {
	l, m := newLab(t), newManager(t)
	l.config(folderConfig)
	s := l.daemon("NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=400000")
	l.hears(m, "WATCHDOG=1", 2)
	path := l.path(".config/coffer/config.toml")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	l.hears(m, "RELOADING=1", 1)
	before := m.heard("WATCHDOG=1")
	time.Sleep(1200 * time.Millisecond) // three times what the manager would wait
	if got := m.heard("WATCHDOG=1"); got != before {
		t.Errorf("a loop that hangs said %d times more that it is alive", got-before)
	}
	s.signal(syscall.SIGKILL) // as the manager does then
	<-s.gone
}

// slow makes runs long enough to meet: a big file and a narrow line.
func (l *lab) slow(remote string) { l.slowOf(40<<20, remote) }

func (l *lab) slowOf(size int, remote string) {
	b := make([]byte, size)
	f, err := os.Open("/dev/urandom")
	if err == nil {
		_, err = io.ReadFull(f, b)
		f.Close()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("work/big", string(b))
	l.config(fmt.Sprintf(`
[vault.far]
remote = %q
upload-limit = "6MiB/s"
connections = 1
[project.work]
paths = ["$HOME/work"]
schedule.backup = "@yearly"
`, remote))
}

// SIGTERM in the middle of an upload ends the daemon soon, and the next start
// goes on from there; after a kill there is one run that makes up for it.
func TestDaemonEndsInTheMiddle(t *testing.T) {
	l := newLab(t)
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	l.slowOf(60<<20, l.bucket(srv))
	packs := filepath.Join(srv.Data, "backups/laptop/packs/*/*/*")
	more := func(than int) {
		l.until("one more pack is stored", func() error {
			if now, _ := filepath.Glob(packs); len(now) <= than {
				return fmt.Errorf("%d packs", len(now))
			}
			return nil
		})
	}

	s := l.daemon()
	more(1)
	if took := s.end(syscall.SIGTERM, 0); took > 10*time.Second {
		t.Errorf("the daemon took %s to end", took)
	}
	first, err := filepath.Glob(packs)
	if err != nil {
		t.Fatal(err)
	}
	s = l.daemon()
	more(len(first))
	s.end(syscall.SIGKILL, -1)
	l.daemon()
	runs := l.untilRuns(2)
	if got := fmt.Sprint(runs[0].Result, " ", runs[1].Result, " ", runs[1].Trigger); got != "failed ok catch-up" && got != "failed ok schedule" {
		t.Errorf("the runs were %s", got)
	}
	if out := l.ok("status"); !strings.Contains(out, "last run now, ok") && !strings.Contains(out, "ok, ") {
		t.Errorf("status:\n%s", out)
	}
	time.Sleep(time.Second)
	if got := len(l.runs()); got != 2 {
		t.Errorf("%d runs were made up for", got-1)
	}
	var stored int64
	filepath.Walk(filepath.Join(srv.Data, "backups/laptop/packs"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			stored += info.Size()
		}
		return err
	})
	// At each end a pack may be there whose answer did not come. From scratch, two
	// would have been stored by the first run, one by the second and all by the last.
	const file, pack = 60 << 20, 17 << 20
	if stored > file+2*pack+4<<20 {
		t.Errorf("%d bytes are stored: what was stored before was stored again", stored)
	}
	l.ok("verify", "--deep")
}

// A command lets the daemon do the run and shows it as its own: progress, what
// could not be read, exit code. Two at once take turns.
func TestBackupThroughTheDaemon(t *testing.T) {
	l := newLab(t)
	l.slow(l.path("vault"))
	l.write(".config/coffer/config.toml", strings.Replace(string(l.read(".config/coffer/config.toml")), `/work"]`, `/work", "`+l.path("gone")+`"]`, 1))
	l.daemon()
	l.untilRuns(1)
	l.slow(l.path("vault")) // another big file, and both folders again
	l.write(".config/coffer/config.toml", strings.Replace(string(l.read(".config/coffer/config.toml")), `/work"]`, `/work", "`+l.path("gone")+`"]`, 1))
	l.ok("daemon", "reload")

	var group sync.WaitGroup
	out, code := make([]string, 2), make([]int, 2)
	cmds := [][]string{{"terminal", "coffer", "backup", "now"}, {"coffer", "backup", "now", "work", "--json"}}
	for i, args := range cmds {
		group.Go(func() {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env, cmd.Dir = l.env, l.home
			b, err := cmd.CombinedOutput()
			out[i], code[i] = string(b), codeOf(err)
		})
		l.until("the first of them is at work", func() error {
			if s, _ := l.coffer("status"); !strings.Contains(s, "running since") {
				return fmt.Errorf("%s", s)
			}
			return nil
		})
	}
	group.Wait()
	for i := range out {
		if code[i] != exitPartial {
			t.Errorf("%v: exit code %d\n%s", cmds[i], code[i], out[i])
		}
	}
	for _, want := range []string{"MiB/s", "not saved: " + l.path("gone"), "snapshot ", "partial: 1 entry could not be read"} {
		if !strings.Contains(out[0], want) {
			t.Errorf("the terminal lacks %q:\n%s", want, out[0])
		}
	}
	if !strings.Contains(out[1], `"message_type":"summary"`) || !strings.Contains(out[1], `"partial":true`) {
		t.Errorf("--json printed:\n%s", out[1])
	}
	runs := l.untilRuns(3)
	if len(runs) != 3 || runs[1].Trigger != report.Hand || runs[2].Trigger != report.Hand || runs[2].Begin.Before(runs[1].End) {
		t.Errorf("the runs were %+v", runs)
	}
}

func (l *lab) read(name string) []byte {
	b, err := os.ReadFile(l.path(name))
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// Ctrl-C in the command ends the run in the daemon, in order.
func TestBackupThroughTheDaemonInterrupted(t *testing.T) {
	l := newLab(t)
	l.slow(l.path("vault"))
	l.daemon()
	l.untilRuns(1)
	l.slow(l.path("vault"))
	cmd := exec.Command("coffer", "backup", "now")
	cmd.Env, cmd.Dir = l.env, l.home
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.until("the run is at work", func() error {
		if s := l.ok("status"); !strings.Contains(s, "running since") {
			return fmt.Errorf("%s", s)
		}
		return nil
	})
	cmd.Process.Signal(os.Interrupt)
	if code := codeOf(cmd.Wait()); code != exitInterrupted || !strings.Contains(out.String(), "coffer: interrupted") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
	if runs := l.untilRuns(2); runs[1].Code != exitInterrupted {
		t.Errorf("the run was %+v", runs[1])
	}
}

// A listener is whoever is told: it takes messages and pings.
type listener struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string // guarded by mu: path and first line
}

func newListener(t *testing.T) *listener {
	r := &listener{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.heard = append(r.heard, req.URL.Path+" "+string(b))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *listener) told(path, text string) (hits []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.heard {
		if strings.HasPrefix(h, path) && strings.Contains(h, text) {
			hits = append(hits, h)
		}
	}
	return hits
}

func (l *lab) told(r *listener, path, text string, times int) {
	l.t.Helper()
	l.until(fmt.Sprintf("%q is told %d times", text, times), func() error {
		if got := r.told(path, text); len(got) < times {
			r.mu.Lock()
			defer r.mu.Unlock()
			return fmt.Errorf("%q", r.heard)
		}
		return nil
	})
}

func (r *listener) config(maxAge string) string {
	return fmt.Sprintf(`
[notify.hook]
url = "generic+%s/message"
[notify.ping]
ping = "%s/ping"
[project.work]
paths = ["$HOME/work"]
schedule.backup = "@yearly"
max-age = %q
`, r.URL, r.URL, maxAge)
}

// outage is how long the server is away; the environment can make it longer.
func outage() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("COFFER_TEST_OUTAGE")); err == nil {
		return d
	}
	return 5 * time.Second
}

// A laptop wakes up before its network does: one good run, and no alarm.
func TestDaemonWaitsForTheRemote(t *testing.T) {
	l, m, r := newLab(t), newManager(t), newListener(t)
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	remote := l.bucket(srv)
	l.config("[vault.far]\nremote = \"" + remote + "\"\n" + r.config("1h"))
	srv.Stop()
	l.daemon("NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=1000000")
	time.Sleep(outage())
	if runs := l.runs(); len(runs) > 0 {
		t.Errorf("a run ended while the remote was away: %+v", runs)
	}
	if out, _ := l.coffer("status"); !strings.Contains(out, "waiting for the remote") {
		t.Errorf("status:\n%s", out)
	}
	if err := srv.Again(); err != nil {
		t.Fatal(err)
	}
	runs := l.untilRuns(1)
	if len(runs) != 1 || runs[0].Result != report.OK {
		t.Errorf("the runs were %+v", runs)
	}
	l.told(r, "/ping ", "backup work: ok", 1)
	if got := r.told("/message", ""); len(got) > 0 {
		t.Errorf("an alarm was raised: %q", got)
	}
}

// A remote that is away for longer than a snapshot may grow old is one alarm,
// and one all-clear when it is back.
func TestDaemonRaisesOneAlarm(t *testing.T) {
	l, m, r := newLab(t), newManager(t), newListener(t)
	srv := servers.Start(t, servers.MinIO, servers.HTTP)
	remote := l.bucket(srv)
	l.config("[vault.far]\nremote = \"" + remote + "\"\n" + strings.Replace(r.config("8s"), "@yearly", "* * * * *", 1))
	l.daemon("NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=1000000")
	l.untilRuns(1)
	srv.Stop()
	l.told(r, "/message", "no good backup of work", 1)
	time.Sleep(outage())
	if err := srv.Again(); err != nil {
		t.Fatal(err)
	}
	l.untilRuns(2) // the next minute's run
	l.told(r, "/message", "is well again", 1)
	if got := r.told("/message", ""); len(got) != 2 {
		t.Errorf("%d messages: %q", len(got), got)
	}
}

// Every end of a run reaches the one who watches over the runs: a success, a
// hook that takes too long, and a run that hangs, which shows in its silence.
func TestDaemonPings(t *testing.T) {
	l, r := newLab(t), newListener(t)
	l.config("[vault.home]\nremote = \"$HOME/vault\"\n" + r.config("1h"))
	l.daemon()
	l.told(r, "/ping/start", "", 1)
	l.told(r, "/ping ", "backup work: ok", 1)

	l.config("[vault.home]\nremote = \"$HOME/vault\"\n" + r.config("1h") + "run-before = {command = \"sleep 60\", timeout = \"1s\"}\n")
	l.ok("daemon", "reload")
	if out, code := l.coffer("backup", "now"); code != 1 || !strings.Contains(out, "took longer than 1s") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	l.told(r, "/ping/fail", "took longer than 1s", 1)

	l.config("[vault.home]\nremote = \"$HOME/vault\"\n" + r.config("1h") + "run-before = \"touch $HOME/began; sleep 600\"\n")
	l.ok("daemon", "reload")
	cmd := exec.Command("coffer", "backup", "now")
	cmd.Env, cmd.Dir = l.env, l.home
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := appears(l.path("began")); err != nil {
		t.Fatal(err)
	}
	l.told(r, "/ping/start", "", 3)
	if out, _ := l.coffer("status"); !strings.Contains(out, "running since") || !strings.Contains(out, "run-before") {
		t.Errorf("status of a run that hangs:\n%s", out)
	}
	if got := len(r.told("/ping ", "")) + len(r.told("/ping/fail", "")); got != 2 {
		t.Errorf("a run that hangs pinged its end: %d ends of two runs", got)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
}

// What happened while the daemon was off is told when it is back: the alarm of
// a snapshot that grew too old in the meantime.
func TestDaemonThatWasOff(t *testing.T) {
	l, m, r := newLab(t), newManager(t), newListener(t)
	l.config("[vault.home]\nremote = \"$HOME/vault\"\n" + r.config("3s"))
	s := l.daemon("NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=1000000")
	l.untilRuns(1)
	s.end(syscall.SIGTERM, 0)
	if _, code := l.coffer("status", "--max-age", "1h"); code != 0 {
		t.Errorf("status of a fresh snapshot: exit code %d", code)
	}
	time.Sleep(4 * time.Second)
	if out, code := l.coffer("status"); code != exitStale || !strings.Contains(out, "no daemon is running") {
		t.Errorf("status of an old snapshot: exit code %d\n%s", code, out)
	}
	l.daemon("NOTIFY_SOCKET="+m.name, "WATCHDOG_USEC=1000000")
	l.told(r, "/message", "no good backup of work", 1)
	l.ok("backup", "now")
	l.told(r, "/message", "is well again", 1)
}

// Status of a daemon as programs read it.
func TestStatusJSON(t *testing.T) {
	l := newLab(t)
	l.config(folderConfig)
	l.daemon()
	l.untilRuns(1)
	l.ok("daemon", "pause", "2h")
	jobs := 0
	for lines := bufio.NewScanner(strings.NewReader(l.ok("status", "--json"))); lines.Scan(); {
		var m map[string]any
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		switch m["message_type"] {
		case "daemon":
			if m["running"] != true || m["paused_until"] == nil {
				t.Errorf("%s", lines.Text())
			}
		case "job":
			jobs++
			if m["job"] == "backup work" && (m["last_good"] == nil || m["next"] == nil || m["stale"] != false) {
				t.Errorf("%s", lines.Text())
			}
		}
	}
	if jobs == 0 {
		t.Error("no job is told of")
	}
}

// Whoever may look in sees the page and the metrics, and the file of metrics is
// there after a run; a reload moves the page.
func TestDaemonShowsItself(t *testing.T) {
	l := newLab(t)
	first, second := freePort(t), freePort(t)
	with := func(address string) string {
		return folderConfig + fmt.Sprintf("\n[daemon]\nweb-address = %q\nmetrics-file = \"$HOME/coffer.prom\"\n", address)
	}
	l.config(with(first))
	l.daemon()
	l.untilRuns(1)
	for _, c := range []struct{ path, want string }{
		{"/", "work"}, {"/status.json", `"job":"backup work"`}, {"/metrics", `coffer_job_last_success_timestamp_seconds{kind="backup",project="work"`},
	} {
		if got := l.get("http://" + first + c.path); !strings.Contains(strings.ReplaceAll(got, ": ", ":"), c.want) {
			t.Errorf("%s lacks %q:\n%s", c.path, c.want, got)
		}
	}
	l.until("the file of metrics is there", func() error {
		if b, err := os.ReadFile(l.path("coffer.prom")); err != nil || !bytes.Contains(b, []byte(`coffer_job_`)) {
			return fmt.Errorf("%v: %s", err, b)
		}
		return nil
	})
	l.config(with(second))
	l.ok("daemon", "reload")
	l.get("http://" + second + "/")
	if _, err := http.Get("http://" + first + "/"); err == nil {
		t.Error("the page is still at the address before")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (l *lab) get(url string) string {
	l.t.Helper()
	res, err := http.Get(url)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(b)
}
