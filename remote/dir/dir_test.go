package dir_test

import (
	"testing"

	"coffer/remote"
	"coffer/remote/dir"
	"coffer/remote/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) remote.Store {
		s, err := dir.Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
