// Package prooftest breaks vaults on purpose: it stops the machine at every
// change to a disk or a remote, lets a store lie in every way a store can,
// and damages every object; what must hold afterwards is in its tests, which
// are run by
//
//	make crash     every point at which a machine can stop
//	make faults    seeded runs on a store that fails
//	make damage    every object of a vault, damaged in every way
//	make disks     a disk that fails at any operation
//
// and, in a shorter form, by make test.
//
// A [Disk] is a folder as a machine leaves it when it stops: built from what a
// process was seen to do, with or without what had not been synced. A [Fault]
// makes one of its operations fail.
package prooftest
