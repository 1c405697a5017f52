package remote_test

import (
	"testing"
	"time"

	"coffer/remote"
	"coffer/remote/fault"
	"coffer/remote/mem"
	"github.com/google/go-cmp/cmp"
)

func TestCount(t *testing.T) {
	bad := fault.New(mem.New(), 1)
	bad.Add(fault.Rule{Op: remote.OpPut, Nth: 3})
	c := remote.Count(bad)
	ctx := t.Context()
	c.Put(ctx, remote.NewObject("a", make([]byte, 10)))
	c.Put(ctx, remote.NewObject("b", make([]byte, 20)))
	c.Put(ctx, remote.NewObject("c", make([]byte, 40)))
	c.Get(ctx, make([]byte, 5), "b", 1, 7)
	c.Get(ctx, nil, "gone", 0, -1)
	for range c.List(ctx, "", "") {
	}
	for range c.List(ctx, "", "") {
		break
	}
	c.Delete(ctx, "a")
	c.Now(ctx)
	st, err := c.Stage(ctx, remote.NewObject("d", make([]byte, 3)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	st.Publish(ctx)
	st.Discard(ctx)
	want := map[remote.Op]remote.Tally{
		remote.OpPut:     {Requests: 3, Errors: 1, Bytes: 30},
		remote.OpGet:     {Requests: 2, Errors: 1, Bytes: 7},
		remote.OpList:    {Requests: 2, Items: 3},
		remote.OpDelete:  {Requests: 1},
		remote.OpNow:     {Requests: 1},
		remote.OpStage:   {Requests: 1},
		remote.OpPublish: {Requests: 1, Bytes: 3},
		remote.OpDiscard: {Requests: 1},
	}
	if diff := cmp.Diff(want, c.Tallies()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, c.Reset()); diff != "" || c.Tally(remote.OpPut) != (remote.Tally{}) {
		t.Error("reset:", diff, c.Tallies())
	}
}
