package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"trimtab/internal/replay"
)

func TestReplayReadsPricesAndLearnsDelays(t *testing.T) {
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	var lines strings.Builder
	for i := range 60 {
		if i%6 == 5 {
			continue
		}
		at := start.Add(time.Duration(i) * time.Minute)
		body := fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":"Percentage CPU","time":%q,"grain":"PT1M","value":50}`, webSet, at.Format(time.RFC3339))
		fmt.Fprintf(&lines, "{\"partition\":\"0\",\"sequence\":%d,\"enqueued_at\":%q,\"body\":%q}\n",
			i, at.Add(time.Minute+time.Duration(100+i)*time.Second).Format(time.RFC3339), body)
	}
	delays := write(t, "events.jsonl", lines.String())
	list := write(t, "list.csv", "region,sku,usd_per_hour\nwesteurope,Standard_D4s_v5,0.2\n")
	course := write(t, "prices.csv", "elapsed_s,regular,spot\n0,0.2,0.05\n3600,0.2,0.08\n")
	args := []string{"replay", "embedded", "--pool", "web", "--on", "constant,days=0.1", "--baselines", "static_peak"}
	result := func(more ...string) map[string]replay.Assumption {
		t.Helper()
		code, out, errs := call(t, nil, append(append(args, "--json"), more...)...)
		var r replay.Result
		if err := json.Unmarshal([]byte(out), &r); code != exitDone || err != nil {
			t.Fatalf("exit %d, %v: %s", code, err, errs)
		}
		all := map[string]replay.Assumption{}
		for _, a := range r.Assumptions {
			all[a.Name] = a
		}
		return all
	}
	told := result("--delays", delays, "--prices", list, "--region", "westeurope", "--size", "Standard_D4s_v5")
	// Delays are 100 s to 158 s, and of 59 minutes 50 came.
	cpu := told["signal.cpu"]
	for _, part := range []string{"100 s to 158 s", "15.25", "50 samples of events.jsonl"} {
		if !strings.Contains(cpu.Value.(string)+cpu.About, part) {
			t.Errorf("the assumption on cpu does not say %q: %+v", part, cpu)
		}
	}
	if told["price_regular"].Value != 0.2 || told["price_regular"].Unit != "USD/h" || told["price_spot"].Value != 0.06 {
		t.Errorf("prices are %+v and %+v", told["price_regular"], told["price_spot"])
	}
	if told = result("--prices", course); told["price_spot"].Value != "0.05 to 0.08" || !strings.Contains(told["price_spot"].About, "prices.csv") {
		t.Errorf("prices are %+v", told["price_spot"])
	}
	zones := write(t, "zones.csv", "elapsed_s,a,b\n0,1,0\n600,0,1\n")
	if told = result("--spot", zones); told["spot_trace"].Value != "zones.csv" || told["spot_zones"].Value != "a, b" {
		t.Errorf("Spot is %+v in %+v", told["spot_trace"], told["spot_zones"])
	}
	probes := write(t, "west-1.raw.json", `{"metadata": {"gap_seconds": 600}, "data": [0, 0, 1, 0]}`)
	if told = result("--spot", probes); told["spot_model"].Value != "trace" || told["spot_zones"].Value != "west-1" {
		t.Errorf("Spot is %+v in %+v", told["spot_model"], told["spot_zones"])
	}
	for _, c := range []struct {
		note string
		args []string
		says string
	}{
		{"a list without a choice", []string{"--prices", list}, "--region and --size"},
		{"a choice without a list", []string{"--region", "westeurope"}, "--prices names its file"},
		{"a region that is not there", []string{"--prices", list, "--region", "west", "--size", "Standard_D4s_v5"}, `no region "west"`},
		{"a recording that is none", []string{"--delays", list}, "trimtab record"},
		{"a recording of other pools", []string{"--delays", write(t, "o.jsonl", strings.ReplaceAll(lines.String(), "/web", "/other"))}, "cpu, requests"},
	} {
		if code, _, errs := call(t, nil, append(args, c.args...)...); code != exitFailed || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit %d, %s; want it to say %q", c.note, code, errs, c.says)
		}
	}
}
