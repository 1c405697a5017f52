// Package canon gives everything that stands in clear one spelling: JSON
// lines, ten-digit numbers, hashes, and the names of objects.
//
// What has one spelling has one hash. A decoder that took two spellings for
// the same thing would let a stranger make a second object that means the same
// and has another name, or make two readers see different things in the same
// bytes. So [Decode] accepts exactly what [Encode] writes, and every parser
// here refuses what its writer would not have written.
package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Version is the version of all clear objects that this program reads and
// writes: the "v" of their first line.
const Version = 1

// ErrVersion: an object was written in a format this program does not know,
// normally by a newer one. Nothing is wrong with the object.
var ErrVersion = errors.New("written in a format that this version of coffer does not read")

// Encode returns v as one line of JSON with its newline: fields in the order
// of the struct, no blanks, and no escape that JSON does not demand (apart
// from U+2028 and U+2029, which encoding/json always escapes).
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads one line as [Encode] writes it into v, which must be a pointer
// to a zero value. It refuses unknown fields, trailing data and every other
// spelling. The caller bounds the length of the line.
func Decode(line []byte, v any) error {
	if n := bytes.IndexByte(line, '\n'); n < 0 || n != len(line)-1 {
		return errors.New("not one line of JSON")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("not the JSON expected: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("data after the JSON object")
	}
	again, err := Encode(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, line) {
		return errors.New("not in canonical form")
	}
	return nil
}

// DecodeFirst is [Decode] for the first line of an object, which begins with
// the version. It tells an object of another version from a bad one.
func DecodeFirst(line []byte, v any) error {
	var first struct {
		V int `json:"v"`
	}
	if !bytes.HasPrefix(line, []byte(`{"v":`)) || json.Unmarshal(line, &first) != nil {
		return errors.New("not one of our objects: its first line has no version")
	}
	if first.V != Version {
		return fmt.Errorf("version %d: %w", first.V, ErrVersion)
	}
	return Decode(line, v)
}
