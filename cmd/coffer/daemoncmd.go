package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"coffer/daemon/control"
	"coffer/daemon/host"
	"coffer/daemon/report"
)

func (d *door) daemonCommand() *cobra.Command {
	c := group("daemon", "Back up by the clock", `The daemon backs projects up when their schedules in the config say so, and does
what else is scheduled. It makes up once for what was missed while the machine
slept or was off, waits for the network, and tries again what failed.

coffer service install  starts it with the machine;  coffer status  tells how it stands.`)
	c.AddCommand(
		&cobra.Command{
			Use: "run", Short: "Run the daemon until it is ended", Args: exactly(0, "coffer daemon run"),
			Long: `Run the daemon in the foreground, as a service manager wants it. SIGTERM or Ctrl-C
ends it within ten seconds; a run at work goes on at the next start. SIGHUP, or a
change of the config file, makes it read the config anew.`,
			RunE: func(cmd *cobra.Command, args []string) error { return d.daemonRun(cmd.Context()) },
		},
		&cobra.Command{
			Use: "pause [HOW LONG]", Short: "Keep scheduled runs from beginning", Args: between(0, 1, "coffer daemon pause 2h"),
			Long: `Keep scheduled runs from beginning, for a while such as 30m or 2h, or until
coffer daemon resume. What comes due meanwhile is made up for once. A run at work goes on.`,
			RunE: func(cmd *cobra.Command, args []string) error { return d.daemonPause(cmd.Context(), args) },
		},
		&cobra.Command{
			Use: "resume", Short: "End a pause", Args: exactly(0, "coffer daemon resume"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return d.order(cmd.Context(), "resumed", (*control.Client).Resume)
			},
		},
		&cobra.Command{
			Use: "reload", Short: "Make the daemon read its config anew", Args: exactly(0, "coffer daemon reload"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return d.order(cmd.Context(), "the config is in use", (*control.Client).Reload)
			},
		},
	)
	return c
}

func (d *door) daemonPause(ctx context.Context, args []string) error {
	var length time.Duration
	if len(args) == 1 {
		var err error
		if length, err = time.ParseDuration(args[0]); err != nil || length <= 0 {
			return usagef("write it like 30m or 2h", "pause: %q is not a length of time", args[0])
		}
	}
	text := "paused until:  coffer daemon resume"
	if length > 0 {
		text = "paused until " + timeText(time.Now().Add(length))
	}
	return d.order(ctx, text, func(c *control.Client, ctx context.Context) (report.Status, error) { return c.Pause(ctx, length) })
}

// order tells a running daemon something, and says that it heard.
func (d *door) order(ctx context.Context, heard string, give func(*control.Client, context.Context) (report.Status, error)) error {
	client, err := d.dialDaemon(ctx)
	if err != nil {
		return noDaemon(err)
	}
	defer client.Close()
	s, err := give(client, ctx)
	if err != nil {
		return told{err, exitFailed, "the daemon goes on as before"}
	}
	if d.json {
		d.emit("daemon", map[string]any{"pid": s.PID, "config": s.Config, "paused_until": timeOrNil(s.PausedUntil)})
		return nil
	}
	fmt.Fprintln(d.out, heard)
	return nil
}

func noDaemon(err error) error {
	return told{err, exitFailed, "start it:  coffer service install, or coffer daemon run"}
}

// timeOrNil is null in JSON for a time that says nothing.
func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// daemonRun is the daemon's life.
func (d *door) daemonRun(ctx context.Context) error {
	err := d.serveDaemon(ctx)
	if err == nil || !host.UnderLaunchd() {
		return err
	}
	if code, _, _ := explain(ctx, err); code == exitUsage {
		// A config that is missing or wrong: launchd would start it again every
		// few seconds, for ever.
		d.leave(ctx, err)
		return nil
	}
	return err
}

func (d *door) serveDaemon(ctx context.Context) error {
	s, err := d.startDaemon()
	if err != nil {
		return err
	}
	defer s.close()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			select {
			case <-hup:
				s.daemon.AskReload()
			case <-ctx.Done():
				return
			}
		}
	}()
	return s.run(ctx)
}
