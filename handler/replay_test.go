package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/replay"
	"trimtab/internal/scale"
	"trimtab/policies"
)

func TestReplayComparesAPolicyWithBaselines(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("minute,load\n")
	for m := range 180 {
		rows.WriteString(strings.Join([]string{jsonNumber(m), jsonNumber(20 + m/3)}, ",") + "\n")
	}
	load := write(t, "load.csv", rows.String())
	world := write(t, "world.json", `{"capacity": 4, "spot": {"model": "never"}}`)
	page := filepath.Join(t.TempDir(), "report.html")
	code, out, errs := call(t, nil, "replay", "embedded", "--pool", "web", "--on", load, "--unit", "min", "--world", world,
		"--baselines", "hpa", "--json", "--html", page)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var r replay.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != 2 || r.Loop != replay.Closed || r.Traces[0].Steps != 180 || r.Traces[0].PeakInstances != 25 || r.Traces[0].Scale != 0.25 {
		t.Errorf("%d runs, %s loop, %+v", len(r.Runs), r.Loop, r.Traces)
	}
	if errs != "" {
		t.Errorf("stderr is no terminal, and has %q", errs)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "unmet") {
		t.Errorf("the report: %d bytes, %v", len(text), err)
	}
	code, out, errs = call(t, nil, "replay", "embedded", "--pool", "web", "--on", load, "--unit", "min", "--world", world)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range append(replay.Baselines(), "closed loop", "verdicts", "assumptions:", "spot_model: never") {
		if !strings.Contains(out, want) {
			t.Errorf("the summary does not have %q:\n%s", want, out)
		}
	}
}

func jsonNumber(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestReplayGateFailsWhatIsWorseThanToday(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../policies")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "pools", "web", "data.json")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	wasteful := strings.Replace(string(text), `"cpu_percent": 60`, `"cpu_percent": 20`, 1)
	if err := os.WriteFile(name, []byte(wasteful), 0o600); err != nil {
		t.Fatal(err)
	}
	world := write(t, "world.json", `{"peak_instances": 12, "spot": {"model": "never"}}`)
	args := []string{
		"replay", "--world", world, "new=" + dir, "--today", "embedded", "--pool", "web", "--on", "constant,days=0.1", "--baselines", "none", "--gate",
	}
	if code, out, errs := call(t, nil, append(args, "cost=10")...); code != exitFailed || !strings.Contains(out, "NOT KEPT by new") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	if code, out, errs := call(t, nil, append(args, "cost=1000")...); code != exitDone || !strings.Contains(out, "gate cost: kept") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	if code, _, errs := call(t, nil, append(args, "colour=1")...); code != exitFailed || !strings.Contains(errs, "unmet_demand") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, c := range []struct {
		note string
		args []string
		says string
	}{
		{"no trace", []string{"embedded", "--pool", "web"}, "--on"},
		{"a folder that is not there", []string{"nowhere", "--on", "step"}, "folder of policies"},
		{"several pools and none chosen", []string{"embedded", "--on", "step"}, "has the pools"},
		{"a trace of no known kind", []string{"embedded", "--pool", "web", "--on", "load.txt"}, "generator"},
		{"a baseline that is not there", []string{"embedded", "--pool", "web", "--on", "step", "--baselines", "magic"}, "no baseline"},
		{"a gate without a policy of today", []string{"embedded", "--pool", "web", "--on", "step,days=0.01", "--gate", "cost=1"}, "today"},
		{"an open loop on what is no journal", []string{"embedded", "--pool", "web", "--on", "nothing.jsonl", "--open"}, "nothing.jsonl"},
	} {
		if code, _, errs := call(t, nil, append([]string{"replay"}, c.args...)...); code != exitFailed || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit %d, %q; want something that says %q", c.note, code, errs, c.says)
		}
	}
}

func TestReplayDecidesTheLedgersJournalAgain(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"TRIMTAB_LEDGER=file:" + dir}
	file, err := ledger.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := policy.Load(t.Context(), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for i := range 20 {
		entry := recordedEntry(t, bundle, at.Add(time.Duration(i)*time.Minute), 5+i/4)
		if err := file.Commit(t.Context(), "web", scale.Commit{Attempt: "a" + jsonNumber(i), Entry: entry}); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"replay", "embedded", "--pool", "web", "--on", "ledger"}
	if code, out, errs := call(t, environ, append(args, "--open", "--as-recorded")...); code != exitDone ||
		!strings.Contains(out, "20 entries: 20 decided the same bit for bit") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	code, out, errs := call(t, environ, append(args, "--baselines", "none", "--json", "--no-series")...)
	var r replay.Result
	if err := json.Unmarshal([]byte(out), &r); code != exitDone || err != nil {
		t.Fatalf("exit %d, %v, %s", code, err, errs)
	}
	// The folder's own journal is one too, and with entries of another pool among them the load is the pool's own.
	journal, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := *recordedEntry(t, bundle, at.Add(5*time.Minute), 40)
	foreign.Pool = "batch"
	line, err := json.Marshal(foreign)
	if err != nil {
		t.Fatal(err)
	}
	done := fmt.Sprintf(`{"pool":"batch","outcome":{"entry":%q,"at":"2026-05-04T09:06:00Z","result":"applied"}}`, foreign.Key)
	both := write(t, "both.jsonl", string(journal)+string(line)+"\n"+done+"\n")
	// Next to the journal, whose load is in instances already, another trace keeps its own scale.
	code, out, errs = call(t, nil, "replay", "embedded", "--pool", "web", "--on", both, "--on", "constant,days=0.01", "--baselines", "none",
		"--json", "--no-series")
	var mixed replay.Result
	if err := json.Unmarshal([]byte(out), &mixed); code != exitDone || err != nil {
		t.Fatalf("exit %d, %v, %s", code, err, errs)
	}
	if got := mixed.Traces[0]; got.Steps != 20 || got.PeakInstances != 7 || got.Scale != 1 {
		t.Errorf("the load of a journal of two pools is not that of the pool asked for: %+v", got)
	}
	if got := mixed.Traces[1]; got.PeakInstances != 45 {
		t.Errorf("beside a journal a trace needs %d instances at its peak; want three quarters of the maximum, 45", got.PeakInstances)
	}
	only := write(t, "only.jsonl", string(line)+"\n")
	if code, _, errs := call(t, nil, "replay", "embedded", "--pool", "web", "--on", only); code != exitFailed || !strings.Contains(errs, "batch") {
		t.Errorf("a journal of another pool: exit %d, %s", code, errs)
	}
	// A demand of 9 instances at a processor of 60 per cent is 5.4 at their capacity, and needs 7 within 80 per cent.
	if r.Traces[0].Steps != 20 || r.Traces[0].PeakInstances != 7 || r.Traces[0].Scale != 1 {
		t.Errorf("got %+v", r.Traces)
	}
}

// recordedEntry is an entry of the web pool with a load of so many instances at a processor of 60 per cent.
func recordedEntry(t *testing.T, bundle *policy.Bundle, at time.Time, load int) *scale.Entry {
	t.Helper()
	view := scale.View{
		Version: scale.ViewVersion, Now: at, Pool: "web", Policy: "web", Mode: scale.Observe, Orchestration: scale.Flexible,
		FactsMaxAgeSeconds: 300, Settings: json.RawMessage(`{}`),
		Facts: scale.Facts{
			ReadAt: at, Capacity: 6, ETag: `"1"`, ProvisioningState: "Succeeded", Orchestration: scale.Flexible, PlatformMax: 1000,
		},
		Signals: map[string]scale.SignalView{"cpu": {
			State: scale.SignalFresh, HasDemand: true, Demand: scale.Milli(load * 60_000), NewestAt: at, Buckets: 5, Expected: 5,
		}},
	}
	for i := range bundle.Pools {
		if bundle.Pools[i].Name == "web" {
			view.Rails, view.Settings = bundle.Pools[i].Rails, bundle.Pools[i].Settings
		}
	}
	e := &scale.Entry{
		Version: scale.EntryVersion, Pool: "web", At: at, View: view,
		Key: fmt.Sprintf("%019d-%016x", math.MaxInt64-at.UnixNano(), load),
	}
	e.Proposal, e.Decision = engine.Redecide(t.Context(), bundle, &view)
	return e
}
