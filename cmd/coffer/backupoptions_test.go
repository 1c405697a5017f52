package main

import (
	"testing"

	"coffer/chunk/pack"
	"coffer/config"
)

// TestCompression: work stays light on battery, but what somebody asked for by
// name is done.
func TestCompression(t *testing.T) {
	for _, c := range []struct {
		config  config.Compression
		flag    string
		battery bool
		level   pack.Level
		adapt   bool
	}{
		{"", "", false, pack.Default, true},
		{"", "", true, pack.Fastest, false},
		{config.CompressAdaptive, "", true, pack.Fastest, false},
		{config.CompressBetter, "", true, pack.Better, false},
		{config.CompressBetter, "adaptive", true, pack.Fastest, false},
		{config.CompressAdaptive, "default", true, pack.Default, false},
		{config.CompressDefault, "adaptive", false, pack.Default, true},
		{config.CompressFastest, "", false, pack.Fastest, false},
	} {
		battery := func() bool { return c.battery }
		level, adapt, err := compression(&config.Config{Compression: c.config}, backupFlags{Compression: c.flag}, battery)
		if err != nil || level != c.level || adapt != c.adapt {
			t.Errorf("config %q, flag %q, battery %v: level %d, adapts %v, %v; want %d, %v", c.config, c.flag, c.battery, level, adapt, err, c.level, c.adapt)
		}
	}
	_, _, err := compression(&config.Config{}, backupFlags{Compression: "most"}, onBattery)
	if code, _, _ := explain(t.Context(), err); code != exitUsage {
		t.Errorf("an unknown level: %v", err)
	}
}
