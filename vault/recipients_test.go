package vault

import (
	"strings"
	"testing"

	"coffer/chunk"
	"coffer/chunk/seal"
	"coffer/remote/mem"
	"coffer/vault/ledger"
	"coffer/vault/manifest"
	"coffer/vault/trust"
)

// Recipients that are not those of the trust, as a bit flipped in memory makes
// them, are caught before a commit: what is sealed to them nobody might open.
func TestRecipientsFlip(t *testing.T) {
	for _, role := range []trust.Role{"", trust.Maintain} { // of a backup, of a repack
		t.Run(string(role), func(t *testing.T) { recipientsFlip(t, role) })
	}
}

func recipientsFlip(t *testing.T, role trust.Role) {
	home, store := t.TempDir(), mem.New()
	v, _, _, err := Init(t.Context(), store, InitOptions{Label: "test", StateRoot: home + "/state", KitDir: home, Remote: "mem:", Classic: true})
	if err != nil {
		t.Fatal(err)
	}
	run, err := v.Begin(t.Context(), RunOptions{Project: trust.ProjectID("00112233445566aa"), Role: role})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	other, err := seal.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	if run.recipients, err = seal.ParseRecipients([]string{other.Recipient()}); err != nil {
		t.Fatal(err)
	}
	lane := run.Lane(chunk.Data)
	ref, _, err := lane.Put([]byte("content"))
	if err == nil {
		err = lane.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	used := new(ledger.Set)
	used.Add(ref.Series, ref.Number)
	now := run.now()
	for range 2 { // the second time as the first
		_, err = run.Commit(t.Context(), NewSnapshot{Used: used, Body: &manifest.Body{Project: "00112233445566aa", Label: "p", Start: now, End: now}})
		if err == nil || !strings.Contains(err.Error(), "memory may be failing") {
			t.Errorf("commit: %v", err)
		}
	}
	for _, kind := range []string{"commits/", "snapshots/"} { // a body, with the names in it, is not sealed to them either
		for info, err := range store.List(t.Context(), kind, "") {
			t.Errorf("%s was made, %v", info.Name, err)
		}
	}
}
