package main

import (
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/whatif"
)

// turns writes what would have to change for another decision.
func (p *printer) turns(x *explanation) {
	p.line("\nWhat would change it")
	if x.Reckoned != "" {
		p.line("  %s", x.Reckoned)
	}
	if len(x.Turns) == 0 && x.Reckoned == "" {
		p.line("  nothing that was looked for: no signal's value alone, no instant, no order, no limit")
	}
	for _, t := range x.Turns {
		p.line("  %s\t%s", turnText(t, x.View.Signals, p.now), outcomeOfTurn(t))
	}
}

// turnText says what would have to be.
func turnText(t whatif.Turn, signals map[string]scale.SignalView, now time.Time) string {
	switch t.Kind {
	case "signal":
		to, way := t.To, "at or above"
		if t.To < t.From {
			way = "at or below"
		}
		unit := strings.TrimSpace(milliText(to) + " " + signals[t.Name].Unit)
		return fmt.Sprintf("%s %s %s (is %s)", t.Name, way, unit, milliText(t.From))
	case "fresh":
		return fmt.Sprintf("%s fresh (is %s)", t.Name, signals[t.Name].State)
	case "time":
		return fmt.Sprintf("at %s (%s more): %s", t.At.Format("15:04:05"), t.At.Sub(now).Round(time.Second), strings.ReplaceAll(t.Name, "_", " "))
	case "order":
		return "without the order: " + t.Name
	case "limits":
		return fmt.Sprintf("%s at %s (is %s)", strings.ReplaceAll(t.Name, "_", " "), milliText(t.To), milliText(t.From))
	}
	return t.Kind + " " + t.Name
}

func outcomeOfTurn(t whatif.Turn) string {
	switch {
	case t.Action == scale.Hold:
		return fmt.Sprintf("hold at %d, because of %s", t.Instances, t.Reason)
	case t.Direction == scale.Remix:
		return fmt.Sprintf("another mix of %d, because of %s", t.Instances, t.Reason)
	case t.Direction == scale.Clean:
		return fmt.Sprintf("hold at %d and delete machines that serve nobody, because of %s", t.Instances, t.Reason)
	}
	return fmt.Sprintf("%s to %d, because of %s", t.Direction, t.Instances, t.Reason)
}
