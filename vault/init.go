package vault

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/files"
	"coffer/remote"
	"coffer/vault/kit"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// InitOptions say how a new vault is made.
type InitOptions struct {
	Classic    bool     // X25519 keys instead of hybrid post-quantum ones
	Recipients []string // further recipients, able to read everything
	Label      string   // of this device; kept inside seals only
	StateRoot  string   // folder that holds one folder of local state per vault
	KitDir     string   // folder the recovery kit is written to
	Remote     string   // as the user wrote it, for kit and state
	Safety     *Safety
}

// Init makes a vault on store and this device's keys for it. It writes the
// recovery kit first and syncs it, so that nothing is ever stored that no kit
// opens; then the local state; then it uploads. A crash in between is finished
// by the next Open. ErrVaultExists if there is one already.
func Init(ctx context.Context, store remote.Store, o InitOptions) (*Vault, *kit.Kit, string, error) {
	if err := refuseTaken(ctx, store); err != nil {
		return nil, nil, "", err
	}
	t, id, dev, err := newVault(o)
	if err != nil {
		return nil, nil, "", err
	}
	root := trust.RootKey(id)
	name, obj, sum, err := trust.Seal(t, root)
	if err != nil {
		return nil, nil, "", fmt.Errorf("seal trust: %w", err)
	}
	dev.TrustN, dev.TrustSum = t.N, hex.EncodeToString(sum[:])
	k := &kit.Kit{
		Identity: id, Remote: o.Remote, Vault: t.Vault, Root: root.Public().(ed25519.PublicKey),
		TrustN: t.N, TrustSum: dev.TrustSum, Created: time.Now(), Label: o.Label,
	}
	kitPath := filepath.Join(o.KitDir, "coffer-kit-"+string(t.Vault)[:8]+".txt")
	dev.KitPath = state.Text(kitPath)
	dir, err := writeNew(k, dev, o, pendingTrust{name, obj})
	if err != nil {
		return nil, nil, "", err
	}
	v, err := Open(ctx, store, OpenOptions{State: dir, Kit: k, Safety: o.Safety})
	if err != nil {
		return nil, nil, "", err
	}
	return v, k, kitPath, nil
}

// refuseTaken fails if the remote holds a vault.
func refuseTaken(ctx context.Context, store remote.Store) error {
	for _, err := range store.List(ctx, "trust/", "") {
		if err != nil {
			return fmt.Errorf("look for a vault: %w", err)
		}
		return fmt.Errorf("%w: %s", ErrVaultExists, store.Location())
	}
	return nil
}

// newVault makes all keys of a vault and of its first device.
func newVault(o InitOptions) (*trust.Trust, *seal.Identity, *state.Device, error) {
	id, err := seal.Generate(o.Classic)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("make the vault's identity: %w", err)
	}
	recipients, err := seal.ParseRecipients(append([]string{id.Recipient()}, o.Recipients...))
	if err != nil {
		return nil, nil, nil, err
	}
	dataKey, err1 := chunk.NewKey()
	segKey, err2 := chunk.NewKey()
	pol, err3 := chunk.NewPolynomial()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, nil, nil, err
	}
	dev, entry, err := newDevice(o.Label, o.Classic)
	if err != nil {
		return nil, nil, nil, err
	}
	entry.Roles = []trust.Role{trust.Write, trust.Forget, trust.Maintain}
	t := &trust.Trust{
		Version: 1, Vault: trust.NewVaultID(), N: 1, Format: 1, Time: time.Now().UTC().Format(time.RFC3339),
		Devices: []trust.Device{entry}, Recipients: recipients.Strings(),
		DataKey: dataKey.Text(), SegmentKey: segKey.Text(), Polynomial: pol.Text(),
		Floor: trust.Floor{KeepLast: 3, KeepDays: 7},
	}
	return t, id, dev, fillDevice(dev, t, trust.RootKey(id).Public().(ed25519.PublicKey), o.Remote)
}

// newDevice makes a device's own keys, and how the trust names them.
func newDevice(label string, classic bool) (*state.Device, trust.Device, error) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, trust.Device{}, err
	}
	own, err := seal.Generate(classic)
	if err != nil {
		return nil, trust.Device{}, err
	}
	id := trust.NewDeviceID()
	dev := &state.Device{Device: string(id), Label: label, AgeIdentity: own.String(), SignSeed: hex.EncodeToString(key.Seed())}
	return dev, trust.Device{ID: id, Label: label, Sign: trust.PublicText(pub), Age: own.Recipient()}, nil
}

// fillDevice notes on the device what it needs of the trust to work without
// opening it again.
func fillDevice(dev *state.Device, t *trust.Trust, root ed25519.PublicKey, remote string) (err error) {
	dev.Vault, dev.Root, dev.Remote = string(t.Vault), trust.PublicText(root), remote
	dev.DataKey, dev.SegmentKey, dev.Polynomial, dev.Recipients = t.DataKey, t.SegmentKey, t.Polynomial, t.Recipients
	dev.RecipientsHash, err = hashRecipients(t.Recipients)
	return err
}

// pendingTrust is a trust that was signed and may not have been uploaded.
type pendingTrust struct {
	Name   string `json:"name"`
	Object []byte `json:"object"`
}

// writeNew writes kit, local state and the trust to be uploaded, in this
// order. If it fails nothing was uploaded, so what it wrote is taken away again.
func writeNew(k *kit.Kit, dev *state.Device, o InitOptions, p pendingTrust) (_ *state.Dir, err error) {
	if err := os.MkdirAll(o.KitDir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for the recovery kit: %w", err)
	}
	var text bytes.Buffer
	if err := kit.Write(&text, *k); err != nil {
		return nil, err
	}
	if err := files.WriteAtomic(string(dev.KitPath), text.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("write recovery kit: %w", err)
	}
	path := filepath.Join(o.StateRoot, dev.Vault)
	defer func() {
		if err != nil {
			os.Remove(string(dev.KitPath))
			os.RemoveAll(path)
		}
	}()
	dir, err := state.Create(path)
	if err != nil {
		return nil, err
	}
	if err := writePending(dir, p); err != nil {
		return nil, err
	}
	return dir, dir.CreateDevice(dev)
}

const pendingFile = "trust.pending"

func writePending(dir *state.Dir, p pendingTrust) error { return dir.WriteSmall(pendingFile, p) }

// resumeInit uploads a trust that was signed here and may not have arrived.
func (v *Vault) resumeInit(ctx context.Context) error {
	if v.dir == nil {
		return nil
	}
	p, err := state.ReadSmall[pendingTrust](v.dir, pendingFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := v.checkNotOvertaken(ctx, p); err != nil {
		return err
	}
	if err := v.putWhole(ctx, remote.NewObject(p.Name, p.Object)); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Format int    `json:"format"`
		Vault  string `json:"vault"`
	}{1, v.device().Vault})
	if err != nil {
		return err
	}
	if err := v.putWhole(ctx, remote.NewObject("coffer.json", append(info, '\n'))); err != nil {
		return err
	}
	return os.Remove(filepath.Join(v.dir.Path(), pendingFile))
}

// errOvertaken: between the making of a trust and its upload another was stored.
var errOvertaken = errors.New("another trust was made at the same time")

// checkNotOvertaken looks whether the trust that a pending one goes on from is
// still the newest: of two that go on from one, devices would be lost.
func (v *Vault) checkNotOvertaken(ctx context.Context, p *pendingTrust) error {
	n, _, err := trust.ParseName(p.Name)
	if err != nil {
		return fmt.Errorf("read %s: %w", pendingFile, err)
	}
	found, err := v.listTrusts(ctx)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.n < n || f.name == p.Name {
			continue
		}
		if n == 1 {
			return fmt.Errorf("%w: %s, since init was interrupted here; the kit and the state folder %s of that init are of no use", ErrVaultExists, v.store.Location(), v.dir.Path())
		}
		return fmt.Errorf("%w: %s; remove the folder %s, which holds nothing else, and enrol again", errOvertaken, f.name, v.dir.Path())
	}
	return nil
}

// putWhole stores an object again that may have been stored before. Where a
// crash of the remote left a part of it under its name, that gives way.
func (v *Vault) putWhole(ctx context.Context, o remote.Object) error {
	err := v.store.Put(ctx, o)
	if errors.Is(err, fs.ErrExist) {
		if err = v.store.Delete(ctx, o.Name); err == nil {
			err = v.store.Put(ctx, o)
		}
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", o.Name, err)
	}
	return nil
}
