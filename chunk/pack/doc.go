// Package pack puts chunks together into objects and takes them out again.
//
// A pack is one age file (see chunk/seal). Its plaintext is
//
//	zstd frames      the chunks, one after another
//	skippable frame  magic 0x184D2A5C, length, then:
//	    zeros        as many as give the object a PADME length
//	    directory    one line of JSON a frame
//	    footer       length of the directory (64 bit, little-endian), "COFFERD1"
//
// Because zstd passes over skippable frames, `age -d pack | zstd -d` gives the
// chunks in order, with nothing between them. That stream is the content of
// the pack, and where a chunk is in it, is all that needs to be known to read
// it. The directory says it too, so that a pack alone tells what it holds:
//
//	{"c":<stored length>,"p":<length in the content>,"chunks":[["d",<length>,"<id>"],...]}
//
// Chunks below [SolidLimit] share a frame of about [SolidFrame] bytes, because
// small files compress far better together; others have a frame of their own.
// What does not compress is stored as a frame of raw blocks.
//
// To write packs, a [Builder] takes chunks until it is full and seals them; a
// [Checker] opens what was sealed with the key of that one file and hashes all
// chunks again, so that an error of this machine's memory is found before the
// file it came from is gone:
//
//	off := b.Add(chunk.Data, id, data) // for each chunk
//	if b.Full() {
//		sealed, err := b.Seal(recipients)
//		err = checker.Check(sealed)
//		b.Reuse(sealed.Object) // once it is stored
//	}
//
// To read them, a [Reader] opens an object in memory and gives the chunks
// asked for, decoding each frame once. A Builder, a Checker and a Reader each
// belong to one goroutine at a time, and keep and reuse their memory.
//
// Objects that hold one value, such as the body of a snapshot, are blobs: one
// frame and padding, see [SealBlob].
//
// Whatever an object says of itself is bounded before it is believed: no frame
// decodes to more than [MaxChunk] bytes, nor with a window over 8 MiB.
package pack
