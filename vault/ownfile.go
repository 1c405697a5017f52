package vault

import (
	"errors"
	"io/fs"

	"coffer/vault/state"
	"coffer/vault/trust"
)

const ownFile = "own.json"

// loadOwn reads own.json. One that is missing or unreadable is like a new
// one: the remote's listing fills it again.
func (v *Vault) loadOwn() *ownHistory {
	h, err := state.ReadSmall[ownHistory](v.dir, ownFile)
	if err != nil {
		h = &ownHistory{fresh: true}
		if !errors.Is(err, fs.ErrNotExist) {
			v.notice(ownFile, err, "nothing: it is made anew from what the remote shows")
			h.damaged = err
		}
	}
	if h.Projects == nil {
		h.Projects = map[trust.ProjectID]newest{}
	}
	if h.Rolls == nil {
		h.Rolls = map[string]writtenRoll{}
	}
	if h.Others == nil {
		h.Others = map[trust.DeviceID]headSeen{}
	}
	if !h.fresh {
		h.file, _ = state.EncodeSmall(ownFile, h) // else it is written anew
		h.durable = true
	}
	return h
}

// saveOwn writes own.json durably, unless it says all that already.
func (v *Vault) saveOwn(h *ownHistory) error {
	v.beginSave(h, true)
	return h.saved()
}

// beginSave begins to write own.json as h is now, unless it says all that
// already; saved waits for it. Without durable a crash soon after may leave
// the former one. A write that failed before and of which nobody asked is
// made good by this one.
func (v *Vault) beginSave(h *ownHistory, durable bool) {
	_ = h.saved()
	h.saving = make(chan error, 1)
	next, err := state.EncodeSmall(ownFile, h)
	if err != nil || next.Equal(h.file) && (h.durable || !durable) {
		h.saving <- err
		return
	}
	h.file, h.durable = next, durable
	done := h.saving
	go func() { done <- v.dir.PutSmall(next, durable) }()
}

// saved waits for the write at work and returns what became of it, once.
func (h *ownHistory) saved() error {
	if h.saving == nil {
		return nil
	}
	err := <-h.saving
	h.saving = nil
	if err != nil {
		h.file = state.Small{} // what it holds is not sure
	}
	return err
}
