package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"time"

	"coffer/remote"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

// Put stores o with one request. It takes the last look by itself: not every
// server compares the bytes with the hash that it is told.
func (s *Store) Put(ctx context.Context, o remote.Object) error {
	if err := errors.Join(remote.CheckObject(o), remote.CheckSum(o)); err != nil {
		return err
	}
	guard := s.ifNoneMatch.Load()
	err := s.put(ctx, o, guard)
	if !guard && mayWantGuard(err) {
		guard = s.guarded(&err, s.put(ctx, o, true))
	}
	if guard && errors.Is(err, fs.ErrExist) {
		return s.compare(ctx, remote.OpPut, o, err)
	}
	return err
}

// mayWantGuard reports whether a write may have been refused because it was not
// conditional. A policy can demand that, and does not say so.
func mayWantGuard(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "AccessDenied" && !errors.Is(err, remote.ErrExpired)
}

// guarded takes over the outcome of a conditional try if it tells that this is
// what was wanted; from then on every write is conditional.
func (s *Store) guarded(err *error, second error) bool {
	if second != nil && !errors.Is(second, fs.ErrExist) {
		return false
	}
	*err = second
	s.ifNoneMatch.Store(true)
	return true
}

// put sends o; with guard, the server shall refuse a name that is taken.
func (s *Store) put(ctx context.Context, o remote.Object, guard bool) error {
	until, err := s.lockUntil(ctx)
	if err != nil {
		return err
	}
	return s.call(ctx, remote.OpPut, o.Name, func(in func(*s3.Options)) error {
		out, err := s.client.PutObject(ctx, s.putInput(ctx, o, guard, until), in, payloadHash(o.Sum))
		if err != nil {
			return err
		}
		return s.acknowledged(remote.OpPut, o, aws.ToString(out.ETag), aws.ToString(out.ChecksumSHA256))
	})
}

// putInput is the request for o, locked until a time, if it has one.
func (s *Store) putInput(ctx context.Context, o remote.Object, guard bool, until time.Time) *s3.PutObjectInput {
	in := &s3.PutObjectInput{
		Bucket: s.bucket(), Key: s.key(o.Name),
		Body: s.body(ctx, o.Data), ContentLength: aws.Int64(int64(len(o.Data))),
	}
	if guard {
		in.IfNoneMatch = aws.String("*")
	}
	if !until.IsZero() {
		in.ObjectLockMode = types.ObjectLockMode(s.lock.mode())
		in.ObjectLockRetainUntilDate = &until
	}
	if s.noChecksum.Load() {
		// What such servers do know, and what a bucket with object lock wants.
		sum := md5.Sum(o.Data)
		in.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	} else {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(o.Sum[:]))
	}
	return in
}

// payloadHash hands the signer a hash that is known already. By itself the
// client would read the body once more to compute it, or, over TLS, leave the
// body out of the signature.
func payloadHash(sum [sha256.Size]byte) func(*s3.Options) {
	text := hex.EncodeToString(sum[:])
	set := middleware.FinalizeMiddlewareFunc((&v4.ComputePayloadSHA256{}).ID(),
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			return next.HandleFinalize(v4.SetPayloadHash(ctx, text), in)
		})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		_, err := stack.Finalize.Swap(set.ID(), set)
		return err
	})
}

// acknowledged checks that an answer of success is one: S3 gives an ETag for
// what it has stored (a portal's login page does not), and if it repeats the
// checksum, it must be ours.
func (s *Store) acknowledged(op remote.Op, o remote.Object, etag, sum string) error {
	if etag == "" {
		return s.nonsense(op, o.Name, "it has no ETag")
	}
	if sum != "" && sum != base64.StdEncoding.EncodeToString(o.Sum[:]) {
		return s.damaged(op, o.Name, "the server confirmed another checksum than that of the bytes sent")
	}
	return nil
}

// compare decides what it means that the name of o is taken: success if by the
// same bytes (an earlier try whose answer was lost), else refused.
func (s *Store) compare(ctx context.Context, op remote.Op, o remote.Object, refused error) error {
	same, err := s.holds(ctx, op, o)
	if err != nil {
		return err
	}
	if !same {
		return refused
	}
	return nil
}

// holds reports whether the bytes of o are stored under its name.
func (s *Store) holds(ctx context.Context, op remote.Op, o remote.Object) (bool, error) {
	data, err := s.get(ctx, op, nil, o.Name, newWindow(0, int64(len(o.Data))+1))
	if isAbsent(err) {
		return false, nil
	}
	return err == nil && sha256.Sum256(data) == o.Sum, err
}
