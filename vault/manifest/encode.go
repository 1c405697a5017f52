package manifest

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"coffer/chunk"
	"coffer/files"
)

// AppendEntry appends the line of e, without a newline. The positions of
// series come from pos, which is asked in the order of their use in the line.
// It allocates only when b has no room. An entry that does not pass Check
// gives a line that ParseEntry refuses, or one that does not say all of it.
func AppendEntry(b []byte, e *Entry, pos func(chunk.Series) int) []byte {
	b = appendHead(b, e.Path)
	b = append(b, byte(e.Type), '"')
	b = appendStat(b, e)
	b = appendText(b, `,"target`, e.Target)
	if e.Link != [8]byte{} {
		b = append(b, `,"link":"`...)
		b = hex.AppendEncode(b, e.Link[:])
		b = append(b, '"')
	}
	if len(e.Xattrs)+len(e.BigXattrs) > 0 {
		b = appendXattrs(b, e.Xattrs, e.BigXattrs, pos)
	}
	if len(e.Holes) > 0 {
		b = appendHoles(b, e.Holes)
	}
	b = appendContent(b, e, pos)
	if e.Changed {
		b = append(b, `,"changed":true`...)
	}
	b = appendText(b, `,"error`, e.Err)
	return append(b, '}')
}

// appendHead appends the line up to the letter of the type.
func appendHead(b []byte, path string) []byte {
	b = appendPath(b, path)
	return append(b, `,"type":"`...)
}

// appendPath opens a line with its path, which is there even when empty.
func appendPath(b []byte, path string) []byte {
	if path == "" {
		return append(b, `{"path":""`...)
	}
	return appendText(b, `{"path`, path)
}

func appendStat(b []byte, e *Entry) []byte {
	b = appendUint(b, `,"mode":`, uint64(e.Mode))
	if e.Type == files.Regular {
		b = append(b, `,"size":`...)
		b = strconv.AppendInt(b, e.Size, 10)
	}
	if e.Mtime != (files.Time{}) {
		b = appendPair(append(b, `,"mtime":`...), e.Mtime.Sec, int64(e.Mtime.Nsec))
	}
	b = appendUint(b, `,"uid":`, uint64(e.UID))
	b = appendUint(b, `,"gid":`, uint64(e.GID))
	b = appendText(b, `,"user`, e.User)
	b = appendText(b, `,"group`, e.Group)
	if e.Rdev != 0 {
		b = appendPair(append(b, `,"rdev":`...), int64(e.Rdev>>32), int64(e.Rdev&0xffffffff))
	}
	return b
}

func appendXattrs(b []byte, small []files.Xattr, big []BigXattr, pos func(chunk.Series) int) []byte {
	open := `,"xattrs":[{"name`
	for len(small)+len(big) > 0 {
		if smallFirst(small, big) {
			b = appendText(b, open, small[0].Name)
			b = append(b, `,"value":"`...)
			b = base64.StdEncoding.AppendEncode(b, small[0].Value)
			b = append(b, `"}`...)
			small = small[1:]
		} else {
			b = appendText(b, open, big[0].Name)
			b = append(b, `,"ref":`...)
			b = appendRef(b, &big[0].Ref, pos(big[0].Ref.Series))
			b = append(b, '}')
			big = big[1:]
		}
		open = `,{"name`
	}
	return append(b, ']')
}

func appendHoles(b []byte, holes []files.Hole) []byte {
	open := `,"holes":[`
	for _, h := range holes {
		b = appendPair(append(b, open...), h.Off, h.Len)
		open = ","
	}
	return append(b, ']')
}

func appendContent(b []byte, e *Entry, pos func(chunk.Series) int) []byte {
	if e.ListDepth > 0 {
		b = append(b, `,"list":{"depth":`...)
		b = strconv.AppendInt(b, int64(e.ListDepth), 10)
	}
	if len(e.Refs) > 0 {
		open := `,"refs":[`
		for i := range e.Refs {
			b = appendRef(append(b, open...), &e.Refs[i], pos(e.Refs[i].Series))
			open = ","
		}
		b = append(b, ']')
	}
	if e.ListDepth > 0 {
		b = append(b, `},"hash":"`...)
		b = e.ContentHash.AppendText(b)
		b = append(b, '"')
	}
	return b
}

// appendRef appends r with the position of its series.
func appendRef(b []byte, r *chunk.Ref, pos int) []byte {
	b = append(b, `["`...)
	b = r.ID.AppendText(b)
	b = append(b, `",`...)
	b = strconv.AppendInt(b, int64(pos), 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, uint64(r.Number), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, r.Offset, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, r.Len, 10)
	return append(b, ']')
}

func appendPair(b []byte, x, y int64) []byte {
	b = strconv.AppendInt(append(b, '['), x, 10)
	b = strconv.AppendInt(append(b, ','), y, 10)
	return append(b, ']')
}

// appendUint appends the key and the number unless it is zero.
func appendUint(b []byte, key string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(append(b, key...), n, 10)
}

// appendText appends a field unless it is empty. Its key comes with all that
// stands before its closing quote, because bytes that are not UTF-8 add 64 to
// the name: JSON has no other way to keep them.
func appendText(b []byte, key, v string) []byte {
	if v == "" {
		return b
	}
	b = append(b, key...)
	if utf8.ValidString(v) {
		return appendString(append(b, `":`...), v)
	}
	b = append(b, `64":"`...)
	b = base64.StdEncoding.AppendEncode(b, bytesOf(v))
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendString appends v, which is valid UTF-8, as a JSON string.
func appendString(b []byte, v string) []byte {
	b = append(b, '"')
	done := 0
	for i := range len(v) {
		c := v[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, v[done:i]...)
		done = i + 1
		if c < 0x20 {
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	b = append(b, v[done:]...)
	return append(b, '"')
}
