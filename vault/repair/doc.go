// Package repair makes whole again what a vault, or a device's local state, has
// lost and can be had from elsewhere.
//
//	plan, err := repair.Make(ctx, v)
//	done, err := plan.Run(ctx)
//
// [Make] only looks. What a plan can have:
//
//   - An object that is missing on the remote, and of which this device has a
//     copy: a ledger, a roll, the body of a newest snapshot. It is put back.
//   - A ledger or roll that is missing without a copy, or whose bytes are wrong:
//     objects are never overwritten, so a move names a new one that stands in
//     for it. What it named is known from a copy, or with the identity from the
//     manifest and the names that the remote lists; for a roll the listing is
//     enough.
//   - A pack that is missing or bad, and whose chunks are in other packs as well:
//     of another device, or of this one, which has stored them twice. With the
//     identity they are found, and a move says where they are.
//   - The local state, all but the device's keys, with the identity.
//
// Other packs heal at the next backup, from the disk. What can be had from nowhere is
// in the plan too, so that nobody hopes in vain. Nothing that is valid is
// dropped or replaced.
package repair
