package host

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// sysfs makes a /sys/class/power_supply of lines such as "BAT0/type Battery".
func sysfs(lines string) fstest.MapFS {
	m := fstest.MapFS{}
	for line := range strings.FieldsFuncSeq(lines, func(r rune) bool { return r == '\n' || r == ';' }) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			m[name] = &fstest.MapFile{Data: []byte(value + "\n")}
		}
	}
	return m
}

func TestSupplies(t *testing.T) {
	const mains, noMains = "AC/type Mains;AC/online 1;", "AC/type Mains;AC/online 0;"
	const bat = "BAT0/type Battery;BAT0/present 1;BAT0/capacity 37;"
	for _, c := range []struct {
		name, sys string
		want      Battery
		text      string
	}{
		{"a server", "", Battery{}, "on mains"},
		{"plugged in", mains + bat + "BAT0/status Charging", Battery{true, false, 37}, "on mains"},
		{"unplugged", noMains + bat + "BAT0/status Discharging", Battery{true, true, 37}, "on battery, 37%"},
		{"a charger too weak", mains + bat + "BAT0/status Discharging", Battery{true, false, 37}, "on mains"},
		{"full, and the charger is not told of", bat + "BAT0/status Full", Battery{true, false, 37}, "on mains"},
		{"USB-C", noMains + bat + "BAT0/status Charging;ucsi/type USB;ucsi/online 1", Battery{true, false, 37}, "on mains"},
		{"a mouse alone", "mouse/type Battery;mouse/scope Device;mouse/status Discharging;mouse/capacity 5", Battery{}, "on mains"},
		{"an empty bay", noMains + bat + "BAT0/status Discharging;BAT1/type Battery;BAT1/present 0;BAT1/status Unknown", Battery{true, true, 37}, "on battery, 37%"},
		{"no charge told", "BAT0/type Battery;BAT0/status Discharging", Battery{true, true, 0}, "on battery"},
		{"two of unlike size", "BAT0/type Battery;BAT0/status Discharging;BAT0/capacity 10;BAT0/energy_now 2000;BAT0/energy_full 20000;" +
			"BAT1/type Battery;BAT1/status Unknown;BAT1/capacity 100;BAT1/energy_now 60000;BAT1/energy_full 60000", Battery{true, true, 77}, "on battery, 77%"},
		{"two, one of which is silent", "BAT0/type Battery;BAT0/status Discharging;BAT0/capacity 10;BAT0/energy_now 2000;BAT0/energy_full 20000;" +
			"BAT1/type Battery;BAT1/status Unknown;BAT1/capacity 100", Battery{true, true, 55}, "on battery, 55%"},
		{"charge in ampere-hours, more than full", "BAT0/type Battery;BAT0/status Discharging;BAT0/charge_now 5100;BAT0/charge_full 5000", Battery{true, true, 100}, "on battery, 100%"},
		{"nonsense", noMains + "BAT0/type Battery;BAT0/status Discharging;BAT0/capacity much;BAT0/energy_full 0;BAT0/energy_now 0", Battery{true, true, 0}, "on battery"},
	} {
		got, err := supplies(sysfs(c.sys))
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("%s: %+v (%s), %v; want %+v", c.name, got, got, err, c.want)
		}
	}
	if got, err := supplies(os.DirFS(t.TempDir() + "/none")); got != (Battery{}) || !errors.Is(err, ErrAbsent) {
		t.Errorf("without the folder: %+v, %v", got, err)
	}
}

func TestParsePmset(t *testing.T) {
	for _, c := range []struct {
		out  string
		want Battery
	}{
		{"Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1234567)\t37%; discharging; 2:10 remaining present: true\n", Battery{true, true, 37}},
		{"Now drawing from 'AC Power'\n -InternalBattery-0 (id=1234567)\t100%; charged; 0:00 remaining present: true\n", Battery{true, false, 100}},
		{"Now drawing from 'AC Power'\n", Battery{}},
		{"Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1234567)\t(no estimate) present: true\n", Battery{true, true, 0}},
		{"Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t0%; discharging present: false\n", Battery{}},
		{"Now drawing from 'Battery Power'\n -Back-UPS ES 700 (id=9)\t80%; discharging; 0:20 remaining present: true\n", Battery{}},
	} {
		if got, err := parsePmset(c.out); err != nil || got != c.want {
			t.Errorf("%q: %+v, %v; want %+v", c.out, got, err, c.want)
		}
	}
	for _, out := range []string{"", "pmset: no such option\n"} {
		if got, err := parsePmset(out); err == nil || got != (Battery{}) {
			t.Errorf("%q: %+v and no error", out, got)
		}
	}
}
