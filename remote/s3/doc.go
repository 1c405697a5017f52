// Package s3 keeps a remote in an S3 bucket, below a prefix: at AWS, or at any
// server that speaks the protocol.
//
//	location, err := s3.ParseLocation("s3:https://host:9000/bucket/prefix")
//	store, err := s3.Open(ctx, s3.Options{Location: location})
//
// Open touches no network; the first operation does. Operations are tried once
// (wrap the store with remote.Retry), but for what the first answer teaches:
// the bucket's region, the server's clock, that credentials were renewed.
//
// # Promises
//
// An object is one PutObject from memory. Its SHA-256, known before, is told to
// the server twice, as the signed hash of the payload and as its checksum, so
// that nothing altered on the way is stored, and the body is read once, for
// sending. There are no multipart uploads, no trailers, no batch deletes: these
// are where servers differ.
//
// A staged object is a presigned request, made with the server's clock: it is
// the server that refuses it after its time. What is sent over a connection or
// comes back must make progress; a transfer that stands still for
// Options.Stall is an error.
//
// Answers are not believed blindly. A stored object must be acknowledged in the
// way S3 does, lengths and ranges must be those asked for, an error in an answer
// that claims success is an error, and a listing must be in order, without
// repeats, below its prefix, and complete.
//
// # Credentials
//
// They come from Options.CredentialsFile, or from coffer-s3 or aws-credentials
// in $CREDENTIALS_DIRECTORY (a systemd service), or else from where all AWS
// tools take them: environment, shared files and profiles, a process, single
// sign-on, and only when asked, the metadata service of a cloud machine. They
// never stand in a location or an error.
//
// # Known gaps
//
// Google Cloud Storage changes the Accept-Encoding header that this client
// signs; its S3 interface is not supported. A server that does not know SHA-256
// checksums gets an MD5 instead, beside the signed payload hash; a presigned
// request then has nothing stronger than that MD5.
package s3
