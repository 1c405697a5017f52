// Package manifest is the sorted list of a snapshot's entries, which is also
// the index of its content: for every file it says in which pack, and where
// in it, each chunk rests. There is no other index on a remote.
//
// A root of a project becomes one tree of segments, each stored as a chunk:
//
//	b := manifest.NewBuilder(segmentKey, put)
//	for ... {
//		err = b.Add(&entry)                 // new or changed
//		err = b.AddLine(path, line, series) // unchanged since the last run
//	}
//	root, err := b.Finish()                     // goes into the Body
//
// and is read back, whole or in part, by
//
//	for e, err := range manifest.Walk(ctx, root, get, manifest.WalkOptions{Prefix: "src"}) { ... }
//	e, err := manifest.Lookup(ctx, root, "src/main.go", get)
//	for ref, err := range manifest.Refs(ctx, e, get) { ... }
//	for c, err := range manifest.Diff(ctx, older, newer, get) { ... }
//
// # Lines
//
// All of it is NDJSON in one canonical form: the fields in the order given
// here, no blanks, numbers in plain decimal, absent when empty or zero. A
// string escapes ", \ and the bytes below 0x20 (as \u00xx, lower case) and
// nothing else. A string that is not valid UTF-8 is kept exactly: its field
// has the suffix 64 and holds standard base64. An entry (always one line):
//
//	{"path":"a/b","type":"f","mode":420,"size":9,"mtime":[sec,nsec],"uid":1,"gid":1,"user":"u","group":"g",
//	 "rdev":[major,minor],"target":"..","link":"16 hex",
//	 "xattrs":[{"name":"..","value":"base64"},{"name":"..","ref":REF}],"holes":[[offset,length]],
//	 "refs":[REF,..] or "list":{"depth":1,"refs":[REF,..]},"hash":"43 characters, with list only",
//	 "changed":true,"error":".."}
//
// The path is relative to the root, whose own is "". The type is one of d f l
// p c b s; size stands in every regular file and nowhere else. REF is
// ["chunk ID",series,number,offset,length], where series is a position in the
// table that is the first line of what holds the ref, a list of the series in
// the order of their first use:
//
//	{"series":["0123456789abcdef",..]}
//
// # Segments
//
// A segment of level 0 is a series table and entry lines. A segment of level
// L+1 is a series table and a line for each segment of level L:
//
//	{"path":"path of its first entry","count":<entries below it>,"ref":REF}
//
// Lines are in the order of files.Compare, through the whole tree. An item
// starts a new segment of level L where the first 8 bytes, big-endian, of
// HMAC(segment key, "cut" 0x00 L path) are a multiple of 32 at level 0 and of
// 128 above, L being one byte; and in any case after 4,096 items, 1 MiB of
// lines or 256 series. So an entry that comes or goes changes one segment a level, and nobody without the
// key can choose names that steer the cuts. Levels are added until one
// segment is left: the [Root].
//
// # Lists
//
// The refs of a file of more than 64 chunks are list chunks: a series table
// and one REF a line, cut where the first 8 bytes of a ref's ID are a multiple
// of 512, and after 1,024 refs. At depth 1 a list chunk holds refs of content,
// at depth n+1 refs of list chunks of depth n. The top of at most 64 refs
// stands in the entry. An extended attribute above 4 KiB is a chunk of its
// own, the bare value. All these are chunks of kind chunk.Segment.
//
// # Promises
//
// Every decoder bounds what it reads before it reads it and accepts the
// canonical form only, so what it accepts encodes to the same bytes again.
// What breaks an invariant (order, a parent that is missing or no folder, a
// count or first path other than said one level above) is refused by a
// [SegmentError] that names the segment; nothing read panics. Building and
// walking take memory for a few segments, however large the tree is.
package manifest
