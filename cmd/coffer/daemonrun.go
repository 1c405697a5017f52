package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"coffer/config"
	"coffer/daemon"
	"coffer/daemon/control"
	"coffer/daemon/host"
	"coffer/daemon/report"
)

// A daemonServer is all that belongs to a running daemon.
type daemonServer struct {
	d      *door
	daemon *daemon.Daemon
	log    *slog.Logger
	level  *slog.LevelVar
	file   io.Closer // the log
	voice  *voice
	window *window
	unlock func()
	listen net.Listener
	socket string

	mu     sync.Mutex
	config *config.Config // guarded by mu: in use
	stamp  stamp          // guarded by mu: of the file when it was read last
	absent int            // guarded by mu: looks in a row that did not find it
}

// stamp tells one state of a file from another.
type stamp struct {
	size int64
	time time.Time
}

// stopWithin is how long the daemon takes to end, at the most. Service managers
// are told a little more.
const stopWithin = 9 * time.Second

// startDaemon takes the lock, reads config and memory, and opens the socket.
func (d *door) startDaemon() (*daemonServer, error) {
	dir, err := daemonDir()
	if err != nil {
		return nil, err
	}
	store, err := report.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &daemonServer{d: d}
	if s.unlock, err = store.Lock(); err != nil {
		return nil, hinted(err, "coffer status  tells how it stands")
	}
	if err := s.start(store); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *daemonServer) start(store *report.Store) (err error) {
	if s.log, s.level, s.file, err = s.d.daemonLog(); err != nil {
		return err
	}
	if err := host.LowerPriority(); err != nil {
		s.log.Debug("runs have the usual priority", "why", err)
	}
	s.voice, s.window = newVoice(store, s.log), newWindow(s)
	s.daemon, err = daemon.New(daemon.Options{
		Store: store, Load: s.load, Changed: s.changed, Version: versionText(), Device: deviceSeed(),
		Machine: machine(), Log: s.log, Voice: voices{s.voice, s.window},
	})
	if err != nil {
		return noConfig(err)
	}
	s.window.set(s.config.Daemon)
	s.warnOfGuarded()
	if s.socket, err = socketPath(); err != nil {
		return err
	}
	s.listen, err = control.Listen(s.socket)
	return err
}

// warnOfGuarded tells of folders that macOS keeps from the daemon, though a
// terminal may read them.
func (s *daemonServer) warnOfGuarded() {
	var folders []string
	for _, p := range s.config.Projects {
		folders = append(folders, p.Paths...)
	}
	if guarded := host.Guarded(folders); len(guarded) > 0 {
		program, _ := os.Executable()
		s.log.Error(fmt.Sprintf(host.FullDiskAccess, program), "folders", guarded)
	}
}

// noConfig says what a daemon without a config needs.
func noConfig(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return told{err, exitUsage, "the daemon needs a config that says what to back up when:  coffer config example"}
	}
	return err
}

// deviceSeed spreads jitter over the machines that share a config.
func deviceSeed() string {
	name, _ := os.Hostname()
	return name
}

// load reads the config anew.
func (s *daemonServer) load() (*daemon.Settings, error) {
	now := s.stampNow()
	settings, c, err := s.d.settings(s.log, func(job string, look func() string) { s.daemon.OnProgress(job, look) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stamp = now // a bad file is complained of once, until it changes again
	if err != nil {
		return nil, err
	}
	s.config = c
	setLevel(s.level, c.Daemon.LogLevel)
	s.voice.setTargets(c)
	if s.daemon != nil { // else it is about to be made
		s.window.set(c.Daemon)
	}
	return settings, nil
}

// changed tells whether the file is another one than was read.
func (s *daemonServer) changed() bool {
	now := s.stampNow()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now != (stamp{}) {
		s.absent = 0
		return now != s.stamp
	}
	s.absent++
	return s.absent == 3 // while an editor replaces it, it is gone for a moment
}

func (s *daemonServer) stampNow() stamp {
	path, err := s.d.configPath()
	if err != nil {
		return stamp{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime()}
}

// run works until ctx ends.
func (s *daemonServer) run(ctx context.Context) error {
	began := s.daemon.Status()
	s.log.Info("the daemon is at work", "version", versionText(), "config", began.Config, "jobs", len(began.Jobs))
	served := make(chan error, 2)
	go func() {
		defer close(served)
		served <- control.Serve(ctx, s.listen, s.socket, s.daemon, s.d.daemonWork(s.daemon), stopWithin)
	}()
	ended := make(chan struct{})
	go func() { defer close(ended); s.daemon.Run(ctx) }()
	select {
	case err := <-served: // the socket broke: without it the daemon works on
		if ctx.Err() == nil {
			s.log.Error("commands cannot reach the daemon any more", "why", err)
			<-ctx.Done()
		}
	case <-ctx.Done():
	}
	late := time.After(stopWithin)
	select {
	case <-ended:
	case <-late:
		return fmt.Errorf("a run did not end within %s; the next start goes on from where it was", stopWithin)
	}
	select { // commands that look on hear the end of it
	case <-served:
	case <-late:
	}
	s.log.Info("the daemon has ended")
	return nil
}

func (s *daemonServer) close() {
	if s.listen != nil {
		s.listen.Close()
	}
	if s.file != nil {
		s.file.Close()
	}
	s.unlock()
}
