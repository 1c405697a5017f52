// Package remote is where objects rest: it fixes what a place to keep backups
// must be able to do, and holds what is the same for all such places.
//
// # Use
//
// A [Store] is opened by the package of its kind, remote/s3 or remote/dir, and
// then wrapped:
//
//	store, err := s3.Open(ctx, s3.Options{Location: location})
//	limited := remote.Limit(store, up, down)            // bandwidth, can be changed while running
//	store = remote.Retry(limited, remote.RetryOptions{}) // waits out what passes by itself
//
// [Retry] stands outside of [Limit], so that bytes sent again are paced again.
// [Count] may stand anywhere. Every wrapper keeps the whole contract, staged
// objects included, and gives the store below it by Unwrap.
//
// # Promises
//
// The contract is written at [Store] and tried by remote/storetest, which
// every store passes. Beyond it: an error of a store tells by [errors.Is] what
// kind of trouble it is, [Final] tells whether trying again can help, and a
// listing is complete, in order and without repeats, or ends in an error.
//
// Nothing here looks into an object. Whether the bytes that come back are the
// bytes that were stored is proved above, by the hash in their name.
package remote
