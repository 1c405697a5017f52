// Package ledger holds the lists that say which packs a snapshot needs.
//
// A [Ledger] names every pack that must be there for a snapshot to restore:
// data, segments and all. It stands in clear and holds nothing secret, so any
// device can tell without a key what is needed, whether it is there, and what
// nobody needs any more. A [Pack] is always named in full, with the hash of
// its bytes.
//
// So that a ledger stays small, the 1,024 packs of a folder that is full are
// listed once in an object of their own, a roll ([EncodeRoll], [ParseRoll]),
// and ledgers only say which of them they need: all, or those of a bitmap.
//
// While a run walks, it collects what it needs in a [Set]; [Build] makes a
// ledger of it. [Ledger.Packs] gives the names back.
//
// # Format
//
// Both objects are lines of text with one spelling only. A ledger:
//
//	{"v":1,"type":"ledger","vault":"<id>","nonce":"<32 hex>"}
//	{"series":"<id>","folder":"0000000000","roll":"<sha256>","all":true}
//	{"series":"<id>","folder":"0000000001","roll":"<sha256>","bits":"<base64>"}
//	{"series":"<id>","folder":"0000000002","packs":["<number>-<sha256> <size>",...]}
//
// One line for each folder, sorted by series and folder. A pack is the object
// packs/<series>/<folder>/<number>-<sha256>, a roll is
// rolls/<series>/<folder>-<sha256>. In a bitmap of 128 bytes, the pack with
// the number folder*1024 + i is needed if bit i%8 (the lowest is bit 0) of
// byte i/8 is set. A roll:
//
//	{"v":1,"type":"roll","series":"<id>","folder":"0000000000","nonce":"<32 hex>"}
//	<number>-<sha256> <size>
//
// with one line for each pack, sorted by number. Numbers that were never used
// are left out. The nonce is random: a list that is written anew never gets the
// name of one that may be about to be deleted.
package ledger
