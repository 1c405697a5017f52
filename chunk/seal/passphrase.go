package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// ErrPassphrase says that a passphrase is not the right one.
var ErrPassphrase = errors.New("wrong passphrase")

// maxWork is the greatest scrypt work factor that is accepted, four times the
// one that is written: about 4 s and 1 GiB. maxWrapped bounds the file.
const (
	maxWork    = 20
	maxWrapped = 64 << 10
)

// WrapPassphrase encrypts plain, such as an identity, with a passphrase. What
// it returns is an armored age file.
func WrapPassphrase(plain []byte, pass string) ([]byte, error) {
	r, err := age.NewScryptRecipient(pass)
	if err != nil {
		return nil, errors.New("the passphrase is empty")
	}
	return wrapTo(plain, r)
}

func wrapTo(plain []byte, r age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, r)
	if err != nil {
		return nil, fmt.Errorf("wrap with passphrase: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("wrap with passphrase: %w", err)
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		return nil, fmt.Errorf("wrap with passphrase: %w", err)
	}
	return out.Bytes(), nil
}

// UnwrapPassphrase decrypts what [WrapPassphrase] or `age -p`, armored or not,
// gave. The error wraps [ErrPassphrase] if the passphrase is wrong.
func UnwrapPassphrase(b []byte, pass string) ([]byte, error) {
	if len(b) > maxWrapped {
		return nil, fmt.Errorf("passphrase-wrapped file is over %d bytes", maxWrapped)
	}
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		return nil, errors.New("the passphrase is empty")
	}
	id.SetMaxWorkFactor(maxWork)
	plain, err := unwrap(b, id)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("unwrap with passphrase: %w", err)
	}
	return plain, nil
}

func unwrap(b []byte, id age.Identity) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte(intro)) {
		var err error
		if b, err = io.ReadAll(armor.NewReader(bytes.NewReader(b))); err != nil {
			return nil, err
		}
	}
	if err := checkHeader(b, headerMax); err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(b), id)
	if err != nil {
		return nil, err
	}
	return ReadAll(r, nil, maxWrapped)
}
