package state

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"coffer/chunk"
)

const (
	deviceFile = "device.json"
	formerFile = "device.json.old"
	deviceForm = 1       // version of device.json
	maxText    = 1 << 16 // bytes of one string
	maxSeries  = 4096    // series one device can come to know
)

// A Device is the content of device.json: who this device is in the vault, and
// its secrets. It is written by [Dir.CreateDevice] and changed by
// [Dir.UpdateDevice] only. Printing a Device shows no secret.
type Device struct {
	Version int    `json:"v"`
	Vault   string `json:"vault"`  // 32 hex digits
	Device  string `json:"device"` // 16 hex digits
	Label   string `json:"label"`
	Remote  string `json:"remote"` // where the objects rest, without credentials

	// Keys. All but Root are secret.
	Root        string `json:"root"`        // root public key, "ssh-ed25519 ..."
	SignSeed    string `json:"signSeed"`    // Ed25519 seed, 64 hex digits
	AgeIdentity string `json:"ageIdentity"` // of this device; opens trusts
	DataKey     string `json:"dataKey"`     // chunk keys, 32 bytes in base64url
	SegmentKey  string `json:"segmentKey"`
	Polynomial  string `json:"polynomial"` // hex

	// What the pinned trust says. Recipients are never taken from elsewhere.
	Recipients     []string `json:"recipients"`
	RecipientsHash string   `json:"recipientsHash"` // 64 hex digits
	TrustN         uint64   `json:"trustN"`
	TrustSum       string   `json:"trustSum"` // 64 hex digits
	Inherits       []string `json:"inherits,omitempty"`

	Series []SeriesState `json:"series"` // their numbers are changed by [Dir.Numbers]

	KitPath      Text      `json:"kitPath,omitempty"`     // the local copy of the kit, while there is one
	KitConfirmed time.Time `json:"kitConfirmed,omitzero"` // when a copy elsewhere was shown to open the vault
}

// A SeriesState is a run of pack numbers that this device knows.
type SeriesState struct {
	Series         string `json:"series"`         // 16 hex digits
	Kind           string `json:"kind"`           // "d" or "s", see [chunk.Kind]
	RecipientsHash string `json:"recipientsHash"` // whom its packs are sealed to, 64 hex digits
	// Recipients are the beginnings of the hashes of each of them, 16 hex
	// digits. Empty: not known one by one.
	Recipients []string `json:"recipients,omitempty"`
	Next       uint32   `json:"next"`             // all below are reserved, by now used or gaps
	Closed     bool     `json:"closed,omitempty"` // known, never written again: inherited, sealed to former recipients, or the state was restored
}

// ID returns the series' name. The state must have passed [Device.Check].
func (s SeriesState) ID() chunk.Series {
	var id chunk.Series
	hex.Decode(id[:], []byte(s.Series))
	return id
}

// SignKey returns the key that signs this device's commits. The Device must
// have passed [Device.Check].
func (d *Device) SignKey() ed25519.PrivateKey {
	seed, _ := hex.DecodeString(d.SignSeed)
	return ed25519.NewKeyFromSeed(seed)
}

// OpenSeries returns the series of the given kind that is open for writing and
// sealed to the recipients with that hash.
func (d *Device) OpenSeries(kind chunk.Kind, recipientsHash string) (SeriesState, bool) {
	i := slices.IndexFunc(d.Series, func(s SeriesState) bool {
		return !s.Closed && s.Kind == string(kind) && s.RecipientsHash == recipientsHash
	})
	if i < 0 {
		return SeriesState{}, false
	}
	return d.Series[i], true
}

// String names the device, without its secrets.
func (d Device) String() string { return "device " + d.Device + " of vault " + d.Vault }

// GoString is String: a secret must not leave through a %#v either.
func (d Device) GoString() string { return d.String() }

// LogValue is String for [slog].
func (d Device) LogValue() slog.Value { return slog.StringValue(d.String()) }

// Check says whether every field has its form. It does not parse keys: that is
// up to the packages that use them.
func (d *Device) Check() error {
	switch {
	case d.Version != deviceForm:
		return fmt.Errorf("version %d of %s is not known; use a newer coffer", d.Version, deviceFile)
	case !isHex(d.Vault, 16) || !isHex(d.Device, 8):
		return errors.New("vault or device ID is not in its form")
	case !cleanText(maxText, d.Label, d.Remote, d.Root, d.AgeIdentity) || len(d.KitPath) > maxText:
		return errors.New("a text is too long or not UTF-8")
	case d.Root == "" || d.AgeIdentity == "":
		return errors.New("root key or identity is missing")
	case !isHex(d.SignSeed, 32) || !isBase64(d.DataKey, 32) || !isBase64(d.SegmentKey, 32):
		return errors.New("a key is not in its form")
	case d.Polynomial == "" || len(d.Polynomial) > 16 || !isDigits(d.Polynomial):
		return errors.New("polynomial is not in its form")
	case !isHex(d.RecipientsHash, 32) || !isHex(d.TrustSum, 32):
		return errors.New("a hash is not in its form")
	}
	return d.checkLists()
}

func (d *Device) checkLists() error {
	if len(d.Recipients) == 0 || len(d.Recipients) > 8 || !cleanText(maxText, d.Recipients...) {
		return errors.New("recipients: want 1 to 8")
	}
	for _, id := range d.Inherits {
		if !isHex(id, 8) {
			return fmt.Errorf("inherited device %.40q is not in its form", id)
		}
	}
	if len(d.Series) > maxSeries {
		return fmt.Errorf("%d series are more than %d", len(d.Series), maxSeries)
	}
	seen := make(map[string]bool, len(d.Series))
	for _, s := range d.Series {
		if len(s.Recipients) > 8 || slices.ContainsFunc(s.Recipients, func(r string) bool { return !isHex(r, 8) }) {
			return fmt.Errorf("recipients of series %.40q are not in their form", s.Series)
		}
		if !isHex(s.Series, 8) || !isHex(s.RecipientsHash, 32) || s.Kind != "d" && s.Kind != "s" || s.Next > MaxNumber+1 {
			return fmt.Errorf("series %.40q is not in its form", s.Series)
		}
		if seen[s.Series] {
			return fmt.Errorf("series %s is there twice", s.Series)
		}
		seen[s.Series] = true
	}
	return nil
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// normalize gives the fields that may be spelled in several ways their one.
func (d *Device) normalize() {
	d.Version = deviceForm
	d.KitConfirmed = d.KitConfirmed.UTC().Truncate(time.Second)
}

// follows says whether d may take the place of old: what must never go back
// does not.
func (d *Device) follows(old *Device) error {
	switch {
	case d.Vault != old.Vault || d.Device != old.Device:
		return errors.New("a device never changes its vault or its ID")
	case d.TrustN < old.TrustN:
		return fmt.Errorf("pinned trust would go back from %d to %d", old.TrustN, d.TrustN)
	}
	for _, was := range old.Series {
		i := slices.IndexFunc(d.Series, func(s SeriesState) bool { return s.Series == was.Series })
		if i < 0 || d.Series[i].Next < was.Next || was.Closed && !d.Series[i].Closed {
			return fmt.Errorf("series %s would be lost, go back or open again", was.Series)
		}
	}
	return nil
}

// Device reads device.json: [fs.ErrNotExist] where there is none, [ErrDamaged]
// where there is another thing.
func (d *Dir) Device() (*Device, error) { return readDevice(d.file(deviceFile)) }

func readDevice(path string) (*Device, error) {
	v, err := readSealed[Device](path)
	if err != nil {
		return nil, err
	}
	if err := v.Check(); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", path, ErrDamaged, err)
	}
	return v, nil
}

// CreateDevice writes the first device.json; [fs.ErrExist] if there is one,
// good or bad.
func (d *Dir) CreateDevice(v *Device) error {
	v.normalize()
	if err := v.Check(); err != nil {
		return fmt.Errorf("create %s: %w", deviceFile, err)
	}
	return d.change(func() error {
		for _, name := range []string{deviceFile, formerFile} {
			if _, err := readSmall(d.file(name)); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("create %s: %s: %w", deviceFile, d.file(name), fs.ErrExist)
			}
		}
		return writeSealed(d.file(deviceFile), v)
	})
}

// UpdateDevice reads device.json, lets fn change it and writes it, alone among
// all processes. It refuses what must not happen: another device, a pinned
// trust or a pack number that goes back. It returns what is written now.
func (d *Dir) UpdateDevice(fn func(*Device) error) (*Device, error) {
	return d.updateDevice(fn, (*Device).follows)
}

func (d *Dir) updateDevice(fn func(*Device) error, allowed func(next, old *Device) error) (*Device, error) {
	var next *Device
	err := d.change(func() error {
		data, err := readSmall(d.file(deviceFile))
		if err != nil {
			return fmt.Errorf("read %s: %w", deviceFile, err)
		}
		old, err := d.Device()
		if err != nil {
			return err
		}
		if next, err = d.Device(); err != nil {
			return err
		}
		if err := fn(next); err != nil {
			return err
		}
		next.normalize()
		if err := errors.Join(next.Check(), allowed(next, old)); err != nil {
			return fmt.Errorf("change %s: %w", deviceFile, err)
		}
		return d.saveDevice(data, next)
	})
	if err != nil {
		return nil, err
	}
	return next, nil
}

// saveDevice keeps the former file, read just now and found good, before it
// writes the next. Rename is atomic; the former one is there for disks that
// lose what they said was written.
func (d *Dir) saveDevice(former []byte, next *Device) error {
	if err := replaceFile(d.file(formerFile), former); err != nil {
		return fmt.Errorf("write %s: %w", formerFile, err)
	}
	return writeSealed(d.file(deviceFile), next)
}

// RecoverDevice puts the former generation in place of a device.json that is
// damaged or gone. Nobody knows which numbers were used since, so all series
// are closed: the caller must add new ones. It refuses if device.json is good.
func (d *Dir) RecoverDevice() (*Device, error) {
	var v *Device
	err := d.change(func() error {
		_, err := d.Device()
		if err == nil {
			return fmt.Errorf("recover %s: it is good", deviceFile)
		}
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if v, err = readDevice(d.file(formerFile)); err != nil {
			return fmt.Errorf("recover %s: %w", deviceFile, err)
		}
		for i := range v.Series {
			v.Series[i].Closed = true
		}
		return writeSealed(d.file(deviceFile), v)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}
