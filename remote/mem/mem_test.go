package mem_test

import (
	"testing"

	"coffer/remote"
	"coffer/remote/mem"
	"coffer/remote/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) remote.Store { return mem.New() })
}
