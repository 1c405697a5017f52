package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"coffer/config"
	"coffer/vault/prune"
)

// parseShare reads a part of a whole, such as 10%.
func parseShare(flag, s string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(n > 0 && n <= 100) || !strings.HasSuffix(s, "%") {
		return 0, usagef("write it as "+flag+" 10%", "%s %s is not understood", flag, s)
	}
	return n / 100, nil
}

func pruneSample(p *prune.Progress, t time.Duration) sample {
	stage := ""
	if s := p.Stage.Load(); s != nil {
		stage = *s
	}
	done, total := p.Done.Load(), p.Total.Load()
	s := sample{text: stage, json: map[string]any{"stage": stage, "objects_done": done, "total_objects": total, "seconds_elapsed": int64(t.Seconds())}}
	if total > 0 {
		s.text = joined(stage, countText(done)+" of "+plural(total, "object"), left(done, total, t))
	}
	return s
}

// tallyText is "3 packs, 12 MiB, with 2 other objects", and what that costs a
// month.
func tallyText(t prune.Tallies, price config.Price) string {
	sum, packs := t.All(), t[prune.Packs]
	text := counted(count{packs.Count, "pack"}, count{sum.Count - packs.Count, "other object"})
	if text == "" {
		return "nothing"
	}
	return joined(text, bytesText(sum.Bytes), costText(price, sum.Bytes))
}

// daysText is a time that people count in days.
func daysText(t time.Duration) string {
	if days := int64(t / (24 * time.Hour)); t%(24*time.Hour) == 0 {
		return plural(days, "day")
	}
	return durationText(t)
}

// costText is what bytes cost a month; "" where no price is known.
func costText(p config.Price, bytes int64) string {
	if p == (config.Price{}) {
		return ""
	}
	return fmt.Sprintf("%.2f %s a month", float64(bytes)/1e12*float64(p.Micro)/1e6, p.Currency)
}

func tallyJSON(m map[string]any, name string, t prune.Tallies) {
	sum := t.All()
	m["packs_"+name], m["objects_"+name], m["bytes_"+name] = t[prune.Packs].Count, sum.Count, sum.Bytes
}

// tellPlan prints what a prune would do.
func (d *door) tellPlan(p *prune.Plan, price config.Price, dry bool) {
	for _, s := range p.Stops {
		d.tellProblem(s.Object, s.Err, s.Harms)
	}
	for _, w := range p.Warnings {
		d.tellWarning(w)
	}
	d.tellOdd(p)
	if d.json {
		d.emitPlan(p, price, dry)
		return
	}
	if d.quiet && !dry {
		return
	}
	del, condemn, wait := prune.Count(p.Delete), prune.Count(p.Condemn), prune.Count(p.Waiting)
	w := d.out
	fmt.Fprintf(w, "needed: %s\n", tallyText(p.Live, price))
	fmt.Fprintf(w, "to delete now: %s\n", tallyText(del, price))
	fmt.Fprintf(w, "to condemn now: %s\n", tallyText(condemn, price))
	if condemn.All().Count > 0 {
		fmt.Fprintf(w, "  a prune after %s deletes them, if nothing has come to need them\n", daysText(p.Grace))
	}
	if wait.All().Count > 0 {
		fmt.Fprintf(w, "condemned before: %s; to be deleted from %s on\n", tallyText(wait, price), timeText(p.Ready))
	}
	if p.Young.All().Count > 0 {
		fmt.Fprintf(w, "not needed, but new: %s; of backups at work or interrupted\n", tallyText(p.Young, config.Price{}))
	}
}

func (d *door) emitPlan(p *prune.Plan, price config.Price, dry bool) {
	m := map[string]any{"dry_run": dry, "grace_seconds": int64(p.Grace.Seconds()), "stopped": len(p.Stops), "foreign": len(p.Odd)}
	tallyJSON(m, "needed", p.Live)
	tallyJSON(m, "to_delete", prune.Count(p.Delete))
	tallyJSON(m, "to_condemn", prune.Count(p.Condemn))
	tallyJSON(m, "waiting", prune.Count(p.Waiting))
	tallyJSON(m, "young", p.Young)
	if !p.Ready.IsZero() {
		m["ready"] = p.Ready.UTC()
	}
	if price != (config.Price{}) {
		m["price_per_tb"] = price.String()
	}
	d.emit("prune_plan", m)
}

// tellWarning tells what made the work more careful, and stops nothing.
func (d *door) tellWarning(err error) {
	if d.json {
		d.emit("warning", map[string]any{"event": "warning", "error": err.Error()})
		return
	}
	d.note("warning: %s", plainText(err.Error()))
}

// tellOdd tells of what is not the vault's, each with -v.
func (d *door) tellOdd(p *prune.Plan) {
	if len(p.Odd) == 0 {
		return
	}
	if d.verbose || d.json {
		for _, o := range p.Odd {
			d.tellProblem(o.Object, o.Err, o.Harms)
		}
		return
	}
	d.note("%s beside the vault, which someone else has put there; -v names them", plural(len(p.Odd), "object"))
}

// tellPruned prints what a prune did.
func (d *door) tellPruned(r prune.Result, price config.Price, err error) {
	if d.json {
		m := map[string]any{"lists": r.Lists, "swept": r.Swept, "done": err == nil}
		tallyJSON(m, "deleted", r.Deleted)
		tallyJSON(m, "condemned", r.Condemned)
		tallyJSON(m, "waiting", r.Waiting)
		if !r.Ready.IsZero() {
			m["ready"] = r.Ready.UTC()
		}
		d.emit("summary", m)
		return
	}
	fmt.Fprintf(d.out, "deleted: %s\n", tallyText(r.Deleted, price))
	if err == nil {
		fmt.Fprintf(d.out, "condemned: %s\n", tallyText(r.Condemned, price))
	}
	if r.Waiting.All().Count > 0 {
		fmt.Fprintf(d.out, "  what waits can be deleted from %s on:  coffer prune\n", timeText(r.Ready))
	}
}
