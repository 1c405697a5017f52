package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"coffer/vault"
	"coffer/vault/prune"
)

// extendLocks extends the locks on what snapshots need, if that is due. alone
// says that nothing else was asked for.
func (d *door) extendLocks(ctx context.Context, v *vault.Vault, o prune.Options, alone bool) error {
	o.Progress = new(prune.Progress)
	began := time.Now()
	m := d.showProgress(func() sample { return pruneSample(o.Progress, time.Since(began)) })
	e, err := prune.ExtendLocks(ctx, v, o)
	m.finish()
	switch {
	case errors.Is(err, fs.ErrPermission):
		err = hinted(err, "extending locks needs s3:PutObjectRetention; a policy with it, if the config has object-lock:\n  coffer init --print-policy --maintain")
		if !alone {
			d.tellWarning(err)
			return nil
		}
	case err == nil && e.Period == 0 && alone:
		return hinted(errors.New("nothing is locked when it is uploaded to "+v.Location()), `set  object-lock = "30d"  in the config of the vault; the bucket must be made for locks`)
	}
	if err != nil || e.Period == 0 {
		return err
	}
	for _, p := range e.Problems {
		d.tellProblem(p.Object, p.Err, p.Harms)
	}
	d.tellLocks(e)
	return nil
}

func (d *door) tellLocks(e prune.Extended) {
	if d.json {
		d.emit("locks", map[string]any{"due": e.Due, "extended": e.Done, "objects": e.Objects, "until": e.Until.UTC(), "next": e.Next.UTC()})
		return
	}
	switch {
	case e.Done:
		fmt.Fprintf(d.out, "locked until %s: %s that snapshots need\n", timeText(e.Until), plural(e.Objects, "object"))
	case e.Due:
		fmt.Fprintf(d.out, "would lock what snapshots need until %s\n", timeText(e.Until))
	default:
		fmt.Fprintf(d.out, "what snapshots need is locked until %s; from %s on that can be extended\n", timeText(e.Until), timeText(e.Next))
	}
}
