package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// The worked web pool as it is measured: four signals of thirty buckets each, a floor by schedule, and a split.
const (
	workedPolicy = `package pools.web

import data.lib.mix
import data.lib.scale
import data.lib.schedule

want contains scale.track("cpu", {"target": input.settings.cpu_percent, "tolerance": 0.1})

want contains scale.track("requests", {"target": input.settings.requests_per_instance})

want contains scale.track("memory", {"target": input.settings.memory_percent})

want contains scale.track("connections", {"target": input.settings.connections_per_instance, "tolerance": 0.2})

want contains schedule.at_least("office_hours", input.settings.office_instances)

blend := mix.split({"base": 2, "regular_percent": 25})
`
	workedPool = `{"pool": {
  "scale_set": "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web",
  "orchestration": "flexible",
  "limits": {"min": 3, "max": 60, "default": 6},
  "signals": {
    "cpu": {"metric": "Percentage CPU", "unit": "percent", "window_seconds": 1800, "bucket_seconds": 60},
    "requests": {"metric": "Requests Per Second", "unit": "requests/s", "window_seconds": 1800, "bucket_seconds": 60},
    "memory": {"metric": "Memory Percentage", "unit": "percent", "window_seconds": 1800, "bucket_seconds": 60},
    "connections": {"metric": "Open Connections", "unit": "connections", "window_seconds": 1800, "bucket_seconds": 60}
  },
  "schedules": {"office_hours": {"days": "Mon-Fri", "from": "07:30", "to": "19:00", "zone": "Europe/Berlin"}},
  "labels": {"owner": "shop-team", "tier": "web"},
  "settings": {
    "cpu_percent": 60, "requests_per_instance": 120, "memory_percent": 70, "connections_per_instance": 400,
    "office_instances": 6
  }
}}`
)

// touches is how many views the benchmarks walk through: each differs from the one before in its instant and in all its
// signals, so that every decision is one about a pool that was touched. What has not moved is not decided at all
// (BenchmarkUntouched).
const touches = 16

func worked(t testing.TB) (fs.FS, *policy.Bundle, []*scale.View) {
	t.Helper()
	files := with(t, map[string]string{"pools/web/web.rego": workedPolicy, "pools/web/data.json": workedPool})
	bundle, err := policy.Load(context.Background(), files)
	if err != nil {
		t.Fatal(err)
	}
	views := make([]*scale.View, touches)
	for i := range views {
		v := viewOf(poolNamed(t, bundle, "web"))
		v.Now = v.Now.Add(time.Duration(i) * time.Second)
		for j, name := range []string{"cpu", "requests", "memory", "connections"} {
			s := signal(scale.Milli(400_000+1_000*i+7*j), 5)
			s.Buckets, s.Expected = 30, 30
			v.Signals[name] = s
		}
		views[i] = v
	}
	return files, bundle, views
}

// BenchmarkDecision is one decision of the worked web pool when its inputs have moved.
func BenchmarkDecision(b *testing.B) {
	_, bundle, views := worked(b)
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if p := bundle.Propose(ctx, views[i%touches]); p.Instances != 7 {
			b.Fatalf("%+v", p)
		}
	}
}

// BenchmarkEmbedding is the same policy on the same views in the obvious embedding: a prepared query, the whole view
// with its buckets as a map through EvalInput, default options, the result as a map. Both begin with a view and end with
// a number of instances.
func BenchmarkEmbedding(b *testing.B) {
	files, _, views := worked(b)
	query := embedding(b, files)
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		results, err := query.Eval(ctx, rego.EvalInput(withBuckets(views[i%touches])))
		if err != nil || wanted(results) != 7 {
			b.Fatal(results, err)
		}
	}
}

// BenchmarkServer is the same policy on the same views, asked of OPA's own server on loopback over one connection that is
// kept open. It runs where TRIMTAB_BENCH_OPA names the opa program, as `make bench` does.
func BenchmarkServer(b *testing.B) {
	program := os.Getenv("TRIMTAB_BENCH_OPA")
	if program == "" {
		b.Skip("TRIMTAB_BENCH_OPA names no opa program; make bench builds one")
	}
	files, _, views := worked(b)
	url := startOPA(b, program, files) + "/v1/data/main/proposal"
	for i := 0; b.Loop(); i++ {
		body, err := json.Marshal(map[string]any{"input": withBuckets(views[i%touches])})
		if err != nil {
			b.Fatal(err)
		}
		response, err := http.Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		var answer struct {
			Result struct {
				Want []struct{ Instances int }
			}
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		if errors.Join(err, response.Body.Close()) != nil || len(answer.Result.Want) != 5 {
			b.Fatal(err, answer)
		}
	}
}

// startOPA serves a tree until the benchmark ends, and answers the server's address.
func startOPA(b *testing.B, program string, files fs.FS) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		b.Fatal(err)
	}
	server := exec.Command(program, "run", "--server", "--addr", address, "--log-level", "error", "--disable-telemetry", ".")
	server.Dir = dir
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/health")
		if err == nil {
			_ = response.Body.Close()
			return "http://" + address
		}
		if time.Now().After(end) {
			b.Fatalf("opa does not answer: %v", err)
		}
	}
}

// withBuckets is the document of a view with thirty buckets for each signal: a bucket is its instant, the mean and the
// number of samples.
func withBuckets(v *scale.View) map[string]any {
	d := document(v)
	for name, s := range v.Signals {
		buckets := make([]any, 30)
		for i := range buckets {
			buckets[i] = map[string]any{
				"at": v.Now.Unix() - int64(60*i), "average_milli": int64(s.Average) + int64(i), "count": 5,
			}
		}
		d["signals"].(map[string]any)[name].(map[string]any)["recent"] = buckets
	}
	return d
}

// BenchmarkPlainGo is the same arithmetic in Go, reasons and blend included.
func BenchmarkPlainGo(b *testing.B) {
	_, _, views := worked(b)
	view := views[0]
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

func embedding(t testing.TB, files fs.FS) rego.PreparedEvalQuery {
	t.Helper()
	options := []func(*rego.Rego){
		rego.Query("data.main.proposal"), rego.Store(inmem.NewFromObject(map[string]any{})),
	}
	err := fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".rego") || strings.HasSuffix(p, "_test.rego") {
			return err
		}
		src, err := fs.ReadFile(files, p)
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
		if s.Missed > 0 {
			m["missed"] = s.Missed
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
		if s.Dated {
			m["dated"] = true
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
		"spot":      interruptible(v.Spot),
		"spending":  spending(v.Spending),
		"groups":    groups(v.Groups),
	}
}

func groups(all map[string]scale.GroupView) map[string]any {
	m := map[string]any{}
	sum := func(s scale.Sum) map[string]any {
		return map[string]any{"vcpus": s.VCPUs, "per_hour_micro": s.PerHourMicro}
	}
	for name, g := range all {
		m[name] = map[string]any{
			"each": sum(g.Each), "present": sum(g.Present), "above": sum(g.Above), "below": sum(g.Below), "others": g.Others,
			"silent": g.Silent, "spent_micro": g.SpentMicro, "remaining_seconds": g.RemainingSeconds, "uncounted": g.Uncounted,
		}
	}
	return m
}

// spending is what was spent.
func spending(s *scale.SpendingView) any {
	if s == nil {
		return nil
	}
	return map[string]any{
		"known": s.Known, "spent_micro": s.SpentMicro, "guessed_micro": s.GuessedMicro, "unwatched_seconds": s.UnwatchedSeconds,
		"remaining_seconds": s.RemainingSeconds, "period_seconds": s.PeriodSeconds, "rate_micro": s.RateMicro,
		"regular_micro": s.RegularMicro, "spot_micro": s.SpotMicro,
	}
}

// interruptible is what is known of Spot.
func interruptible(s *scale.SpotView) any {
	if s == nil {
		return nil
	}
	m := map[string]any{
		"missing": s.Missing, "blocked": s.Blocked, "quiet_seconds": nil, "changed_seconds": nil, "evicted": s.Evicted,
		"rate_permille": s.RatePermille, "floor": nil, "whole_seconds": nil, "served_seconds": s.ServedSeconds,
		"seen_seconds": s.SeenSeconds,
	}
	if s.WholeSeconds != scale.Never {
		m["whole_seconds"] = s.WholeSeconds
	}
	if s.QuietSeconds != scale.Never {
		m["quiet_seconds"] = s.QuietSeconds
	}
	if s.ChangedSeconds != scale.Never {
		m["changed_seconds"] = s.ChangedSeconds
	}
	if s.Floor != nil {
		m["floor"] = *s.Floor
	}
	return m
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
	Memory   int64 `json:"memory_percent"`
	Open     int64 `json:"connections_per_instance"`
}

func plain(v *scale.View, s webSettings) scale.Proposal {
	p := scale.Proposal{Reasons: []scale.Reason{
		plainTrack(v, "cpu", s.CPU*1000, 100, 100),
		plainTrack(v, "requests", s.Requests*1000, 100, 100),
		plainTrack(v, "memory", s.Memory*1000, 100, 100),
		plainTrack(v, "connections", s.Open*1000, 200, 200),
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
