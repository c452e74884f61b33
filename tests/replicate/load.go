package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing/fstest"
	"time"

	"trimtab/internal/policy"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/policies"
)

//go:embed pools
var pools embed.FS

// own is a pool of this folder under the shipped library.
func own(ctx context.Context, name string) (replay.Policy, error) {
	tree := fstest.MapFS{}
	for _, from := range []fs.FS{policies.FS, pools} {
		err := fs.WalkDir(from, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.HasPrefix(path, "pools/") && !strings.HasPrefix(path, "pools/"+name+"/") {
				return err
			}
			data, err := fs.ReadFile(from, path)
			tree[path] = &fstest.MapFile{Data: data}
			return err
		})
		if err != nil {
			return replay.Policy{}, err
		}
	}
	bundle, err := policy.Load(ctx, tree)
	if err != nil {
		return replay.Policy{}, fmt.Errorf("pool %s: %w", name, err)
	}
	return replay.Policy{Name: name, Kind: replay.Candidate, Pool: bundle.Pools[0], Policy: bundle}, nil
}

// loads are real courses of load, too large for the project, with the columns to read.
var loads = []struct{ file, value string }{
	{"app-metrics/crane_input0.csv", ""},
	{"app-metrics/crane_input2.csv", ""},
	{"app-metrics/crane_input3.csv", ""},
	{"app-metrics/crane_input4.csv", ""},
	{"app-metrics/crane_input6.csv", ""},
	{"app-metrics/crane_input10.csv", ""},
	{"app-metrics/crane_input14.csv", ""},
	{"app-metrics/crane_input15.csv", ""},
	{"cloudwatch/nab_elb_request_count_8c0756.csv", ""},
	{"events/nab_Twitter_volume_AAPL.csv", ""},
	{"events/nab_Twitter_volume_FB.csv", ""},
	{"datacenter/azure_v2_month_300s.csv", "cpu_usage"},
	{"vm-arrivals/azure_v1_vm_requests_5min_days0-24.csv", "vms"},
}

// loadSpan is how much of each course is replayed.
const loadSpan = 14 * 24 * time.Hour

// compareLoads holds target tracking against HPA's defaults and Azure's threshold rules on real load.
func (s *setup) compareLoads(w io.Writer) error {
	candidate, err := own(s.ctx, "tracking")
	if err != nil {
		return err
	}
	world := replay.DefaultWorld()
	world.Spot.Model = "never"
	world.Signals = map[string]replay.Sensor{"requests": {Kind: "per_instance", Full: 150, DelaySeconds: 60}}
	o := replay.Options{
		Policies: []replay.Policy{candidate}, Baselines: []string{"foresight", "hpa", "azure_rules"}, World: world, Seeds: 1, First: s.seed,
		Workers: runtime.GOMAXPROCS(0), NoSeries: true,
	}
	var missing []string
	for _, l := range loads {
		data, err := os.ReadFile(filepath.Join(s.shared, l.file))
		if err != nil {
			missing = append(missing, l.file)
			continue
		}
		t, err := trace.ReadCSV(strings.TrimSuffix(filepath.Base(l.file), ".csv"), data, trace.CSVOptions{
			Value: l.value, Origin: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			return err
		}
		if t, err = t.Cut(0, loadSpan); err != nil {
			return err
		}
		o.Traces = append(o.Traces, t)
	}
	fmt.Fprintf(w, "\nTarget tracking (processor and requests at 60 %%) on real load, up to %d days each, all regular, at most 45 needed\n",
		int(loadSpan.Hours()/24))
	for _, f := range missing {
		fmt.Fprintf(w, "  missing: %s is not in %s; it is too large for the project, and nothing is said about it\n", f, s.shared)
	}
	if len(o.Traces) == 0 {
		fmt.Fprintln(w, "  no course of load is at hand: nothing was compared")
		return nil
	}
	r, err := replay.ClosedLoop(s.ctx, o)
	if err != nil {
		return err
	}
	return tellLoads(w, r)
}

// tellLoads prints a line for each trace.
func tellLoads(w io.Writer, r *replay.Result) error {
	value := func(policy, trace, measure string) float64 {
		for i := range r.Runs {
			if r.Runs[i].Policy == policy && r.Runs[i].Trace == trace {
				return r.Runs[i].Values[measure]
			}
		}
		return 0
	}
	fmt.Fprintf(w, "  %-38s %22s %22s %22s  %-10s %-10s\n", "cost of foresight % / unmet %", "target tracking", "hpa", "azure_rules", "hpa", "azure")
	better := map[string]int{}
	for _, t := range r.Traces {
		line := fmt.Sprintf("  %-38s", t.Name)
		for _, p := range []string{"tracking", "hpa", "azure_rules"} {
			line += fmt.Sprintf(" %14.0f / %5.2f", value(p, t.Name, "cost_vs_foresight"), value(p, t.Name, "unmet_demand"))
		}
		line += " "
		for _, p := range []string{"hpa", "azure_rules"} {
			v := replay.VerdictOf(value("tracking", t.Name, "cost"), value(p, t.Name, "cost"),
				value("tracking", t.Name, "unmet_demand"), value(p, t.Name, "unmet_demand"))
			if v == replay.Better || v == replay.Same {
				better[p]++
			}
			line += fmt.Sprintf(" %-10s", v)
		}
		fmt.Fprintln(w, line)
	}
	tellCases(w, r)
	fmt.Fprintf(w, "  loads: traces=%d not_worse_than_hpa=%d not_worse_than_azure_rules=%d; a trade is less of one at more of the other\n",
		len(r.Traces), better["hpa"], better["azure_rules"])
	return nil
}

// tellCases says why target tracking is not on the better side where it is not.
func tellCases(w io.Writer, r *replay.Result) {
	for _, v := range r.Verdicts {
		for _, c := range v.Cases {
			fmt.Fprintf(w, "  %s, %s against %s: %s\n", c.Trace, c.Verdict, v.Against, c.Why)
		}
	}
}
