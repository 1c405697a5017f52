package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Namespaces of the signatures in a vault.
const (
	NamespaceTrust     = "coffer-trust"
	NamespaceCommit    = "coffer-commit"
	NamespaceCondemned = "coffer-condemned"
	NamespaceDrill     = "coffer-drill" // of reports, which are not stored in the vault
)

// ErrSignature: what should be a signature by the given key in the given
// namespace over the given message is not.
var ErrSignature = errors.New("signature does not verify")

const (
	armorHead  = "-----BEGIN SSH SIGNATURE-----\n"
	armorTail  = "-----END SSH SIGNATURE-----\n"
	armorWidth = 70 // what ssh-keygen writes
	maxArmor   = 1 << 10
	keyType    = "ssh-ed25519"
	hashName   = "sha512"
)

// Sign returns the armored SSHSIG of msg: the file that
// `ssh-keygen -Y sign -n namespace` writes.
func Sign(key ed25519.PrivateKey, namespace string, msg []byte) []byte {
	raw := ed25519.Sign(key, signedBytes(namespace, msg))
	return armor(key.Public().(ed25519.PublicKey), namespace, raw)
}

// Verify reports whether sig is the armored SSHSIG of msg by pub in namespace.
// Every failure is ErrSignature. Other keys, hashes, line lengths, blanks or
// line ends than [Sign] writes are refused, even where ssh-keygen takes them.
func Verify(pub ed25519.PublicKey, namespace string, msg, sig []byte) error {
	raw, err := dearmor(pub, namespace, sig)
	if err != nil {
		return err
	}
	if !ed25519.Verify(pub, signedBytes(namespace, msg), raw) {
		return ErrSignature
	}
	return nil
}

// Split parts an object that ends in an armored signature into what was signed
// and the signature. It checks neither.
func Split(obj []byte) (msg, sig []byte, err error) {
	i := bytes.LastIndex(obj, []byte("\n"+armorHead))
	if i < 0 {
		return nil, nil, errors.New("there is no SSH signature at its end")
	}
	return obj[:i+1], obj[i+1:], nil
}

// field appends s as the SSH wire format does: its length, then its bytes.
func field[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// signedBytes is what the key really signs: the SSHSIG "signed data".
func signedBytes(namespace string, msg []byte) []byte {
	sum := sha512.Sum512(msg)
	b := field([]byte("SSHSIG"), namespace)
	b = field(b, "") // reserved
	b = field(b, hashName)
	return field(b, sum[:])
}

// keyBlob is pub in SSH wire format.
func keyBlob(pub ed25519.PublicKey) []byte { return field(field(nil, keyType), pub) }

// blobPrefix is the signature blob up to the 64 bytes of the signature itself,
// which end it.
func blobPrefix(pub ed25519.PublicKey, namespace string) []byte {
	b := binary.BigEndian.AppendUint32([]byte("SSHSIG"), 1)
	b = field(b, keyBlob(pub))
	b = field(b, namespace)
	b = field(b, "")
	b = field(b, hashName)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(keyType)+4+ed25519.SignatureSize))
	b = field(b, keyType)
	return binary.BigEndian.AppendUint32(b, ed25519.SignatureSize)
}

func armor(pub ed25519.PublicKey, namespace string, raw []byte) []byte {
	text := base64.StdEncoding.EncodeToString(append(blobPrefix(pub, namespace), raw...))
	b := []byte(armorHead)
	for len(text) > 0 {
		n := min(armorWidth, len(text))
		b = append(append(b, text[:n]...), '\n')
		text = text[n:]
	}
	return append(b, armorTail...)
}

// dearmor returns the 64 bytes of the signature. Making the whole armor again
// and comparing is the strictest parser there is.
func dearmor(pub ed25519.PublicKey, namespace string, sig []byte) ([]byte, error) {
	if len(pub) != ed25519.PublicKeySize || len(sig) > maxArmor {
		return nil, ErrSignature
	}
	body, _ := bytes.CutPrefix(sig, []byte(armorHead))
	body, _ = bytes.CutSuffix(body, []byte(armorTail))
	blob, err := base64.StdEncoding.DecodeString(string(bytes.ReplaceAll(body, []byte("\n"), nil)))
	prefix := blobPrefix(pub, namespace)
	if err != nil || len(blob) != len(prefix)+ed25519.SignatureSize {
		return nil, ErrSignature
	}
	raw := blob[len(prefix):]
	if !bytes.Equal(armor(pub, namespace, raw), sig) {
		return nil, ErrSignature
	}
	return raw, nil
}
