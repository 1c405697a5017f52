package job

import (
	"context"
	"fmt"
)

// Conditions say when a job does not run by itself. Their zero value lets it
// run always. Whoever asks for a run by hand is not held up by them.
type Conditions struct {
	// NoBattery keeps it from running on battery; BelowPercent only with less
	// charge than that.
	NoBattery    bool
	BelowPercent int
	// NoMetered keeps it from running over a connection that is paid by volume.
	NoMetered bool
}

// Held tells why the job must not run now, or "". What the machine cannot tell
// holds nothing up: a backup too many beats none.
func (j *Job) Held(ctx context.Context, m Machine) string {
	if why := j.Conditions.power(m); why != "" {
		return why
	}
	return j.Conditions.metered(ctx, m)
}

func (c Conditions) power(m Machine) string {
	if !c.NoBattery && c.BelowPercent == 0 || m.Power == nil {
		return ""
	}
	onBattery, percent, err := m.Power()
	switch {
	case err != nil || !onBattery:
		return ""
	case c.NoBattery:
		return "the machine runs on battery"
	case percent >= 0 && percent < c.BelowPercent:
		return fmt.Sprintf("the battery is at %d %%, below %d %%", percent, c.BelowPercent)
	}
	return ""
}

func (c Conditions) metered(ctx context.Context, m Machine) string {
	if !c.NoMetered || m.Metered == nil {
		return ""
	}
	if metered, err := m.Metered(ctx); err == nil && metered {
		return "the network connection is metered"
	}
	return ""
}
