package repair_test

import (
	"bytes"
	"strings"
	"testing"

	"coffer/vault/repair"
	"coffer/vault/verify"
)

// A condemned list that is lost, or hidden, is missed by a device that has read
// it, and put back as it was.
func TestLostCondemnedListIsPutBack(t *testing.T) {
	s := newScene(t)
	name, err := s.device(false).Condemn(t.Context(), []string{"rolls/0011223344556677/0000000000-" + strings.Repeat("ab", 32)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	was, err := s.room.Store.Get(t.Context(), nil, name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	was = bytes.Clone(was)
	if res, err := verify.Run(t.Context(), s.device(false), verify.Options{}); err != nil || len(res.Problems) > 0 {
		t.Fatalf("%v, %+v", err, res.Problems)
	}
	s.remove(name)
	res, err := verify.Run(t.Context(), s.device(false), verify.Options{})
	if err != nil || len(res.Problems) != 1 || res.Problems[0].Object != name {
		t.Errorf("it is not missed: %v, %+v", err, res.Problems)
	}
	kinds, done := s.repair(false)
	if s.want(kinds, repair.PutBack); done.PutBack != 1 {
		t.Errorf("%+v", done)
	}
	if got, err := s.room.Store.Get(t.Context(), nil, name, 0, -1); err != nil || !bytes.Equal(got, was) {
		t.Errorf("put back: %v", err)
	}
	s.wantWhole(0)
}
