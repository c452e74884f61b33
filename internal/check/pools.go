package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/autoscale"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/internal/whatif"
)

// reference is the instant of the views that are asked about. Schedules are switched on and off beside it, so it is of
// no other consequence.
var reference = time.Date(2026, 1, 7, 3, 0, 0, 0, time.UTC)

// pools looks at each pool for rules that would fight each other.
func (r *Report) pools(ctx context.Context, files fs.FS, bundle *policy.Bundle) {
	before := len(r.Findings)
	alike := map[string]bool{}
	asked := 0
	for i := range bundle.Pools {
		p := &bundle.Pools[i]
		text, err := fs.ReadFile(files, "pools/"+p.Name+"/data.json")
		l := &look{report: r, ctx: ctx, policy: bundle, pool: p, file: "pools/" + p.Name + "/data.json", text: text}
		if err != nil {
			l.file = "."
		}
		l.figures()
		// What is asked of a policy depends on these alone: pools of one kind are asked once.
		key, _ := json.Marshal([]any{p.Policy, p.Settings, p.Rails, p.Signals, p.Labels, len(p.Schedules)})
		if alike[string(key)] || ctx.Err() != nil {
			continue
		}
		alike[string(key)] = true
		asked++
		l.ask()
	}
	r.part("pools", r.since(before), "%d, %d of them asked about loads from nothing to the most", len(bundle.Pools), asked)
}

// look is one pool that is looked at.
type look struct {
	report *Report
	ctx    context.Context
	policy whatif.Policy
	pool   *scale.Pool
	file   string
	text   []byte
}

func (l *look) add(rule string, level Level, field, format string, args ...any) {
	l.report.add(Finding{
		Rule: rule, Level: level, File: l.file, Line: l.line(field), Pool: l.pool.Name,
		Text: "pool " + l.pool.Name + ": " + fmt.Sprintf(format, args...),
	})
}

// line is where a field first stands in the pool's definition.
func (l *look) line(field string) int {
	at := bytes.Index(l.text, []byte(`"`+field+`"`))
	if at < 0 {
		return 1
	}
	return 1 + bytes.Count(l.text[:at], []byte("\n"))
}

// How late the platform's own metrics are at least, and by diagnostic settings at most (facts: events 1.1).
const (
	exportLeast = 180
	exportMost  = 660
)

// figures compares numbers of the definition with each other.
func (l *look) figures() {
	rails := l.pool.Rails
	if rest := max(rails.Cooldown.ShrinkSeconds, rails.StabilisationSeconds); rest < rails.WarmUpSeconds {
		l.add("shrink-too-soon", Warning, "cooldown",
			"a shrink may follow growth after %d seconds (cooldown.shrink_seconds %d, stabilisation_seconds %d), and new instances bear load only after %d (warm_up_seconds): what was just started would be taken away; one of the two should be at least %d",
			rest, rails.Cooldown.ShrinkSeconds, rails.StabilisationSeconds, rails.WarmUpSeconds, rails.WarmUpSeconds)
	}
	for _, s := range l.pool.Signals {
		if !autoscale.IsPlatformMetric(s.Metric) || !strings.EqualFold(s.Resource, l.pool.ScaleSet) {
			continue
		}
		window, stale, bucket := int(s.Window/time.Second), int(s.StaleAfter/time.Second), int(s.Bucket/time.Second)
		switch {
		case stale < exportLeast+bucket:
			l.add("late-signal", Warning, s.Name,
				"signal %s is stale after %d seconds, and no export of the platform brings %q sooner than %d after its minute: it would be stale for ever, which stops every shrink; at least %d would be right, %d for diagnostic settings",
				s.Name, stale, s.Metric, exportLeast, exportLeast+bucket, exportMost+bucket)
		case window < exportLeast:
			l.add("late-signal", Warning, s.Name,
				"signal %s looks at %d seconds, and %q comes at least %d seconds late: all that it sees is over before it is seen, and growth is decided on %d samples; a window of at least %d would be right",
				s.Name, window, s.Metric, exportLeast, max(1, window/max(60, bucket)), exportLeast)
		case stale < exportMost:
			l.add("late-signal", Info, s.Name,
				"signal %s is stale after %d seconds, which is right for a data collection rule; diagnostic settings are up to %d seconds late", s.Name, stale, exportMost)
		}
	}
	l.quorum()
}

// quorum compares the minimum with the majority of the members that the label names.
func (l *look) quorum() {
	text, ok := l.pool.Labels["quorum"]
	if !ok {
		return
	}
	members, err := strconv.Atoi(text)
	if err != nil || members < 1 {
		l.add("quorum", Error, "quorum", "label quorum is %q: the number of members is right, such as \"5\"", text)
		return
	}
	if majority := members/2 + 1; l.pool.Rails.Limits.Min < majority {
		l.add("quorum", Error, "limits", "limits.min is %d, and %d members need %d for a quorum: a shrink could stop them all", l.pool.Rails.Limits.Min, members, majority)
	}
}

// ask asks the policy about loads, with no schedule active and with each alone.
func (l *look) ask() {
	contexts := []string{""}
	for _, s := range l.pool.Schedules[:min(len(l.pool.Schedules), 8)] {
		contexts = append(contexts, s.Name)
	}
	var all []*asking
	for _, schedule := range contexts {
		a := &asking{look: l, schedule: schedule}
		if fault := a.quiet(); fault != "" {
			l.add("fault", Error, "pool", "the policy is at fault on an ordinary view%s: %s", a.during(), fault)
			return
		}
		all = append(all, a)
	}
	grows := len(l.pool.Signals) == 0
	for _, s := range l.pool.Signals {
		plays, fights, repeats := false, false, false
		for _, a := range all {
			c := a.course(s)
			plays, grows = plays || a.reads(s) || a.far().reads(s), grows || c.grows
			if !fights {
				fights = a.fight(s, c)
			}
			if !repeats {
				repeats = a.repeat(s, c)
			}
		}
		if !plays {
			l.add("idle-signal", Warning, s.Name, "signal %s changes nothing that the policy says, whatever its value, and yet the rails let nothing shrink while it is not fresh: take it out of the definition", s.Name)
		}
	}
	grows = grows || slices.ContainsFunc(all, func(a *asking) bool { return a.far().everythingGrows() })
	if !grows && l.pool.Rails.Limits.Max > l.pool.Rails.Limits.Min {
		l.add("never-grows", Warning, "signals", "no value of any signal makes it grow, from any of the counts that were asked about")
	}
}

// counts are the fleets that are asked about: all small ones, some large ones.
func (l *look) counts() []int {
	limits := l.pool.Rails.Limits
	var all []int
	for _, n := range []int{1, 2, 3, 4, 5, 7, 10, 20, 50, limits.Min, limits.Min + 1, (limits.Min + limits.Max) / 2, limits.Max} {
		if n >= max(1, limits.Min) && n <= limits.Max {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
