// Package seal encrypts objects with age and opens them again.
//
// An object is one binary age file. It is sealed to [Recipients], a set of
// public keys that is either wholly post-quantum or wholly classic, and opened
// with [Identities], or with the [FileKey] that its [Writer] gave out:
//
//	w, err := seal.NewWriter(&buf, recipients)
//	w.Write(plain)
//	w.Close()
//	...
//	r, err := seal.Open(buf.Bytes(), identities)
//	plain, err = seal.ReadAll(r, nil, limit)
//
// What it promises:
//
//   - Objects are what the stock age tool writes and reads; nothing here is a
//     format of our own.
//   - Nothing is good before it is authenticated to its end: [ReadAll] gives
//     all of the plaintext or none.
//   - Headers are measured before they are parsed, and the work a stranger's
//     object can cause is bounded.
//   - A header carries at least two stanzas that open it. An object is checked
//     after it was made, but without an identity nothing can tell whether a
//     stanza was made rightly; a bit flipped while making one harms only that
//     one.
//   - Secrets are in no error.
//
// age does not say who made an object. What must have come from a certain
// device is signed; see vault/trust.
package seal
