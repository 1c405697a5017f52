package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/remote"
	"coffer/vault/commit"
	"coffer/vault/kit"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/state"
	"coffer/vault/trust"
)

// EnrolOptions say which device joins a vault.
type EnrolOptions struct {
	StateRoot string
	Label     string
	Remote    string         // as the user wrote it
	Replace   trust.DeviceID // a device that lost its state, whose place this one takes
	Safety    *Safety
	// OnProject is told of each project whose newest snapshot is read back.
	OnProject func(label string, chunks int)
}

// Enrolled tells what Enrol did.
type Enrolled struct {
	Device   trust.DeviceID
	Projects []RecoveredProject // of the device that was replaced
	Chunks   int                // known again, so not uploaded twice
	KitStale bool               // the kit names an older trust; a new one should be written
}

// RecoveredProject is a project taken over from a replaced device.
type RecoveredProject struct {
	ID    trust.ProjectID
	Label string
	Roots []string
}

// Enrol adds this machine to the vault on store, with the recovery kit: it
// makes keys of its own, signs a new trust with the root key, and writes local
// state. With Replace it also ends the old device at the commit that is its
// newest now, inherits its packs, and reads its newest snapshots back, so that
// nothing is uploaded twice.
func Enrol(ctx context.Context, store remote.Store, k *kit.Kit, o EnrolOptions) (*Vault, Enrolled, error) {
	for try := 1; ; try++ {
		v, err := enrol(ctx, store, k, o)
		if errors.Is(err, errOvertaken) && try < maxEnrols {
			continue // on top of the trust that came in between
		}
		if err != nil {
			return nil, Enrolled{}, err
		}
		done := Enrolled{Device: v.Device(), KitStale: true}
		// Of two that enrol in the same seconds, whoever looks last sees both.
		if err := v.Amend(ctx, k, func(*trust.Trust) error { return nil }); err != nil {
			v.notice(v.TrustName(), err, "a machine that was enrolled in the same seconds, until the kit is lent again:  coffer device list --kit FILE")
		}
		if o.Replace != "" {
			err = v.takeOver(ctx, o, &done)
		}
		return v, done, err
	}
}

// maxEnrols bounds how often an enrolment is begun again because another one
// came in between.
const maxEnrols = 5

// enrol makes keys and state for this machine and stores the trust that names
// them. What was begun and not stored is taken away again.
func enrol(ctx context.Context, store remote.Store, k *kit.Kit, o EnrolOptions) (_ *Vault, err error) {
	lent, err := Open(ctx, store, OpenOptions{Kit: k, Safety: o.Safety})
	if err != nil {
		return nil, err
	}
	next, dev, err := lent.trustWith(ctx, k, o)
	if err != nil {
		return nil, err
	}
	name, obj, sum, err := trust.Seal(next, trust.RootKey(k.Identity))
	if err != nil {
		return nil, fmt.Errorf("seal trust: %w", err)
	}
	path := filepath.Join(o.StateRoot, string(next.Vault))
	dir, err := state.Create(path)
	if err != nil {
		return nil, err
	}
	dev.TrustN, dev.TrustSum = next.N, hex.EncodeToString(sum[:])
	err = dir.WriteSmall(pendingFile, pendingTrust{name, obj})
	if err == nil && o.Replace != "" {
		err = dir.WriteSmall(takeOverFile, takingOver{string(o.Replace)})
	}
	if err = errors.Join(err, dir.CreateDevice(dev)); err != nil {
		return nil, err
	}
	v, err := open(ctx, store, OpenOptions{State: dir, Kit: k, Safety: o.Safety})
	if errors.Is(err, errOvertaken) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return v, err
}

// takingOver is kept in the state while a replaced device's packs and projects
// are being taken over, so that it can be done again after a crash.
type takingOver struct {
	Device string `json:"device"`
}

const takeOverFile = "takeover.json"

// finishEnrol takes over the packs and projects of a replaced device if that
// was interrupted and the identity is at hand. Without it nothing is lost, but
// all is uploaded again.
func (v *Vault) finishEnrol(ctx context.Context) error {
	if v.dir == nil || !v.HasIdentity() {
		return nil
	}
	_, err := state.ReadSmall[takingOver](v.dir, takeOverFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return v.takeOver(ctx, EnrolOptions{}, new(Enrolled))
}

// takeOver reads back what the replaced device had, and notes that it was done.
func (v *Vault) takeOver(ctx context.Context, o EnrolOptions, done *Enrolled) error {
	if err := v.recover(ctx, o, done); err != nil {
		return err
	}
	return os.Remove(filepath.Join(v.dir.Path(), takeOverFile))
}

// trustWith returns the trust that follows the present one and names a new device.
func (v *Vault) trustWith(ctx context.Context, k *kit.Kit, o EnrolOptions) (*trust.Trust, *state.Device, error) {
	first, err := seal.ParseRecipients([]string{k.Identity.Recipient()})
	if err != nil {
		return nil, nil, err
	}
	dev, entry, err := newDevice(o.Label, !first.PostQuantum())
	if err != nil {
		return nil, nil, err
	}
	entry.Roles = []trust.Role{trust.Write, trust.Forget, trust.Maintain}
	next, err := v.nextTrust(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.Replace != "" {
		if err := v.replace(ctx, next, &entry, o.Replace); err != nil {
			return nil, nil, err
		}
	}
	next.Devices = append(next.Devices, entry)
	if err := fillDevice(dev, next, v.root, o.Remote); err != nil {
		return nil, nil, err
	}
	for _, id := range entry.Inherits {
		dev.Inherits = append(dev.Inherits, string(id))
	}
	return next, dev, nil
}

// replace ends the old device at its newest commit and lets the new one inherit.
func (v *Vault) replace(ctx context.Context, next *trust.Trust, entry *trust.Device, old trust.DeviceID) error {
	i := slices.IndexFunc(next.Devices, func(d trust.Device) bool { return d.ID == old })
	if i < 0 {
		return fmt.Errorf("replace device %s: the trust names no such device", old)
	}
	d := &next.Devices[i]
	entry.Inherits = append([]trust.DeviceID{old}, d.Inherits...)
	if d.Until != nil {
		return nil
	}
	return v.end(ctx, d)
}

// end puts a device out at the commit that is its newest now.
func (v *Vault) end(ctx context.Context, d *trust.Device) error {
	recs, err := v.history(ctx, d)
	if err != nil {
		return err
	}
	ends, err := v.ends(ctx, recs)
	if err != nil {
		return err
	}
	d.Until = &trust.Until{}
	for i, n := range slices.Backward(ends) {
		if i == len(ends)-1 {
			d.Until.Seq, d.Until.Hash = n.Seq, n.Hash()
			continue
		}
		d.Until.Also = append(d.Until.Also, n.Hash())
	}
	slices.Sort(d.Until.Also)
	return nil
}

// recover takes over what the inherited devices stored: their packs, their
// projects, and where each chunk of their newest snapshots is.
func (v *Vault) recover(ctx context.Context, o EnrolOptions, done *Enrolled) error {
	h := v.loadOwn()
	me, ok := v.Trust().Device(v.Device())
	if !ok {
		return ErrRevoked
	}
	if err := v.inheritAll(ctx, h, me); err != nil {
		return err
	}
	if err := v.passForgotten(ctx, h); err != nil {
		return err
	}
	if err := v.saveOwn(h); err != nil {
		return err
	}
	index, err := v.dir.OpenIndex(state.DayOf(time.Now()))
	if err != nil {
		return err
	}
	sample := newSampler()
	for id, p := range h.Projects {
		if err = v.recoverProject(ctx, o, index, id, p, sample, done); isDamage(err) {
			v.notice(p.Commit, err, "nothing that is stored; but what only it held is uploaded again")
			err = nil
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = v.openSample(ctx, sample)
	}
	return errors.Join(err, index.Close())
}

// inheritAll notes what the devices that this one replaced had committed.
func (v *Vault) inheritAll(ctx context.Context, h *ownHistory, me *trust.Device) error {
	for _, id := range me.Inherits {
		old, ok := v.Trust().Device(id)
		if !ok {
			continue
		}
		recs, err := v.history(ctx, old)
		if err != nil {
			return err
		}
		if err := v.inherit(ctx, h, recs); err != nil {
			return err
		}
	}
	return nil
}

// inherit notes the newest snapshot of each project and the open progress. The
// devices come newest first: what one has, those it replaced do not decide.
func (v *Vault) inherit(ctx context.Context, h *ownHistory, recs []record) error {
	ended := map[string]bool{}
	for _, r := range slices.Backward(recs) {
		if err := v.load(ctx, &r); err != nil {
			if isDamage(err) {
				v.notice(r.name.String(), err, "that commit")
				continue
			}
			return err
		}
		for _, e := range r.c.Ends {
			ended[e] = true
		}
		switch r.name.Kind {
		case commit.Progress:
			if !ended[r.name.Base()] {
				h.progress(openProgress{Project: r.c.Project, Base: r.name.Base(), Ledger: r.c.Ledger, Time: r.name.Time, Inherited: true})
			}
		case commit.Snapshot:
			if _, ok := h.Projects[r.c.Project]; !ok {
				h.Projects[r.c.Project] = newest{Commit: r.name.String(), Body: r.c.Body, Ledger: r.c.Ledger, Time: r.name.Time}
			}
		}
	}
	return nil
}

// recoverProject reads a snapshot's manifest back into the chunk index and the
// pack tables, and shows sample, if there is one, what it meets.
func (v *Vault) recoverProject(ctx context.Context, o EnrolOptions, index *state.Index, id trust.ProjectID, p newest, sample *sampler, done *Enrolled) error {
	name, err := commit.ParseName(p.Commit)
	if err != nil {
		return err
	}
	src, err := v.Source(ctx, &Snapshot{Name: name})
	if err != nil {
		return err
	}
	if err := v.inheritSeries(ctx, src); err != nil {
		return err
	}
	chunks := 0
	for _, root := range src.body.Roots {
		n, err := recoverRoot(ctx, src, index, root.Root, sample)
		if err != nil {
			return err
		}
		chunks += n
	}
	rec := RecoveredProject{ID: id, Label: src.body.Label}
	for _, root := range src.body.Roots {
		rec.Roots = append(rec.Roots, root.Path)
	}
	if err := v.dir.BindProject(ProjectKey(src.body.Label, rec.Roots), string(id)); err != nil {
		return err
	}
	done.Projects = append(done.Projects, rec)
	done.Chunks += chunks
	if o.OnProject != nil {
		o.OnProject(src.body.Label, chunks)
	}
	return nil
}

// inheritSeries makes the snapshot's series usable for deduplication, for runs
// that seal to the same recipients.
func (v *Vault) inheritSeries(ctx context.Context, src *Source) error {
	sealedTo, err := v.recipientsOf(ctx, src.snap.Commit.Trust)
	if err != nil {
		return err
	}
	hash, err := hashRecipients(sealedTo)
	if err != nil {
		return err
	}
	tables, tops := map[chunk.Series]*state.PackTable{}, map[chunk.Series]uint32{}
	defer func() {
		for _, t := range tables {
			t.Close()
		}
	}()
	for p, err := range Packs(src.ledger, func(roll string) ([]byte, error) { return v.fetchCached(ctx, roll, ledger.MaxRoll) }) {
		if isDamage(err) {
			v.notice(src.snap.Commit.Ledger, err, "nothing that is stored; but the packs of that roll are uploaded again")
			continue
		}
		if err != nil {
			return err
		}
		table := tables[p.Series]
		if table == nil {
			if table, err = v.dir.Packs(p.Series); err != nil {
				return err
			}
			tables[p.Series] = table
		}
		if _, ok := table.Get(p.Number); !ok {
			if err := table.Set(p.Number, state.Pack{Sum: p.Sum, Size: p.Size}); err != nil {
				return err
			}
		}
		tops[p.Series] = max(tops[p.Series], p.Number)
	}
	return v.updateDevice(func(d *state.Device) error {
		for series, top := range tops {
			if slices.ContainsFunc(d.Series, func(s state.SeriesState) bool { return s.Series == series.String() }) {
				continue
			}
			d.Series = append(d.Series, state.SeriesState{
				Series: series.String(), Kind: string(chunk.Data), RecipientsHash: hash, Recipients: recipientTags(sealedTo), Next: top + 1, Closed: true,
			})
		}
		return nil
	})
}

// recipientsOf tells to whom the runs of a former trust sealed at least.
func (v *Vault) recipientsOf(ctx context.Context, name string) ([]string, error) {
	if name == v.TrustName() {
		return v.Trust().Recipients, nil
	}
	n, sum, err := trust.ParseName(name)
	if err != nil {
		return nil, damaged("%w", err)
	}
	t, err := v.openTrust(ctx, foundTrust{name, n, sum})
	if err != nil {
		return nil, err
	}
	return t.Recipients, nil
}

// recoverRoot enters every ref of one tree into the index, in batches grouped
// by pack.
func recoverRoot(ctx context.Context, src *Source, index *state.Index, root manifest.Root, sample *sampler) (int, error) {
	var refs []chunk.Ref
	n := 0
	for use, err := range manifest.Closure(ctx, root, src.Segment) {
		if se := (*manifest.SegmentError)(nil); errors.As(err, &se) && !IsRemote(err) {
			src.v.notice(src.snap.Name.String(), err, "nothing that is stored; but what stands there is uploaded again")
			continue
		}
		if err != nil {
			return n, err
		}
		sample.see(src, use)
		refs = append(refs, use.Ref)
		if len(refs) == 1<<14 {
			if err := addByPack(index, refs); err != nil {
				return n, err
			}
			n += len(refs)
			refs = refs[:0]
		}
	}
	return n + len(refs), addByPack(index, refs)
}

// compareRefs orders refs by where their chunks are.
func compareRefs(a, b chunk.Ref) int {
	return cmp.Or(bytes.Compare(a.Series[:], b.Series[:]), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Offset, b.Offset))
}

// addByPack enters refs pack by pack.
func addByPack(index *state.Index, refs []chunk.Ref) error {
	slices.SortFunc(refs, compareRefs)
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && refs[n].Series == refs[0].Series && refs[n].Number == refs[0].Number {
			n++
		}
		if err := index.Add(refs[0].Series, refs[0].Number, slices.Compact(refs[:n])); err != nil {
			return err
		}
		refs = refs[n:]
	}
	return nil
}

// KitFor returns the kit as it should be written now: same identity, newest trust.
func (v *Vault) KitFor(id *seal.Identity, remoteText string) (*kit.Kit, error) {
	n, sum, err := trust.ParseName(v.TrustName())
	if err != nil {
		return nil, err
	}
	return &kit.Kit{
		Identity: id, Remote: remoteText, Vault: v.Trust().Vault,
		Root:   trust.RootKey(id).Public().(ed25519.PublicKey),
		TrustN: n, TrustSum: sum, Created: time.Now(),
	}, nil
}

// ProjectKey is how a device knows a project: by its name in the config, or,
// for folders that were named on the command line, by those folders. Their
// label is the folders' too, so a label that is a path tells which it is.
func ProjectKey(label string, roots []string) string {
	if !filepath.IsAbs(label) {
		return label
	}
	sorted := slices.Sorted(slices.Values(roots))
	return strings.Join(sorted, "\n")
}
