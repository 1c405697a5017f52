// Command minio is the MinIO server, pinned and built from source, that the
// tests of the room remote talk to. It is a module of its own so that nothing
// of it (its licence is AGPL-3.0, its dependencies are many) reaches Coffer.
//
// deploy/testservers builds it once into a cache folder. With EXIT_WITH_STDIN
// set, the server ends when its standard input does, so that no server
// outlives the test that started it, however that test ended.
package main

import (
	"io"
	"os"

	minio "github.com/minio/minio/cmd"
)

func main() {
	// The server writes and compares local times as if they were UTC; time
	// reads the variable at first use, so this is early enough.
	os.Setenv("TZ", "UTC")
	if os.Getenv("EXIT_WITH_STDIN") != "" {
		go exitWithStdin()
	}
	minio.Main(os.Args)
}

func exitWithStdin() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
