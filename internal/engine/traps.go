package engine

import (
	"context"
	"log/slog"
	"strings"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

// Rivals is a fleet that knows which Azure Autoscale settings write the capacity of a set. With one that does not, a rival
// is known by what it does alone.
type Rivals interface {
	// Autoscale says which settings there are, at no great cost: it is asked with each read of the set's facts.
	Autoscale(ctx context.Context, scaleSet string) (*scale.Autoscale, error)
}

// readRivals brings what is known of Azure Autoscale settings into facts that were just read. Where they cannot be read
// now, what was read before holds: a rival that was seen is not gone because of an error. Their host is another than the
// scale sets', so its trouble says nothing about theirs.
func (e *Engine) readRivals(ctx context.Context, v *visit, facts *scale.Facts) {
	rivals, can := e.Fleet.(Rivals)
	if !can || v.arm.open() {
		facts.Autoscale = v.control.Facts.Autoscale
		return
	}
	a, err := rivals.Autoscale(ctx, v.pool.ScaleSet)
	if err == nil {
		facts.Autoscale = a
		return
	}
	if facts.Autoscale = v.control.Facts.Autoscale; facts.Autoscale == nil {
		facts.Autoscale = &scale.Autoscale{Problem: err.Error()}
	}
}

// codesOf names traps, with what each makes the rails do: what tells one evaluation's from another's.
func codesOf(traps []scale.Trap) string {
	if len(traps) == 0 {
		return ""
	}
	all := make([]string, len(traps))
	for i, t := range traps {
		all[i] = t.Code + "=" + string(t.Effect)
	}
	return strings.Join(all, " ")
}

// tellTraps logs the traps of a pool when they are others than before, whichever process saw those.
func (e *Engine) tellTraps(v *visit, stored *scale.Control, entry *scale.Entry) {
	if stored == nil || stored.Traps == v.stored.Control.Traps {
		return
	}
	log := e.Log.With(slog.String("pool", v.pool.Name), slog.String("entry", entry.Key))
	if stored.Traps == "" {
		log.Info("no trap about the scale set any more", slog.String("before", v.stored.Control.Traps))
		return
	}
	args := []any{slog.String("traps", stored.Traps)}
	for _, t := range entry.Decision.Traps {
		if t.Effect == scale.TrapAccepted || strings.Contains(" "+v.stored.Control.Traps+" ", " "+t.Code+"="+string(t.Effect)+" ") {
			continue
		}
		args = append(args, slog.Group(t.Code, slog.String("effect", string(t.Effect)), slog.String("says", t.Says), slog.String("do", guard.Remedy(t.Code))))
	}
	log.Warn("traps about the scale set", args...)
}
