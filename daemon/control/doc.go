// Package control lets commands talk to a running daemon: HTTP over a unix
// socket that only its owner can open.
//
// [Listen] and [Serve] are the daemon's side, [Client] the other. Everything
// but /v1/do is one question and one answer in JSON. /v1/do hands a piece of
// work to the daemon and streams back what it prints and how far it is, a
// [Frame] a line, ending in the exit code: so a command looks the same whether
// it does the work itself or has it done. When the caller goes away or calls it
// off, the work is cancelled, as if it had been ended with Ctrl-C.
package control
