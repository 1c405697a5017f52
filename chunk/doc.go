// Package chunk cuts content into chunks and names them.
//
// A [Splitter] cuts a stream where its own bytes say so (content-defined
// chunking under a secret [Polynomial]), so that a byte inserted into a large
// file changes one or two chunks and not all that follow. A [Hasher] names a
// chunk by a keyed hash: whoever has no [Key] cannot test whether a known
// file is stored. A [Ref] says where a chunk rests.
//
//	s := chunk.NewSplitter(polynomial)
//	h := chunk.NewHasher(key)
//	s.Reset(file)
//	for {
//		data, err := s.Next(buf) // buf has room for MaxSize bytes
//		if err == io.EOF {
//			break
//		}
//		...
//		id := h.ID(data)
//	}
//
// The same polynomial and the same bytes give the same chunks, whatever the
// sizes of the reads and on every machine; joined in order they are the
// stream. The same key and the same bytes give the same [ID]. Neither a
// Splitter nor a Hasher may be used by two goroutines at once; each goroutine
// has its own, and after its first use neither allocates.
//
// The rooms above this one are chunk/pack, which puts chunks together into
// objects, and chunk/seal, which encrypts objects.
package chunk
