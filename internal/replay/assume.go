package replay

import (
	"fmt"
	"strings"

	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// assumptions list all of the world, with its values.
func (w *World) assumptions(policies []Policy, traces []*trace.Series, seeds int, first uint64) []Assumption {
	pool := &policies[0].Pool
	all := []Assumption{
		{"step", w.StepSeconds, "s", "Length of a step; evictions and loads change, samples are taken and decisions made at its ends."},
		{"load", "held", "", "Between two values of the trace the load is that of the earlier."},
		{"objective", w.ObjectivePercent, "%", "Utilisation up to which the service keeps its objective: an instance is needed for so much of its capacity."},
	}
	known := 0
	for _, t := range traces {
		if t.Capacity > 0 {
			known++
		}
	}
	if known > 0 {
		all = append(all, Assumption{"journal_load", "as recorded", "", "The load of a journal is in instances at their capacity already, and is not scaled."})
	}
	switch {
	case known > 0 && known == len(traces):
	case w.Capacity > 0:
		all = append(all, Assumption{"capacity", w.Capacity, "of the trace's unit", "What one instance carries when it is fully used."})
	case w.PeakInstances > 0:
		all = append(all, Assumption{"peak", w.PeakInstances, "instances", "The trace is scaled so that its largest value needs so many."})
	default:
		all = append(all, Assumption{"peak", max(1, 0.75*float64(pool.Rails.Limits.Max)), "instances", "The trace is scaled so that its largest value needs so many: three quarters of the pool's maximum."})
	}
	queue := any(w.QueueSeconds)
	if w.QueueSeconds < 0 {
		queue = "without end"
	}
	all = append(all,
		Assumption{"queue", queue, "s", "How much work may wait, in seconds of what the instances in service carry; more is lost. Waiting work is served first and counts into utilisation."},
		Assumption{"limits", fmt.Sprintf("%d to %d", pool.Rails.Limits.Min, pool.Rails.Limits.Max), "instances", "The pool's limits, kept by the built-in baselines too; one that was imported keeps its own."},
		Assumption{"groups", groupText(pool), "", "Of the pool's groups; their other pools are not replayed, and take nothing."},
		Assumption{"mode", "enforce", "", "Whatever the pool's definition says, its decisions are carried out."},
		Assumption{"start", startText(w), "instances", "What is in service when the run begins, all regular."},
		Assumption{"boot_median", w.Boot.MedianSeconds, "s", "From the order of an instance to the end of the operation: lognormal."},
		Assumption{"boot_p95", w.Boot.P95Seconds, "s", "Its 95th percentile."},
		Assumption{"boot_max", w.Boot.MaxSeconds, "s", "Its longest."},
		Assumption{"boot_fail", w.BootFailPercent, "%", "Boots that fail and are tried once more by the platform."},
		Assumption{"service_start", w.StartSeconds, "s", "From there until the instance takes load."},
		Assumption{"delete", w.DeleteSeconds, "s", "A removed instance serves no more at once, and is paid for so long."},
	)
	all = append(all, w.heard(policies)...)
	all = append(all, w.Spot.assumptions()...)
	all = append(all, w.Prices.assumptions()...)
	return append(all,
		Assumption{"quota_regular", limitText(w.QuotaRegular), "instances", "Quota of the subscription."},
		Assumption{"quota_spot", limitText(w.QuotaSpot), "instances", "Quota for Spot, which is apart."},
		Assumption{"hpa_target", w.TargetPercent, "%", "Utilisation that the baselines hpa and naive_spot track."},
		Assumption{"baseline_delay", "that of the pool's first signal", "", "How late the baselines see the utilisation."},
		Assumption{"seeds", max(1, seeds), "", fmt.Sprintf("Runs on each trace; the first has seed %d. What chance does to signals, boots and Spot depends on the seed.", first)},
		Assumption{"flap", flapWithin.Minutes(), "min", "A change of the count that follows one in the other direction within this time is a flap."},
	)
}

// heard says how each signal comes about: of the first policy by its name, of others where they hear something else.
func (w *World) heard(policies []Policy) (all []Assumption) {
	told := map[string]string{}
	like := &policies[0].Pool
	for i := range policies {
		p := &policies[i]
		for k, s := range w.sensors(&p.Pool, like) {
			name, text := "signal."+p.Pool.Signals[k].Name, s.text()
			if told[name] == text {
				continue
			}
			if i > 0 {
				name += " (" + p.Name + ")"
			} else {
				told[name] = text
			}
			all = append(all, Assumption{name, text, "", strings.TrimSpace("How the signal comes about. " + s.why)})
		}
	}
	return all
}

func groupText(pool *scale.Pool) any {
	var names []string
	for i := range pool.Groups {
		names = append(names, pool.Groups[i].Group)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func startText(w *World) any {
	if w.StartInstances > 0 {
		return w.StartInstances
	}
	return "what the first load needs"
}

func limitText(n int) any {
	if n == 0 {
		return "none"
	}
	return n
}

// text is a sensor in one line.
func (s Sensor) text() string {
	text := s.Kind
	if s.Kind == "none" {
		return text
	}
	text += fmt.Sprintf(", %g for one instance at its capacity", s.Full)
	if n := len(s.DelayQuantiles); n > 0 {
		text += fmt.Sprintf(", %g s late in the middle, %g s to %g s at the ends", s.lag(), s.DelayQuantiles[0], s.DelayQuantiles[n-1])
		return text + fmt.Sprintf(", %g %% lost, noise %g %%", s.LossPercent, s.NoisePercent)
	}
	text += fmt.Sprintf(", %g s late", s.DelaySeconds)
	if s.JitterSeconds > 0 {
		text += fmt.Sprintf(" and up to %g s more", s.JitterSeconds)
	}
	return text + fmt.Sprintf(", %g %% lost, noise %g %%", s.LossPercent, s.NoisePercent)
}

func (m *SpotMarket) assumptions() []Assumption {
	all := []Assumption{{"spot_model", m.Model, "", map[string]string{
		"always": "Spot can always be had and nothing is evicted.",
		"never":  "There is no Spot: every instance is regular.",
		"trace":  "What each zone carries follows a recorded trace, begun at an offset that the seed draws; what is above it is evicted at once, the youngest first.",
		"markov": "Each zone has Spot for exponentially distributed times and none for others; when it ends, all of the zone is evicted at once.",
	}[m.Model]}}
	switch m.Model {
	case "trace":
		all = append(all,
			Assumption{"spot_trace", m.trace.Name, "", "The trace of availability."},
			Assumption{"spot_zones", strings.Join(m.Zones, ", "), "", "Its zones."})
	case "markov":
		all = append(all,
			Assumption{"spot_up", m.UpHours, "h", "Mean time for which a zone has Spot."},
			Assumption{"spot_down", m.DownHours, "h", "Mean time for which it has none."})
	}
	if m.Model != "trace" {
		all = append(all, Assumption{"zones", m.Count, "", "Zones that instances are spread over, the emptiest first."})
	}
	return append(all,
		Assumption{"eviction_notice", m.NoticeSeconds, "s", "Notice before an eviction, of which whole steps count: it is heard at the end of the step in which it is given, a shorter one with the eviction. Nothing of an evicted instance's load is saved by it."},
		Assumption{"eviction_lowers_count", m.EvictionLowers, "", "Whether evicted instances leave the nominal count."},
		Assumption{"missed_stay_in_count", m.MissedStays, "", "Whether Spot that could not be had stays in the nominal count."})
}
