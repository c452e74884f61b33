package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// BenchmarkDecision is one decision of the worked web pool.
func BenchmarkDecision(b *testing.B) {
	bundle := shipped(b)
	view := viewOf(poolNamed(b, bundle, "web"))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if p := bundle.Propose(ctx, view); p.Instances != 7 {
			b.Fatalf("%+v", p)
		}
	}
}

// BenchmarkEmbedding is the same policy on the same view in the obvious embedding: the document as a map through
// EvalInput, default options, the result as a map.
func BenchmarkEmbedding(b *testing.B) {
	query := embedding(b)
	bundle := shipped(b)
	view := viewOf(poolNamed(b, bundle, "web"))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		results, err := query.Eval(ctx, rego.EvalInput(document(view)))
		if err != nil || wanted(results) != 7 {
			b.Fatal(results, err)
		}
	}
}

// BenchmarkPlainGo is the same arithmetic in Go, reasons and blend included.
func BenchmarkPlainGo(b *testing.B) {
	bundle := shipped(b)
	view := viewOf(poolNamed(b, bundle, "web"))
	var settings webSettings
	if err := json.Unmarshal(view.Settings, &settings); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if p := plain(view, settings); p.Instances != 7 {
			b.Fatalf("%+v", p)
		}
	}
}

// BenchmarkLoad compiles the shipped tree and decides once.
func BenchmarkLoad(b *testing.B) {
	ctx := context.Background()
	view := viewOf(poolNamed(b, shipped(b), "web"))
	b.ReportAllocs()
	for b.Loop() {
		bundle, err := policy.Load(ctx, policies.FS)
		if err != nil {
			b.Fatal(err)
		}
		if p := bundle.Propose(ctx, view); p.Fault != "" {
			b.Fatal(p.Fault)
		}
	}
}

func embedding(t testing.TB) rego.PreparedEvalQuery {
	t.Helper()
	options := []func(*rego.Rego){
		rego.Query("data.main.proposal"), rego.Store(inmem.NewFromObject(map[string]any{})),
	}
	err := fs.WalkDir(policies.FS, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".rego") || strings.HasSuffix(p, "_test.rego") {
			return err
		}
		src, err := fs.ReadFile(policies.FS, p)
		options = append(options, rego.Module(p, string(src)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return query
}

func wanted(results rego.ResultSet) (n int) {
	if len(results) != 1 {
		return 0
	}
	proposal, _ := results[0].Expressions[0].Value.(map[string]any)
	want, _ := proposal["want"].([]any)
	for _, w := range want {
		reason, _ := w.(map[string]any)
		if reason["state"] == "known" {
			i, _ := reason["instances"].(json.Number).Int64()
			n = max(n, int(i))
		}
	}
	return n
}

// document is the policy input of a view, made the plain way.
func document(v *scale.View) map[string]any {
	labels := map[string]any{}
	for k, l := range v.Labels {
		labels[k] = l
	}
	var settings map[string]any
	dec := json.NewDecoder(bytes.NewReader(v.Settings))
	dec.UseNumber()
	if err := dec.Decode(&settings); err != nil {
		settings = map[string]any{}
	}
	signals := map[string]any{}
	for name, s := range v.Signals {
		m := map[string]any{
			"state": string(s.State), "unit": s.Unit, "has_value": s.HasValue, "has_demand": s.HasDemand,
			"age_seconds": s.AgeSeconds, "buckets": s.Buckets, "expected": s.Expected,
		}
		if s.State != scale.SignalMissing {
			put := func(has bool, k string, n scale.Milli) {
				if has {
					m[k] = int64(n)
				}
			}
			put(s.HasValue, "value_milli", s.Value)
			put(s.HasDemand, "demand_milli", s.Demand)
			put(s.Has&scale.HasAverage != 0, "average_milli", s.Average)
			put(s.Has&scale.HasMinimum != 0, "minimum_milli", s.Minimum)
			put(s.Has&scale.HasMaximum != 0, "maximum_milli", s.Maximum)
			put(s.Has&scale.HasTotal != 0, "total_milli", s.Total)
			put(s.Has&scale.HasCount != 0, "count_milli", s.Count)
			put(true, "last_milli", s.Last)
		}
		outlook(m, &s)
		signals[name] = m
	}
	schedules := map[string]any{}
	for name, s := range v.Schedules {
		m := map[string]any{"active": s.Active, "seconds_left": nil}
		if !s.NextAt.IsZero() {
			m["seconds_left"] = int(s.NextAt.Sub(v.Now).Seconds())
		}
		schedules[name] = m
	}
	capacity := map[string]any{"known": false, "instances": 0, "age_seconds": 0, "mix": nil, "in_flight": nil}
	if v.Facts.Known() {
		age := int(v.Now.Sub(v.Facts.ReadAt).Seconds())
		capacity["age_seconds"] = age
		if age <= v.FactsMaxAgeSeconds {
			capacity["known"], capacity["instances"] = true, v.Facts.Capacity
			if m := v.Facts.Mix; m != nil {
				capacity["mix"] = map[string]any{"base": m.Base, "regular_percent": m.RegularPercent}
			}
		}
	}
	if v.Memory.InFlight != nil {
		capacity["in_flight"] = v.Memory.InFlight.Instances
	}
	return map[string]any{
		"version":   1,
		"now":       map[string]any{"unix_seconds": v.Now.Unix()},
		"pool":      map[string]any{"name": v.Pool, "policy": v.Policy, "mode": string(v.Mode), "labels": labels},
		"limits":    map[string]any{"min": v.Rails.Limits.Min, "max": v.Rails.Limits.Max, "default": v.Rails.Limits.Default},
		"capacity":  capacity,
		"facts":     factsDocument(v),
		"memory":    memoryDocument(v),
		"signals":   signals,
		"schedules": schedules,
		"settings":  settings,
	}
}

// outlook is what a signal has on request.
func outlook(m map[string]any, s *scale.SignalView) {
	if s.Wants&scale.WantsTrend != 0 {
		m["trend"] = nil
		if t := s.Trend; t != nil {
			trend := map[string]any{"value_milli": int64(t.Value), "age_seconds": t.AgeSeconds, "has_demand": t.HasDemand}
			if t.HasDemand {
				trend["demand_milli"] = int64(t.Demand)
			}
			m["trend"] = trend
		}
	}
	if s.Wants&scale.WantsRecent != 0 {
		recent := []any{}
		for _, milli := range s.Recent {
			recent = append(recent, int64(milli))
		}
		m["recent_milli"] = recent
	}
	if s.Wants&scale.WantsForecast != 0 {
		m["forecast"] = nil
		if f := s.Forecast; f != nil {
			forecast := map[string]any{
				"known": f.Known, "why": f.Why, "history_hours": f.HistoryHours, "lead_seconds": f.LeadSeconds,
			}
			if f.Known {
				forecast["load_milli"], forecast["margin_milli"] = int64(f.Load), int64(f.Margin)
				forecast["error_permille"], forecast["tried"] = f.ErrorPermille, f.Tried
			}
			m["forecast"] = forecast
		}
	}
}

type webSettings struct {
	CPU      int64 `json:"cpu_percent"`
	Requests int64 `json:"requests_per_instance"`
	Office   int   `json:"office_instances"`
}

func plain(v *scale.View, s webSettings) scale.Proposal {
	p := scale.Proposal{Reasons: []scale.Reason{
		plainTrack(v, "cpu", s.CPU*1000, 100, 100),
		plainTrack(v, "requests", s.Requests*1000, 100, 100),
	}}
	office := scale.Reason{Code: "schedule", Name: "office_hours", State: scale.ReasonIdle}
	if v.Schedules["office_hours"].Active {
		office.State, office.Instances = scale.ReasonKnown, s.Office
	}
	p.Reasons = append(p.Reasons, office)
	for _, r := range p.Reasons {
		if r.State == scale.ReasonKnown {
			p.Known, p.Instances = true, max(p.Instances, r.Instances)
		}
		p.Doubt = p.Doubt || r.State == scale.ReasonUnknown
	}
	p.Blend = &scale.Blend{Mix: scale.Mix{Base: 2, RegularPercent: 25}, Rounding: scale.RegularDown}
	return p
}

func plainTrack(v *scale.View, name string, target, grow, shrink int64) scale.Reason {
	r := scale.Reason{Code: "track", Name: name, State: scale.ReasonUnknown}
	s, ok := v.Signals[name]
	if !ok || s.State == scale.SignalMissing || s.State == scale.SignalStale || !s.HasDemand || !v.Facts.Known() {
		return r
	}
	load, current := int64(s.Demand), int64(v.Facts.Capacity)
	r.State, r.Instances = scale.ReasonKnown, int(current)
	if load*1000 > current*target*(1000+grow) || load*1000 < current*target*(1000-shrink) {
		r.Instances = int((max(load, 0) + target - 1) / target)
	}
	r.Numbers = map[string]int64{
		"current": current, "demand_milli": load, "target_milli": target,
		"tolerance_grow_milli": grow, "tolerance_shrink_milli": shrink,
	}
	return r
}

func evalInput(v *scale.View) rego.EvalOption { return rego.EvalInput(document(v)) }
