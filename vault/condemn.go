package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/trust"
)

// A Condemned is a condemned list and when the remote stored it.
type Condemned struct {
	*commit.CondemnedList
	Name   string
	Stored time.Time // by the remote's clock
}

// CondemnedLists reads every condemned list of devices that may condemn: those
// that writers heed. One that cannot be read is an error.
func (v *Vault) CondemnedLists(ctx context.Context) ([]Condemned, error) {
	var out []Condemned
	for info, err := range v.store.List(ctx, "condemned/", "") {
		if err != nil {
			return nil, fmt.Errorf("list condemned: %w", err)
		}
		list, err := v.condemnedList(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		if list != nil {
			out = append(out, Condemned{list, info.Name, info.Time})
		}
	}
	return out, nil
}

// LostLists names the condemned lists of which this device has a true copy and
// which the remote does not list: they are never deleted, so they are lost or
// hidden.
func (v *Vault) LostLists(ctx context.Context) (lost []string, err error) {
	if v.dir == nil {
		return nil, nil
	}
	listed := map[string]bool{}
	for info, err := range v.store.List(ctx, commit.Condemned+"/", "") {
		if err != nil {
			return nil, fmt.Errorf("list condemned: %w", err)
		}
		listed[info.Name] = true
	}
	entries, err := os.ReadDir(filepath.Dir(v.cachePath("x")))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for copies: %w", err)
	}
	for _, e := range entries {
		name := strings.ReplaceAll(e.Name(), "_", "/")
		if _, _, _, err := commit.ParseObjectName(commit.Condemned, name); err == nil && !listed[name] && v.HasCopy(name) {
			lost = append(lost, name)
		}
	}
	return lost, nil
}

// Condemn publishes a signed list of objects that a prune means to delete. From
// the moment it is visible no writer relies on any of them. seq is a label. It
// fails with ErrNoRole if the trust in force does not let this device maintain
// the vault.
func (v *Vault) Condemn(ctx context.Context, objects []string, seq uint64) (string, error) {
	if err := v.MayMaintain(); err != nil {
		return "", err
	}
	now, err := v.store.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("ask %s for its time: %w", v.store.Location(), err)
	}
	list := &commit.CondemnedList{
		Vault: v.Trust().Vault, Device: v.Device(), Seq: seq,
		Time: now.UTC().Truncate(time.Second), Objects: slices.Sorted(slices.Values(objects)),
	}
	obj, err := list.Sign(v.device().SignKey())
	if err != nil {
		return "", err
	}
	o := remote.NewObject("", obj)
	o.Name = commit.ObjectName(commit.Condemned, list.Device, seq, o.Sum)
	if err := v.store.Put(ctx, o); err != nil {
		return "", fmt.Errorf("store %s: %w", o.Name, err)
	}
	v.cache(cacheName(o.Name), obj)
	return o.Name, nil
}

// MayMaintain fails with ErrNoRole unless this device has the role to condemn,
// repack and dismiss, and with ErrRevoked if it may do nothing.
func (v *Vault) MayMaintain() error {
	if v.device() == nil {
		return fmt.Errorf("%w: it has no keys of its own here; see coffer enrol", ErrRevoked)
	}
	return v.mayStill(trust.Maintain)
}
