package manifest

import "unsafe"

// view returns b as a string without copying. The string is good only as long
// as b keeps its bytes; what outlives that is copied with strings.Clone.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns s as bytes without copying. Nobody may write to them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
