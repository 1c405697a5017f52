// Command versitygw is the Versity S3 gateway over a folder, pinned and built
// from source, that the tests of the room remote talk to: a second, strict
// opinion beside MinIO on what S3 is. It is a module of its own so that
// nothing of it reaches Coffer.
//
//	ROOT_ACCESS_KEY=a ROOT_SECRET_KEY=b versitygw -data DIR -meta DIR [-cert FILE -key FILE] HOST:PORT
//
// deploy/testservers builds it once into a cache folder. With EXIT_WITH_STDIN
// set, the server ends when its standard input does, so that no server
// outlives the test that started it, however that test ended.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	data := flag.String("data", "", "folder that holds a folder per bucket")
	side := flag.String("meta", "", "folder for object metadata (no extended attributes are used)")
	cert := flag.String("cert", "", "TLS certificate file")
	key := flag.String("key", "", "TLS key file")
	flag.Parse()
	if os.Getenv("EXIT_WITH_STDIN") != "" {
		go exitWithStdin()
	}
	if err := serve(*data, *side, *cert, *key, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
		os.Exit(1)
	}
}

func exitWithStdin() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// serve runs until it is interrupted. Metadata goes to files of their own, so
// that the server works on file systems without user extended attributes.
func serve(data, side, cert, key string, addrs []string) error {
	storer, err := meta.NewSideCar(side)
	if err != nil {
		return fmt.Errorf("open metadata folder: %w", err)
	}
	disk, err := posix.New(data, storer, posix.PosixOpts{SideCarDir: side, Concurrency: 64})
	if err != nil {
		return fmt.Errorf("open data folder: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return embedgw.RunVersityGW(ctx, disk, &embedgw.Config{
		RootUserAccess:    os.Getenv("ROOT_ACCESS_KEY"),
		RootUserSecret:    os.Getenv("ROOT_SECRET_KEY"),
		Region:            "us-east-1",
		Ports:             addrs,
		MaxConnections:    1024,
		MaxRequests:       512,
		MultipartMaxParts: 10000,
		CertFile:          cert,
		KeyFile:           key,
		HealthPath:        "/health",
		KeepAlive:         true,
		Quiet:             true,
	})
}
