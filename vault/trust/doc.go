// Package trust holds who may say what in a vault, and the signatures by which
// they say it.
//
// A [Trust] lists the devices with their keys and roles, the vault's
// recipients, and the secrets that all devices share. It is signed by the root
// key, which is derived from the vault's identity ([RootKey]), so that only
// who holds the recovery kit can let a device in or put one out. [Seal] makes
// the object, [Open] reads it, [Follows] says whether one trust may succeed
// another. A device that was put out keeps its entry, with an [Until]: what it
// signed up to there stays valid.
//
// Signatures ([Sign], [Verify]) are SSHSIG with Ed25519, as `ssh-keygen -Y`
// makes and verifies them. Each kind of object has its own namespace, so that
// a signature over one can never be passed off as one over another. Only one
// armor is accepted for a signature: an object cannot be given a second name
// by spelling its signature differently.
//
// What [Open] returns was signed by the root key, is in canonical form and
// keeps every rule of [Trust.Check]. Nothing in it was parsed before its
// signature was verified. Whether it is the newest trust only the caller can
// know, by what it has seen before.
package trust
