package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"unicode/utf8"
)

// The small files are JSON lines that end in their own checksum, so that a
// flipped bit in a key is noticed and not used: {...,"sum":"<sha256>"}, where
// the hash is of the line without that member.

const (
	sumPrefix = `,"sum":"`
	sumSuffix = "\"}\n"
	sumLen    = len(sumPrefix) + 2*sha256.Size + len(sumSuffix)
)

// sealLine encodes v, a struct with at least one member, as one line. What
// could not be read again is refused.
func sealLine(v any) ([]byte, error) {
	line, err := canonical(v)
	if err != nil {
		return nil, err
	}
	if line[0] != '{' || len(line) == len("{}") {
		return nil, fmt.Errorf("%T has no members", v)
	}
	sealed := appendSum(line)
	if len(sealed) > maxSmall {
		return nil, fmt.Errorf("longer than %d bytes", maxSmall)
	}
	return sealed, nil
}

func appendSum(line []byte) []byte {
	sum := sha256.Sum256(line)
	out := append(line[:len(line)-1:len(line)-1], sumPrefix...)
	out = hex.AppendEncode(out, sum[:])
	return append(out, sumSuffix...)
}

// unsealLine reads what sealLine wrote, and refuses everything else: other
// bytes that happen to mean the same too.
func unsealLine[T any](data []byte) (*T, error) {
	if len(data) < sumLen+2 {
		return nil, fmt.Errorf("%w: too short", ErrDamaged)
	}
	cut := len(data) - sumLen
	line := append(data[:cut:cut], '}')
	if !bytes.Equal(appendSum(line), data) {
		return nil, fmt.Errorf("%w: checksum differs", ErrDamaged)
	}
	v := new(T)
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	again, err := canonical(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if !bytes.Equal(again, line) {
		return nil, fmt.Errorf("%w: not canonical", ErrDamaged)
	}
	return v, nil
}

// canonical encodes v without spaces, line end and HTML escapes.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// writeSealed replaces the file at path.
func writeSealed(path string, v any) error {
	data, err := sealLine(v)
	if err == nil {
		err = replaceFile(path, data)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// readSealed reads the file at path.
func readSealed[T any](path string) (*T, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	v, err := unsealLine[T](data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return v, nil
}

// readSealedOr is readSealed, with a zero value where there is no file.
func readSealedOr[T any](path string) (*T, error) {
	v, err := readSealed[T](path)
	if errors.Is(err, fs.ErrNotExist) {
		return new(T), nil
	}
	return v, err
}

// Text is a string that may hold any bytes, such as a path. In JSON it is a
// string where it is UTF-8, else {"64":"<base64>"}: encoding/json would
// silently write another name.
type Text string

type text64 struct {
	Bytes []byte `json:"64"`
}

// MarshalJSON implements [json.Marshaler].
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return canonical(string(t))
	}
	return canonical(text64{[]byte(t)})
}

// UnmarshalJSON implements [json.Unmarshaler]. That there is one spelling only
// is seen by whoever encodes again.
func (t *Text) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		var v text64
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		*t = Text(v.Bytes)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// isHex says whether s is n bytes in lower-case hex.
func isHex(s string, n int) bool {
	if len(s) != 2*n {
		return false
	}
	b, err := hex.DecodeString(s)
	return err == nil && hex.EncodeToString(b) == s
}

// isBase64 says whether s is n bytes in unpadded base64url, spelled the one way.
func isBase64(s string, n int) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == n && base64.RawURLEncoding.EncodeToString(b) == s
}

// cleanText says whether every string is UTF-8 and not longer than a line of
// JSON should carry.
func cleanText(max int, s ...string) bool {
	for _, s := range s {
		if len(s) > max || !utf8.ValidString(s) {
			return false
		}
	}
	return true
}
