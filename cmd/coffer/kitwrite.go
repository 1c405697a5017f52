package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"coffer/files"
	"coffer/vault/kit"
)

// kitWrite writes the kit with the newest trust.
func (d *door) kitWrite(ctx context.Context, to string) error {
	ch, old, err := d.find(needed)
	if err != nil {
		return err
	}
	if ch.dev != nil && !isRoot(ch, old) {
		return badKit(fmt.Errorf("the identity given is not that of vault %s, so no kit can be made of it", ch.dev.Vault[:8]), "lend the kit itself:  --kit FILE")
	}
	v, err := d.openChosen(ctx, ch, old, shortPatience)
	if err != nil {
		return err
	}
	k, err := v.KitFor(old.Identity, v.Location())
	if err != nil {
		return err
	}
	k.Label, _ = os.Hostname()
	var b bytes.Buffer
	if err := kit.Write(&b, *k); err != nil {
		return err
	}
	if to == "-" {
		_, err := d.out.Write(b.Bytes())
		return err
	}
	if err := refuseOther(to, k); err != nil {
		return err
	}
	if err := files.WriteAtomic(to, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write recovery kit: %w", err)
	}
	if d.json {
		d.emit("kit", map[string]any{"vault": string(k.Vault), "remote": k.Remote, "written": to, "trust": k.TrustN})
		return nil
	}
	fmt.Fprintf(d.out, "wrote the recovery kit to %s\n", safeName(to))
	return nil
}

// refuseOther fails if the kit would replace anything but an older writing of
// itself.
func refuseOther(path string, k *kit.Kit) error {
	if !isThere(path) {
		return nil
	}
	old, err := readKit(path)
	if err != nil && errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil || old.Identity.String() != k.Identity.String() {
		return usagef("", "%s is there already and is not this kit; name another file", path)
	}
	return nil
}
