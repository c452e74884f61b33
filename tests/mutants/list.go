package main

// smoke are the mutants that every test run takes.
var smoke = []string{"no_etag", "patch_repeated", "cooldown_not_written"}

const (
	act    = "internal/engine/act.go"
	visit  = "internal/engine/visit.go"
	follow = "internal/engine/follow.go"
	facts  = "internal/engine/facts.go"
	corr   = "internal/engine/engine.go"
	deal   = "internal/engine/deal.go"
	decide = "internal/guard/guard.go"
	rails  = "internal/guard/rails.go"
	window = "internal/metric/window.go"
	stats  = "internal/metric/stats_view.go"
	table  = "tests/sim/table.go"
)

// mutants are the deliberate faults. Those in the models stand for a ledger that would break its contract.
var mutants = []mutant{
	{"no_etag", act, `scale.Change{ETag: in.BaselineETag}`, `scale.Change{}`},
	{"other_machines_deleted", act, `scale.Change{Delete: in.Victims}`, `scale.Change{Delete: in.Victims[1:]}`},
	{"machines_not_listed_shrunk_by_count", facts, "\tv.control.Facts.Victims = &scale.Victims{Names: names}\n", "\tif err != nil {\n\t\treturn false\n\t}\n\tv.control.Facts.Victims = &scale.Victims{Names: names}\n"},
	{"another_count_sent", act, `n := in.Capacity()`, `n := in.Capacity() + 1`},
	{
		"sent_before_the_intent_is_stored", visit, "\tif err := e.Ledger.Commit(ctx, v.pool.Name, commit); err != nil {",
		"\tif entry.Decision.Act {\n\t\t_, _ = e.Fleet.Change(ctx, v.pool.ScaleSet, changeOf(commit.Control.Intent))\n\t}\n" +
			"\tif err := e.Ledger.Commit(ctx, v.pool.Name, commit); err != nil {",
	},
	{
		"patch_repeated", act, "\tv.arm.note(err)\n\tvar failure *scale.FleetError",
		"\tif err != nil {\n\t\taccepted, err = e.Fleet.Change(ctx, v.pool.ScaleSet, changeOf(in))\n\t}\n\tvar failure *scale.FleetError",
	},
	{"lost_reply_taken_for_a_refusal", act, `case a.failure.Class == scale.ClassUnsure:`, `case false:`},
	{"precondition_taken_for_success", act, `case a.failure == nil:`, `case a.failure == nil || a.failure.Class == scale.ClassPrecondition:`},
	{"token_forgotten", act, `scale.StageAccepted, a.accepted.Token, now`, `scale.StageAccepted, "", now`},
	{"lease_ignored_by_the_sender", act, ` || !now.Before(in.LeaseUntil.Add(-e.Lease/2)) {`, ` {`},
	{"another_owner_s_intent_sent", act, `in == nil || in.Owner != owner || in.Stage`, `in == nil || in.Stage`},
	{"lost_patch_not_waited_for", act, `in.Unsure, in.PollAt = true, now.Add(settle)`, `in.Unsure, in.LeaseUntil, in.PollAt = true, now.Add(-settle), now`},
	{"lease_ignored_by_the_others", follow, `return in.Stage == scale.StagePrepared && now.Before(in.LeaseUntil.Add(settle))`, `return false`},
	{"operation_never_asked_about", follow, "\tdefault:\n\t\te.ask(ctx, v)\n", "\tdefault:\n"},
	{
		"expired_record_taken_for_success", follow, "\t\tin.Token = \"\"\n\t\tv.control.Intent = &in\n\t\te.compare(ctx, v)\n",
		"\t\te.finish(v, &in, scale.Applied, nil)\n",
	},
	{"failure_of_an_operation_ignored", follow, `result := scale.Failed`, `result := scale.Applied`},
	{"cooldown_given_back_when_unsure", follow, `case result == scale.Abandoned, result == scale.Refused, result == scale.Superseded && failure != nil:`, `case in.Stage == scale.StagePrepared && result != scale.Applied:`},
	{"retry_after_of_changes_ignored", follow, `now.Add(max(pause, f.RetryAfter))`, `now.Add(pause)`},
	{"retry_after_of_reads_ignored", visit, `if v.now.Before(c.FactsRetryAt) {`, `if false {`},
	{"change_on_old_facts", visit, `if entry.Decision.Act && !v.fresh {`, `if false {`},
	{"cooldown_not_written", visit, "\t\t\tm.GrownAt = v.now\n", ""},
	{
		"cooldown_cleared_by_a_restart", visit, "\tvar own *metric.Window\n\tversion := \"\"\n",
		"\tvar own *metric.Window\n\tversion := \"\"\n\tif e.attempts.Load() == 0 {\n\t\tv.control.Memory.GrownAt, v.control.Memory.ShrunkAt = time.Time{}, time.Time{}\n\t}\n",
	},
	{
		"no_entry_for_holds", visit, "\tif v.mine != nil {\n\t\tout.Windows",
		"\tif entry.Decision.Action == scale.Hold && v.mine == nil {\n\t\tout.Entry = nil\n\t}\n\tif v.mine != nil {\n\t\tout.Windows",
	},
	{"outcome_dropped", visit, `Entry: entry, Outcome: v.outcome}`, `Entry: entry}`},
	{"window_not_stored", visit, "\tif v.mine != nil {\n\t\tout.Windows", "\tif false {\n\t\tout.Windows"},
	{"window_stored_without_its_version", visit, `Data: own.AppendTo(nil), Version: version}`, `Data: own.AppendTo(nil), Version: version[:0]}`},
	{
		"view_altered_after_the_decision", visit, "\ttrigger := v.trigger\n\ttrigger.Folded",
		"\tview.Now = view.Now.Add(time.Second)\n\ttrigger := v.trigger\n\ttrigger.Folded",
	},
	{
		"secret_in_the_entry", visit, `Note: noted(v.note, v.sentBack),`,
		`Note: func() string { if v.control.Intent != nil { return v.control.Intent.Token }; return "" }(),`,
	},
	{"dead_letters_dropped", corr, `if len(letters) > 0 {`, `if false {`},
	{
		"batch_ends_at_a_malformed_event", deal, "\t\treport.Samples += len(samples)\n",
		"\t\tif len(rejected) > 0 {\n\t\t\tbreak\n\t\t}\n\t\treport.Samples += len(samples)\n",
	},
	{"answered_well_although_not_stored", corr, `return report, errors.Join(errs...)`, `return report, nil`},
	{"limit_ignored_above", rails, `case w.number > l.Max:`, `case false:`},
	{"limit_ignored_below", rails, `case w.number < l.Min:`, `case false:`},
	{"in_flight_ignored", rails, `if w.view.Memory.InFlight != nil && w.number != w.from {`, `if false {`},
	{"shrink_on_stale_signals", rails, `if code, names := doubtful(w.view); code != "" {`, `if code, names := doubtful(w.view); false {`},
	{"shrink_in_doubt", rails, `if w.proposal.Doubt || !w.proposal.Known {`, `if false {`},
	{
		"growth_waits_for_a_shrink", rails, "\tm, c, now := w.view.Memory, w.view.Rails.Cooldown, w.view.Now\n",
		"\tm, c, now := w.view.Memory, w.view.Rails.Cooldown, w.view.Now\n\tif m.ShrunkAt.After(m.GrownAt) {\n\t\tm.GrownAt = m.ShrunkAt\n\t}\n",
	},
	{"pause_ignored", rails, `case w.number > w.from && o.PauseGrow.Holds(now):`, `case false:`},
	{"freeze_ignored", decide, `case v.Orders.Freeze.Holds(v.Now):`, `case false:`},
	{"policy_at_fault_acts", decide, `case w.proposal.Fault != "":`, `case false:`},
	{"observing_pools_act", decide, `d.Act = d.Action == scale.Scale && v.Mode == scale.Enforce`, `d.Act = d.Action == scale.Scale`},
	{"zero_believed", decide, `return n == 0 || capacities[n-1].Instances != 0 || now.Sub(capacities[n-1].At) < ZeroSettles`, `return n < 0`},
	{"zero_never_believed", decide, `|| now.Sub(capacities[n-1].At) < ZeroSettles`, `|| true`},
	{"zero_of_a_pair_judged_by_both_sets", decide, `case !pair:`, `case true:`},
	{"zero_in_passing_ends_an_intent", follow, `case !reached && in.To.Instances > 0 && (guard.ZeroDoubted(`, `case !reached && in.To.Instances < 0 && (guard.ZeroDoubted(`},
	{"operation_hidden_by_an_eviction", follow, `case !reached && !over && f.ProvisioningState == "Updating":`, `case false:`},
	{"empty_set_stays_empty", decide, `case !w.proposal.Known && v.Rails.Limits.Min > w.from:`, `case false:`},
	{"folded_twice", window, `return src.Known && f.before.set && src.Sequence <= f.before.sequence && !f.past(src) && !f.relives(src)`, `return false`},
	{"missing_taken_for_zero", stats, `v := scale.SignalView{State: scale.SignalMissing,`, `v := scale.SignalView{State: scale.SignalFresh, HasValue: true, HasDemand: true,`},
	{"control_without_compare_and_set", table, `if c.Control != nil && c.ControlVersion != versionText(p.version) {`, `if false {`},
}
