package remote

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
)

// final are the answers that another try cannot change.
var final = []error{
	fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, fs.ErrInvalid,
	ErrFull, ErrNoBucket, ErrExpired, errors.ErrUnsupported,
}

// Final reports whether trying again is pointless: the remote has answered,
// and the answer will be the same. An error of a store may decide for itself
// with a method Retryable() bool; the sentinels come first.
//
// Whether the context of an operation has ended is for its caller to know: a
// deadline inside a transport looks just like one of the context's.
func Final(err error) bool {
	if slices.ContainsFunc(final, func(f error) bool { return errors.Is(err, f) }) {
		return true
	}
	var own interface{ Retryable() bool }
	return errors.As(err, &own) && !own.Retryable()
}

// lost are the system errors that say that the other side cannot be reached:
// of sockets, and of network folders whose server went away.
var lost = []error{
	io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
	syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTUNREACH, syscall.EHOSTDOWN,
	syscall.ETIMEDOUT, syscall.ENOTCONN, syscall.ESTALE,
}

// outOfReach reports whether err is a matter of reachability, as against a
// remote that answers, but wrongly. (A plain net.Error would not tell: every
// system error is one.)
func outOfReach(err error) bool {
	var op *net.OpError
	var name *net.DNSError
	var timed net.Error
	return errors.Is(err, ErrUnreachable) ||
		errors.As(err, &op) || errors.As(err, &name) ||
		errors.As(err, &timed) && timed.Timeout() ||
		slices.ContainsFunc(lost, func(l error) bool { return errors.Is(err, l) })
}
