package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A Battery says how the machine is fed. The zero value is one on mains.
type Battery struct {
	Present bool // the machine has a battery of its own
	InUse   bool // nothing else feeds it now
	Percent int  // of its charge, of several of all together; 0 if it does not tell
}

// String is how the machine is fed, for people.
func (b Battery) String() string {
	switch {
	case !b.InUse:
		return "on mains"
	case b.Percent == 0:
		return "on battery"
	}
	return fmt.Sprintf("on battery, %d%%", b.Percent)
}

// Power says how the machine is fed. With an error it is the zero value.
func Power(ctx context.Context) (Battery, error) {
	switch runtime.GOOS {
	case "linux":
		return supplies(os.DirFS("/sys/class/power_supply"))
	case "darwin":
		out, err := ask(ctx, "pmset", "-g", "batt")
		if err != nil {
			return Battery{}, fmt.Errorf("ask for the battery: %w", err)
		}
		return parsePmset(out)
	}
	return Battery{}, fmt.Errorf("ask for the battery: %w", ErrAbsent)
}

// supplies reads what the kernel knows of chargers and batteries. As systemd
// has it, the machine is on battery if one of its own is being emptied and no
// charger gives power: a charger that is too weak still counts.
func supplies(sys fs.FS) (Battery, error) {
	all, err := fs.ReadDir(sys, ".")
	if err != nil {
		return Battery{}, fmt.Errorf("ask for the battery: %w: %w", ErrAbsent, err)
	}
	var b Battery
	var charge gauge
	fed, emptied := false, false
	for _, e := range all {
		s := supply{sys, e.Name()}
		switch {
		case s.text("scope") == "Device": // of a mouse or a telephone
		case s.text("type") == "Battery" && s.text("present") != "0":
			b.Present = true
			emptied = emptied || s.text("status") == "Discharging"
			charge.add(s)
		default:
			fed = fed || s.text("online") == "1"
		}
	}
	b.InUse = emptied && !fed
	if b.Present {
		b.Percent = charge.percent()
	}
	return b, nil
}

// A supply is one folder of /sys/class/power_supply.
type supply struct {
	sys  fs.FS
	name string
}

// text returns one attribute, or "" if it has none.
func (s supply) text(attribute string) string {
	b, err := fs.ReadFile(s.sys, s.name+"/"+attribute)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number returns one attribute, or -1.
func (s supply) number(attribute string) int64 {
	n, err := strconv.ParseInt(s.text(attribute), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// A gauge adds up the charge of several batteries.
type gauge struct {
	now, full    int64 // in µWh or µAh, of those that tell both
	sum, telling int64 // of percentages
	silent       bool  // one does not tell now and full
}

func (g *gauge) add(s supply) {
	if p := s.number("capacity"); p >= 0 {
		g.sum += min(p, 100)
		g.telling++
	}
	for _, unit := range []string{"energy", "charge"} {
		if now, full := s.number(unit+"_now"), s.number(unit+"_full"); now >= 0 && full > 0 {
			g.now += min(now, full)
			g.full += full
			return
		}
	}
	g.silent = true
}

// percent weighs the batteries by what they hold, where all tell that.
func (g *gauge) percent() int {
	switch {
	case !g.silent && g.full > 0:
		return int(g.now * 100 / g.full)
	case g.telling > 0:
		return int(g.sum / g.telling)
	}
	return 0
}

// parsePmset reads what pmset -g batt prints:
//
//	Now drawing from 'Battery Power'
//	 -InternalBattery-0 (id=1234567)	37%; discharging; 2:10 remaining present: true
func parsePmset(out string) (Battery, error) {
	first, rest, _ := strings.Cut(out, "\n")
	if !strings.Contains(first, "drawing from") {
		return Battery{}, fmt.Errorf("ask for the battery: pmset said %.80q", first)
	}
	b := Battery{InUse: strings.Contains(first, "'Battery Power'")}
	for line := range strings.Lines(rest) {
		if !strings.Contains(line, "InternalBattery") || strings.Contains(line, "present: false") {
			continue
		}
		b.Present = true
		before, _, found := strings.Cut(line, "%")
		if n, err := strconv.Atoi(before[strings.LastIndexAny(before, " \t")+1:]); found && err == nil && n >= 0 {
			b.Percent = min(n, 100)
		}
		return b, nil
	}
	b.InUse = false // a UPS, which is not the laptop's kind of battery
	return b, nil
}
