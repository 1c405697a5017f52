// Package verify proves that what a vault says it holds is there.
//
//	res, err := verify.Run(ctx, v, verify.Options{ReadData: 1})
//
// Without any key it checks signatures and chains, that every object a
// snapshot needs is present with its size, and, with ReadData, that the bytes
// are those that were stored. It cannot tell without the identity that a
// ledger names every pack its manifest needs, nor that packs open. With Deep
// and the identity it opens everything: each chunk of each pack is hashed
// again, each manifest is walked, and each ref is held against the packs.
//
// It goes on after a problem, so that a Result lists all of them, each with
// what it harms.
package verify
