package drill

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math/rand/v2"
	"time"

	"coffer/chunk/seal"
	"coffer/vault"
	"coffer/vault/ledger"
)

// objects does what can be done without the identity.
func (d *drill) objects(ctx context.Context) error {
	began := time.Now()
	l, err := d.v.Ledger(ctx, d.o.Snapshot.Commit.Ledger)
	if err != nil {
		return err
	}
	packs, err := d.drawPacks(ctx, l)
	if err != nil {
		return err
	}
	body, err := d.v.FetchNamed(ctx, d.o.Snapshot.Commit.Body, vault.MaxBody)
	if err = d.object(d.o.Snapshot.Commit.Body, body, err); err != nil {
		return err
	}
	var buf []byte
	for _, p := range packs {
		buf, err = d.v.FetchPack(ctx, p, buf)
		if err := d.object(p.Name(), buf, err); err != nil {
			return err
		}
		d.rep.Packs++
		d.rep.PackBytes += p.Size
	}
	d.rep.Seconds = time.Since(began).Seconds()
	return nil
}

// object judges the bytes of one object. The error is the remote's.
func (d *drill) object(name string, b []byte, err error) error {
	if err == nil {
		err = seal.CheckHeader(b)
	} else if !errors.Is(err, vault.ErrDamaged) {
		return err
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		d.rep.Missing++
	} else {
		d.rep.Bad++
	}
	d.problem(name, err)
	return nil
}

// drawPacks draws packs of the snapshot by chance, or takes all.
func (d *drill) drawPacks(ctx context.Context, l *ledger.Ledger) ([]ledger.Pack, error) {
	var all []ledger.Pack
	n := 0
	for p, err := range d.packs(ctx, l) {
		if err != nil {
			if vault.IsRemote(err) {
				return nil, err
			}
			d.rep.Bad++
			d.problem(d.o.Snapshot.Commit.Ledger, err)
			continue
		}
		n++
		if d.o.All || len(all) < d.o.Files {
			all = append(all, p)
		} else if i := rand.IntN(n); i < len(all) {
			all[i] = p
		}
	}
	return all, nil
}

// packs yields the packs that a ledger names.
func (d *drill) packs(ctx context.Context, l *ledger.Ledger) iter.Seq2[ledger.Pack, error] {
	return vault.Packs(l, func(roll string) ([]byte, error) { return d.v.FetchNamed(ctx, roll, ledger.MaxRoll) })
}
