package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
	"trimtab/internal/whatif"
)

// explain writes an entry as a person would want to read it: what happened and why, what each reason wanted, what each
// rail did, and what all of it rested on.
func explain(w io.Writer, e *scale.Entry) error {
	return (&explanation{Entry: e, Rails: whatif.Rails(&e.Proposal, &e.Decision)}).text(w)
}

func (x *explanation) text(w io.Writer) error {
	e := x.Entry
	p := &printer{w: tabwriter.NewWriter(w, 0, 4, 2, ' ', 0), now: e.At}
	p.line("%s at %s, by %s", e.Pool, e.At.Format("2006-01-02 15:04:05 MST"), triggerText(e.Trigger))
	p.line("")
	p.line("%s", headline(e))
	if e.Outcome != nil {
		p.line("%s", outcomeText(e))
	}
	if e.Note != "" {
		p.line("Note: %s", e.Note)
	}
	p.reasons(e)
	p.rails(x.Rails)
	p.traps(e.Decision.Traps)
	if x.Turns != nil || x.Reckoned != "" {
		p.turns(x)
	}
	p.candidate(e)
	p.signals(e)
	p.rest(e)
	p.line("")
	p.line("entry %s, policies %s", e.Key, e.Proposal.Revision)
	if p.err != nil {
		return p.err
	}
	return p.w.Flush()
}

// printer writes lines and remembers the first error.
type printer struct {
	w   *tabwriter.Writer
	now time.Time
	err error
}

func (p *printer) line(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil && p.err == nil {
		p.err = err
	}
}

func triggerText(t scale.Trigger) string {
	events := fmt.Sprintf("events %d to %d of %s (%d samples folded)", t.FirstSequence, t.LastSequence, t.Source, t.Folded)
	switch t.Kind {
	case "events":
		return events
	case "eviction":
		return "an eviction, told by " + events
	case "maintenance", "health", "rival":
		return "news of " + t.Kind + ", told by " + events
	}
	return "a " + t.Kind
}

// headline is the decision in a sentence.
func headline(e *scale.Entry) string {
	d := &e.Decision
	because := "because of " + d.Reason
	switch {
	case d.Action == scale.Hold && !e.View.Facts.Known():
		return fmt.Sprintf("Hold, %s: nothing is known about the scale set (%s).", because, orNone(e.View.FactsProblem))
	case d.Action == scale.Hold && e.Proposal.Known && e.Proposal.Instances != d.From.Instances:
		return fmt.Sprintf("Hold at %d, %s: the policy wants %d.", d.From.Instances, because, e.Proposal.Instances)
	case d.Action == scale.Hold:
		return fmt.Sprintf("Hold at %d, %s.", d.From.Instances, because)
	}
	var b strings.Builder
	switch {
	case d.Direction == scale.Remix:
		fmt.Fprintf(&b, "Change the mix of %d instances, %s", d.To.Instances, because)
	case d.Direction == scale.Clean:
		fmt.Fprintf(&b, "Delete %d machines that serve nobody beside %d instances, %s", len(d.Victims), d.To.Instances, because)
	case d.Verb == scale.Start:
		fmt.Fprintf(&b, "Grow from %d to %d instances by starting parked machines, %s", d.From.Instances, d.To.Instances, because)
	case d.Verb == scale.Deallocate:
		fmt.Fprintf(&b, "Shrink from %d to %d instances by deallocating machines, %s", d.From.Instances, d.To.Instances, because)
	default:
		fmt.Fprintf(&b, "%s from %d to %d instances, %s", title(string(d.Direction)), d.From.Instances, d.To.Instances, because)
	}
	if d.To.Mix != nil && (d.From.Mix == nil || *d.From.Mix != *d.To.Mix) {
		fmt.Fprintf(&b, "; mix %s", mixText(d.To))
	}
	if !d.Act {
		b.WriteString(". Nothing was changed: the pool observes")
	}
	return b.String() + "."
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func mixText(c scale.Capacity) string {
	r := c.Mix.Regular(c.Instances)
	return fmt.Sprintf("%d regular and %d %% above (%d regular, %d Spot)", c.Mix.Base, c.Mix.RegularPercent, r, c.Instances-r)
}

func outcomeText(e *scale.Entry) string {
	o := e.Outcome
	text := fmt.Sprintf("Outcome: %s after %s", o.Result, o.At.Sub(e.At).Round(time.Second))
	if o.Class != "" {
		text += fmt.Sprintf(" (%s, %s: %s)", o.Class, orNone(o.Code), o.Message)
	}
	return text + "."
}

func (p *printer) reasons(e *scale.Entry) {
	p.line("\nWhat the policy wanted")
	if e.Proposal.Fault != "" {
		p.line("  the policy is at fault: %s", e.Proposal.Fault)
	}
	won := false
	for _, r := range e.Proposal.Reasons {
		mark, wants := " ", fmt.Sprint(r.Instances)
		if r.State != scale.ReasonKnown {
			wants = string(r.State)
		} else if !won && r.Instances == e.Proposal.Instances {
			mark, won = ">", true
		}
		p.line("%s %s\t%s\t%s\t%s", mark, r.Code, r.Name, wants, strings.TrimSpace(numbersText(r.Numbers)+" "+r.Detail))
	}
	for _, f := range e.Proposal.Faults {
		p.line("  fault: %s", f)
	}
	if b := e.Proposal.Blend; b != nil {
		p.line("  blend\t%d regular, then %d %%\t%s", b.Mix.Base, b.Mix.RegularPercent, b.Rounding)
	}
}

// numbersText writes a reason's numbers; those in thousandths as they are meant.
func numbersText(numbers map[string]int64) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(numbers)) {
		if name, ok := strings.CutSuffix(k, "_milli"); ok {
			parts = append(parts, fmt.Sprintf("%s %s", name, milliText(scale.Milli(numbers[k]))))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d", k, numbers[k]))
	}
	return strings.Join(parts, ", ")
}

func milliText(m scale.Milli) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", float64(m)/1000), "0"), ".")
}

func (p *printer) rails(rails []whatif.Rail) {
	p.line("\nWhat the rails did")
	for _, r := range rails {
		until := ""
		if !r.Until.IsZero() {
			until = fmt.Sprintf("until %s (%s more)", r.Until.Format("15:04:05"), r.Until.Sub(p.now).Round(time.Second))
		}
		p.line("  %s\t%s\t%d -> %d\t%s", r.Rail, r.Code, r.Before, r.After, strings.TrimSpace(until+" "+r.Detail))
	}
}

// traps shows what about the scale set works, or may work, against the pool, and what to do about it.
func (p *printer) traps(traps []scale.Trap) {
	if len(traps) == 0 {
		return
	}
	p.line("\nTraps about the scale set")
	for _, t := range traps {
		p.line("  %s\t%s\t%s", t.Code, t.Effect, t.Says)
		if do := guard.Remedy(t.Code); t.Effect != scale.TrapAccepted && do != "" {
			p.line("  \t\tto do: %s", do)
		}
	}
}

func (p *printer) signals(e *scale.Entry) {
	p.line("\nSignals")
	for _, name := range slices.Sorted(maps.Keys(e.View.Signals)) {
		s := e.View.Signals[name]
		if s.State == scale.SignalMissing {
			p.line("  %s\t%s\t\t", name, s.State)
			continue
		}
		value := "no value"
		if s.HasValue {
			value = strings.TrimSpace(milliText(s.Value) + " " + s.Unit)
		}
		demand := ""
		if s.HasDemand {
			demand = ", demand " + milliText(s.Demand)
		}
		p.line("  %s\t%s\t%s\t%d of %d buckets, newest %s old%s", name, s.State, value, s.Buckets, s.Expected,
			time.Duration(s.AgeSeconds)*time.Second, demand)
		p.arrival(&s)
	}
	for _, name := range slices.Sorted(maps.Keys(e.View.Schedules)) {
		state := "off"
		if e.View.Schedules[name].Active {
			state = "on"
		}
		p.line("  %s\tschedule\t%s\tnext change %s", name, state, whenText(e.View.Schedules[name].NextAt))
	}
}

// arrival shows what is known of how a signal's samples come, and why they may not.
func (p *printer) arrival(s *scale.SignalView) {
	if s.StaleAfterSeconds == 0 {
		return // an entry of an older program
	}
	text := fmt.Sprintf("by %s, stale after %s", s.Format, time.Duration(s.StaleAfterSeconds)*time.Second)
	if s.DelaySeconds > 0 || s.IntervalSeconds > 0 {
		text += fmt.Sprintf("; seen: %s late, %s apart", time.Duration(s.DelaySeconds)*time.Second, time.Duration(s.IntervalSeconds)*time.Second)
	}
	switch s.Silence {
	case scale.SilenceIdle:
		text += "; the last were zeros, which the exporter repeats every 15 minutes to 2 hours only"
	case scale.SilenceLate:
		text += "; it may still come"
	case scale.SilenceDead:
		text += "; the sender should have been heard of"
	}
	p.line("  \t\t\t%s", text)
}

func whenText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format("Mon 15:04 MST")
}

// rest shows what the decision rested on besides reasons and signals.
func (p *printer) rest(e *scale.Entry) {
	v := &e.View
	p.line("\nThe pool")
	if f := v.Facts; f.Known() {
		p.line("  facts\t%d instances, %s, read %s before", f.Capacity, f.ProvisioningState, p.now.Sub(f.ReadAt).Round(time.Second))
		if f.Mix != nil {
			p.line("  mix\t%s", mixText(scale.Capacity{Instances: f.Capacity, Mix: f.Mix}))
		}
	}
	if v.FactsProblem != "" {
		p.line("  last read\t%s", v.FactsProblem)
	}
	p.line("  limits\t%d to %d, default %d; mode %s", v.Rails.Limits.Min, v.Rails.Limits.Max, v.Rails.Limits.Default, v.Mode)
	if in := v.Memory.InFlight; in != nil {
		p.line("  in flight\tto %d since %s", in.Instances, v.Memory.InFlightSince.Format("15:04:05"))
	}
	for _, c := range []struct {
		name string
		at   time.Time
	}{{"last grown", v.Memory.GrownAt}, {"last shrunk", v.Memory.ShrunkAt}, {"last remixed", v.Memory.RemixedAt}} {
		if !c.at.IsZero() {
			p.line("  %s\t%s before", c.name, p.now.Sub(c.at).Round(time.Second))
		}
	}
	p.notes(&v.Memory.Notes)
	for _, b := range v.Memory.BackOffs {
		p.line("  back-off\t%s %s (%s) until %s", b.Class, b.Direction, orNone(b.Code), b.Until.Format("15:04:05"))
	}
	for _, o := range []struct {
		name  string
		order *scale.Order
	}{{"freeze", v.Orders.Freeze}, {"pause grow", v.Orders.PauseGrow}, {"pause shrink", v.Orders.PauseShrink}, {"pin", v.Orders.Pin}} {
		if o.order.Holds(p.now) {
			p.line("  order\t%s until %s: %s", o.name, whenText(o.order.Until), orNone(o.order.Reason))
		}
	}
	if v.Frozen {
		p.line("  order\tthe whole installation is frozen")
	}
}

// notes shows what events told of machines and rivals.
func (p *printer) notes(n *scale.Notes) {
	ago := func(at time.Time) time.Duration { return p.now.Sub(at).Round(time.Second) }
	for _, e := range n.Evictions {
		zone := ""
		if e.Zone != "" {
			zone = " in zone " + e.Zone
		}
		p.line("  eviction\t%d machines%s, %s before", e.Instances, zone, ago(e.At))
	}
	for _, a := range n.Health {
		p.line("  machine\t%s: %s, %s before", a.Machine, a.State, ago(a.At))
	}
	for _, r := range n.Rivals {
		counts := ""
		if r.From != nil && r.To != nil {
			counts = fmt.Sprintf(" from %d to %d", *r.From, *r.To)
		}
		p.line("  rival\t%s: %s%s, %s before", r.By, r.Action, counts, ago(r.At))
	}
}

func orNone(s string) string {
	if s == "" {
		return "no reason given"
	}
	return s
}
