package main

const (
	drift   = "internal/scale/drift.go"
	lost    = "internal/guard/lost.go"
	counted = "internal/vmss/count.go"
	cleaned = "internal/guard/clean.go"
	parked  = "internal/guard/parked.go"
	looked  = "internal/scale/parked.go"
	changed = "internal/vmss/change.go"
)

var (
	zeroBelieved = edit{decide, `return n == 0 || capacities[n-1].Instances != 0 || now.Sub(capacities[n-1].At) < ZeroSettles`, `return n < 0`}
	readOnce     = edit{visit, `if err == nil && jumped(c.Facts, facts) {`, `if false {`}
)

// trapMutants are the remedies taken away. Where a trap has several remedies, a mutant takes away all that its test can see,
// because each alone would do.
var trapMutants = []trapMutant{
	{trap: 1, name: "throttled_read_taken_for_a_fresh_one", edits: []edit{{visit, `if entry.Decision.Act && !v.fresh {`, `if false {`}}},
	{trap: 2, name: "zero_in_passing_believed", edits: []edit{zeroBelieved, readOnce}},
	{trap: 2, name: "zero_believed_against_the_list_of_machines", edits: []edit{
		zeroBelieved, readOnce,
		{lost, `return f.Live != nil && f.Live.Instances > 2*f.Capacity+1`, `return false`},
		{lost, `Parked - v.Facts.Capacity; surplus > 0 {`, `Parked - v.Facts.Capacity; surplus > 1<<30 {`},
	}, in: "the_machines_are_listed"},
	{trap: 3, name: "books_kept_by_what_was_asked_for", edits: []edit{
		{drift, "\tif f.Live == nil || m.Drift == nil {\n", "\tif m.Intended != nil {\n\t\treturn m.Intended.Instances\n\t}\n\tif f.Live == nil || m.Drift == nil {\n"},
		{act, `in.Unsure, in.PollAt = true, now.Add(settle)`, `to := in.To; c.Memory.Intended = &to; in.Unsure, in.PollAt = true, now.Add(settle)`},
	}},
	{trap: 4, name: "what_was_evicted_is_not_remembered", edits: []edit{{lost, `if in == nil || in.Instances <= w.from ||`, `if in == nil || true ||`}}},
	{trap: 5, name: "retry_after_cut_short", edits: []edit{{follow, `now.Add(max(pause, f.RetryAfter))`, `now.Add(pause)`}}},
	{trap: 5, name: "retry_after_of_reads_cut_short", edits: []edit{{visit, `pause = max(pause, fe.RetryAfter)`, `pause = max(pause, 0)`}}, in: "a_read,_for_an_hour"},
	{trap: 6, name: "operation_never_followed_to_its_end", edits: []edit{{follow, "\tdefault:\n\t\te.ask(ctx, v)\n", "\tdefault:\n"}}},
	{trap: 6, name: "no_regular_machines_stand_in", edits: []edit{{"internal/guard/blend.go", `return short != nil && w.blendStandsIn()`, `return short != nil && false`}}},
	{trap: 6, name: "refusal_not_made_up_in_its_turn", edits: []edit{{visit, `v.again = !v.again && blend != nil`, `v.again = false && blend != nil`}}},
	{trap: 7, name: "quota_never_read", edits: []edit{{visit, `d.Direction == scale.Grow && e.readQuota(ctx, v)`, `d.Direction == scale.Grow && false`}}},
	{trap: 8, name: "write_without_a_condition", edits: []edit{{changed, `{IfMatch: &change.ETag}`, `{}`}}},
	{trap: 8, name: "azure_autoscale_ignored", edits: []edit{{decide, `case v.Mode == scale.Enforce && w.rival() != "":`, `case false:`}}},
	{trap: 9, name: "several_changes_under_way", edits: []edit{{rails, `if w.view.Memory.InFlight != nil && w.number != w.from {`, `if false {`}}},
	{trap: 10, name: "phantoms_not_compensated", edits: []edit{{decide, `missing := v.Facts.Capacity - w.from; missing != 0`, `missing := 0; missing != 0`}}},
	{trap: 11, name: "machines_coming_up_taken_for_missing", edits: []edit{
		{counted, "\tcase m.power == \"starting\", strings.EqualFold(m.state, \"Creating\"):\n\t\treturn pending\n", "\tcase m.power == \"starting\", strings.EqualFold(m.state, \"Creating\"):\n\t\treturn gone\n"},
	}},
	{trap: 12, name: "deallocated_machines_counted", edits: []edit{
		{counted, "\tcase m.power == \"deallocated\",", "\tcase m.power == \"\\x00\","},
	}},
	{trap: 12, name: "wait_ends_with_the_process", edits: []edit{
		{visit, "\tvar own *metric.Window\n\tversion := \"\"\n", "\tvar own *metric.Window\n\tversion := \"\"\n\tif e.attempts.Load() == 0 {\n\t\tv.control.Intent = nil\n\t}\n"},
	}},
	{name: "shrunk_on_machines_that_nobody_listed", tests: "TestNoSetOfAPairShrinksOnMachinesOfTheOtherThatNobodyListed", edits: []edit{
		{"internal/guard/pair.go", unlisted, `if false {`},
	}},
	byName("dead_after_one_read", cleaned, `return !v.Memory.SurelyDead(name, v.Now)`, `return false`),
	byName("dead_forgotten_between_reads", looked, `return ok && now.Sub(since) >= deadFor`, `return ok || now.Sub(since) >= deadFor`),
	byName("dead_of_old_not_seen_again", looked, `if !ok || since.After(now) {`, `if since = now.Add(-time.Hour); !ok && since.After(now) {`),
	byName("protected_ones_cleaned", looked, `case m.Busy || m.Protected || m.Name == "" ||`, `case m.Busy || m.Name == "" ||`),
	byName("busy_ones_cleaned", looked, `case m.Busy || m.Protected || m.Name == "" ||`, `case m.Protected || m.Name == "" ||`),
	byName("protected_ones_make_room", cleaned, `if p.Off && !p.Protected && !v`, `if p.Off && !v`),
	byName("running_ones_make_room", cleaned, `if p.Off && !p.Protected && !v.Now.Before(p.BelievedUntil) && len`, `if !p.Protected && len`),
	byName("started_by_somebody_make_room", cleaned, `!p.Protected && !v.Now.Before(p.BelievedUntil) &&`, `!p.Protected &&`),
	byName("started_ones_thought_off", looked, `			p.Off = m.Off
`, `			p.Off = p.Off || m.Off
`),
	byName("cleaned_beyond_the_budget", cleaned, `n := min(len(names), v.Memory.Drift.Sure, max(budget.Instances, budget.Percent*w.from/100, 1))`, `n := min(len(names), v.Memory.Drift.Sure)`),
	byName("cleaned_without_a_budget", cleaned, `if budget == (scale.Repair{}) ||`, `if`),
	byName("cleaned_in_doubt", cleaned, `if code, _ := doubtful(v); code != "" || w.proposal.Doubt || !w.proposal.Known {`, `if code, _ := doubtful(v); code == "never" {`),
	byName("cleaned_again_at_once", cleaned, ` || v.Now.Sub(v.Memory.CleanedAt) < seconds(v.Rails.Cooldown.MixSeconds) {`, ` {`),
	byName("cleaned_while_shrinking_is_paused", cleaned, `if o := v.Orders.PauseShrink; o.Holds(v.Now) {`, `if o := v.Orders.PauseShrink; false {`),
	byName("cleaned_beside_a_change", cleaned, `if w.number != w.from || v.Memory.InFlight != nil ||`, `if w.number != w.from ||`),
	byName("cleaned_though_not_asked", cleaned, `if asked.Evicted {`, `if true {`),
	byName("evicted_taken_for_those_stopped", looked, `case m.Off && m.Spot && !m.Stopped &&`, `case m.Off && m.Spot &&`),
	byName("started_of_the_wrong_kind", parked, `if p.Off && *left > 0 && len(names) < most {`, `if p.Off && len(names) < most {`),
	byName("started_though_they_run", parked, `if p.Off && *left > 0 && len(names) < most {`, `if *left > 0 && len(names) < most {`),
}

// unlisted is the rail that lets no set of a pair shrink on machines of the other that nobody listed.
const unlisted = `if w.view.Facts.Live != nil && p.Live == nil {`

// byName is a mutant of what names machines.
func byName(name, file, old, new string) trapMutant {
	return trapMutant{name: name, tests: "FuzzMachinesByName", room: "internal/guard", edits: []edit{{file, old, new}}}
}
