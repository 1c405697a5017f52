package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"coffer/config"
	"coffer/daemon/notify"
)

func (d *door) notifyCommand() *cobra.Command {
	c := group("notify", "Tell people how the backups fare", `Whom the daemon tells stands in the config, as [notify.NAME]: a message service, the
desktop, or a service that expects to hear from each run.`)
	c.AddCommand(&cobra.Command{
		Use: "test [NAME ...]", Short: "Send a test message to whom the config names",
		Long: `Send a test message to each [notify.NAME] of the config, or to those named, and say
which of them took it.`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.notifyTest(cmd.Context(), args) },
	})
	return c
}

func (d *door) notifyTest(ctx context.Context, names []string) error {
	c, err := d.loadConfig()
	if err != nil {
		return err
	}
	all, err := notifyOf(c, names)
	if err != nil {
		return err
	}
	failed := 0
	for _, n := range all {
		err := sendTest(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.tellTest(n.Name, err)
		if err != nil {
			failed++
		}
	}
	if failed > 0 {
		return outcome{exitFailed, fmt.Sprintf("%d of %s not delivered", failed, plural(len(all), "test message"))}
	}
	return nil
}

// notifyOf finds whom the arguments name; all, if they name none.
func notifyOf(c *config.Config, names []string) ([]config.Notify, error) {
	if len(c.Notify) == 0 {
		return nil, usagef("coffer config example  shows how", "the config names nobody to tell: it has no [notify.NAME]")
	}
	if len(names) == 0 {
		return c.Notify, nil
	}
	var out []config.Notify
	for _, name := range names {
		i := slices.IndexFunc(c.Notify, func(n config.Notify) bool { return n.Name == name })
		if i < 0 {
			return nil, usagef("coffer config show  lists them", "the config has no [notify.%s]", name)
		}
		out = append(out, c.Notify[i])
	}
	return out, nil
}

func sendTest(ctx context.Context, n config.Notify) error {
	host, _ := os.Hostname()
	m := notify.TestMessage(host, time.Now())
	if n.IsPing() {
		p, err := pingerOf(n)
		if err != nil {
			return err
		}
		return p.Ping(ctx, notify.PingLog, notify.NewRunID(), m.Body)
	}
	t, err := targetOf(n)
	if err != nil {
		return err
	}
	return notify.NewSender(notify.SenderOptions{}).Send(ctx, t, m, time.Now())
}

func (d *door) tellTest(name string, err error) {
	if d.json {
		m := map[string]any{"notify": name, "delivered": err == nil}
		if err != nil {
			m["error"] = err.Error()
		}
		d.emit("notify", m)
		return
	}
	if err != nil {
		fmt.Fprintf(d.out, "%s: not delivered: %s\n", safeName(name), safeText(err.Error()))
		return
	}
	fmt.Fprintf(d.out, "%s: delivered\n", safeName(name))
}
