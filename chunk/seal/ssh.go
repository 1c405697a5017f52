package seal

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// canonicalSSH returns "type base64" of an SSH public key line, without its
// comment. One key has one text: the encoding inside must be the shortest and
// have nothing after it.
func canonicalSSH(line string) (string, error) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return "", errors.New("not an SSH public key: want a type and a key")
	}
	kind := fields[0]
	blob, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil || len(blob) > 4096 {
		return "", errors.New("not an SSH public key, or damaged")
	}
	name, rest, ok := sshString(blob)
	if !ok || string(name) != kind {
		return "", errors.New("not an SSH public key, or damaged")
	}
	switch kind {
	case "ssh-ed25519":
		var key []byte
		if key, rest, ok = sshString(rest); ok {
			ok = len(key) == 32
		}
	case "ssh-rsa":
		for range 2 { // exponent, modulus
			if rest, ok = sshNumber(rest); !ok {
				break
			}
		}
	default:
		return "", errors.New("of the SSH keys only ssh-ed25519 and ssh-rsa can receive")
	}
	if !ok || len(rest) > 0 {
		return "", errors.New("not an SSH public key, or damaged")
	}
	return kind + " " + base64.StdEncoding.EncodeToString(blob), nil
}

// sshString cuts a length-prefixed string off b.
func sshString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// sshNumber cuts a positive number in shortest form off b.
func sshNumber(b []byte) (rest []byte, ok bool) {
	s, rest, ok := sshString(b)
	if !ok || len(s) == 0 || s[0]&0x80 != 0 {
		return nil, false
	}
	return rest, s[0] != 0 || len(s) > 1 && s[1]&0x80 != 0
}
