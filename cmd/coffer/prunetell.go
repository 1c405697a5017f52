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
		s.text = joined(stage, countText(done)+" of "+countText(total), left(done, total, t))
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

// graceText is how long a condemned object waits.
func graceText(p *prune.Plan) string {
	if p.Unsure {
		return "a day (or a week: the first prune finds out what the remote enforces)"
	}
	return daysText(p.Grace)
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
func (d *door) tellPlan(p *prune.Plan, price config.Price, f pruneFlags) {
	for _, s := range p.Stops {
		d.tellProblem(s.Object, s.Err, s.Harms)
	}
	for _, w := range p.Warnings {
		d.tellWarning(w)
	}
	d.tellOdd(p)
	if d.json {
		d.emitPlan(p, price, f.dryRun)
		return
	}
	if d.quiet && !f.dryRun {
		return
	}
	del, condemn, wait := prune.Count(p.Delete), prune.Count(p.Condemn), prune.Count(p.Waiting)
	w := d.out
	fmt.Fprintf(w, "needed: %s\n", tallyText(p.Live, price))
	fmt.Fprintf(w, "to delete now: %s\n", tallyText(del, price))
	fmt.Fprintf(w, "to condemn now: %s\n", tallyText(condemn, price))
	if condemn.All().Count > 0 {
		fmt.Fprintf(w, "  a prune after %s deletes them, if nothing has come to need them\n", graceText(p))
	}
	if wait.All().Count > 0 {
		fmt.Fprintf(w, "condemned before: %s; to be deleted from %s on\n", tallyText(wait, price), timeText(p.Ready))
	}
	d.tellPartly(p.Partly, price, f)
	if p.Young.All().Count > 0 {
		fmt.Fprintf(w, "not needed, but new: %s; of backups at work or interrupted\n", tallyText(p.Young, config.Price{}))
	}
}

// tellPartly tells what is dead inside of packs that are needed.
func (d *door) tellPartly(p prune.Partly, price config.Price, f pruneFlags) {
	switch {
	case !f.repack && f.dryRun:
		fmt.Fprintln(d.out, "what is dead inside of needed packs only the kit can tell:  coffer prune --repack --dry-run --kit FILE")
	case !f.repack:
	case p.Chosen == 0:
		fmt.Fprintf(d.out, "to repack now: nothing; of %s, %s, about %s are dead\n", plural(p.Packs, "pack"), bytesText(p.Bytes), bytesText(p.Dead))
	default:
		fmt.Fprintf(d.out, "to repack now: %s, %s, of which about %s are stored again\n", plural(p.Chosen, "pack"), bytesText(p.Read), bytesText(p.Write))
		fmt.Fprintf(d.out, "  that frees about %s\n", joined(bytesText(p.Read-p.Write), costText(price, p.Read-p.Write)))
	}
}

func (d *door) emitPlan(p *prune.Plan, price config.Price, dry bool) {
	m := map[string]any{"dry_run": dry, "grace_seconds": int64(p.Grace.Seconds()), "stopped": len(p.Stops), "foreign": len(p.Odd)}
	tallyJSON(m, "needed", p.Live)
	tallyJSON(m, "to_delete", prune.Count(p.Delete))
	tallyJSON(m, "to_condemn", prune.Count(p.Condemn))
	tallyJSON(m, "waiting", prune.Count(p.Waiting))
	tallyJSON(m, "young", p.Young)
	if q := p.Partly; q.Packs > 0 {
		m["packs_looked_into"], m["bytes_dead_inside"] = q.Packs, q.Dead
		m["packs_to_repack"], m["bytes_to_repack"], m["bytes_to_store_again"] = q.Chosen, q.Read, q.Write
	}
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
		m["packs_repacked"], m["bytes_repacked"], m["bytes_stored_again"] = r.Repacked.Packs, r.Repacked.Read, r.Repacked.Stored
		tallyJSON(m, "condemned", r.Condemned)
		tallyJSON(m, "waiting", r.Waiting)
		if !r.Ready.IsZero() {
			m["ready"] = r.Ready.UTC()
		}
		d.emit("summary", m)
		return
	}
	fmt.Fprintf(d.out, "deleted: %s\n", tallyText(r.Deleted, price))
	if r.Repacked.Packs > 0 {
		fmt.Fprintf(d.out, "repacked: %s, %s, to %s\n", plural(r.Repacked.Packs, "pack"), bytesText(r.Repacked.Read), bytesText(r.Repacked.Stored))
	}
	if err == nil {
		fmt.Fprintf(d.out, "condemned: %s\n", tallyText(r.Condemned, price))
	}
	if r.Waiting.All().Count > 0 {
		fmt.Fprintf(d.out, "  what waits can be deleted from %s on:  coffer prune\n", timeText(r.Ready))
	}
}
