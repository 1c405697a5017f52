package main

import (
	"context"
	"time"

	"coffer/config"
	"coffer/remote"
)

// limited holds a store to the limits of its vault. Where the config has other
// limits at other times of the day, they change while the work goes on, until
// ctx ends.
func (d *door) limited(ctx context.Context, store remote.Store, v config.Vault) remote.Store {
	up, down := d.ratesAt(v, time.Now())
	l := remote.Limit(store, up, down)
	if len(v.UploadTimes)+len(v.DownloadTimes) > 0 {
		go d.pace(ctx, l, v)
	}
	return l
}

// pace follows the clock.
func (d *door) pace(ctx context.Context, l *remote.Limited, v config.Vault) {
	t := time.NewTicker(15 * time.Second)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			l.SetRates(d.ratesAt(v, now.Round(0)))
		case <-ctx.Done():
			return
		}
	}
}

// ratesAt are the limits in bytes a second at one time of the day, by the
// config's clock.
func (d *door) ratesAt(v config.Vault, now time.Time) (up, down int64) {
	if d.zone != nil {
		now = now.In(d.zone)
	}
	minute := now.Hour()*60 + now.Minute()
	return int64(v.UploadAt(minute)), int64(v.DownloadAt(minute))
}

// zoneOf is where the config's clock hangs; the machine's if it says nothing.
func zoneOf(c *config.Config) *time.Location {
	if loc, err := time.LoadLocation(c.Timezone); err == nil && c.Timezone != "" {
		return loc
	}
	return time.Local
}
