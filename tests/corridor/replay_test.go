package corridor_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trimtab/internal/replay"
	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/fakehost"
)

// TestTheJournalOfServeReplaysToTheSameDecisionsBitForBit lets the built program decide on all kinds of pools (a mix whose
// regular machines stand in, a group, a pair, a signal with a forecast) over growth, shrinks, refusals, evictions, orders
// and a kill, exports its journal from Table storage, and replays every entry with the built program.
func TestTheJournalOfServeReplaysToTheSameDecisionsBitForBit(t *testing.T) {
	r := newRig(t)
	r.allKinds()
	h := r.host()
	r.eventful(h)

	file := filepath.Join(t.TempDir(), "journal.jsonl.gz")
	if out, err := r.command("journal", "--out", file); err != nil {
		t.Fatalf("journal: %v\n%s", err, out)
	}
	exported := r.exported(file)
	all := 0
	for _, pool := range []string{"web", "batch", "cheap"} {
		stored := r.entries(pool)
		if pool == "cheap" {
			stored = append(stored, r.entries(pool+scale.SpotSuffix)...)
		}
		if len(stored) < 8 {
			t.Errorf("%s has %d entries; they prove little", pool, len(stored))
		}
		all += len(stored)
		for i := range stored {
			want, err := json.Marshal(&stored[i])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, exported[stored[i].Pool+stored[i].Key]) {
				t.Errorf("entry %s of %s was exported as\n%s\nwant\n%s", stored[i].Key, pool, exported[stored[i].Pool+stored[i].Key], want)
			}
		}
		for _, on := range []string{file, "ledger"} {
			if d := r.again(pool, on, r.policies, "--as-recorded"); d.Entries != len(stored) || d.Same != d.Entries || d.SameDecision != d.Entries {
				t.Errorf("%s on %s: %d of %d entries are decided the same: %+v", pool, on, d.Same, len(stored), d.Differences)
			}
		}
	}
	if all != len(exported) {
		t.Errorf("%d entries were exported, and the table holds %d", len(exported), all)
	}
	r.variety(exported)

	// What proves itself equal must be able to differ.
	other := t.TempDir()
	copyTree(t, r.policies, other)
	edit(t, filepath.Join(other, "pools", "web", "data.json"), `"cpu_percent": 60`, `"cpu_percent": 15`)
	if d := r.again("web", file, other); d.Same == d.Entries || d.SameDecision == d.Entries {
		t.Errorf("with a quarter of the target all %d entries are decided the same", d.Entries)
	}
}

// allKinds makes policies of every kind whose views hold something that others do not.
func (r *rig) allKinds() {
	t := r.t
	boot := 30
	for _, name := range []string{"cheap", "cheap-spot"} {
		c := arm.SetConfig{ID: shop + name, Location: "westeurope", Size: "Standard_F8s_v2", Orchestration: arm.Uniform, Capacity: 3, BootSeconds: &boot}
		if name == "cheap-spot" {
			c.Priority, c.EvictionPolicy = arm.Spot, arm.Delete
		}
		if err := r.arm.Turn(c); err != nil {
			t.Fatal(err)
		}
	}
	pools := filepath.Join(r.policies, "pools")
	edit(t, filepath.Join(pools, "web", "web.rego"), `"regular_percent": 25}`, `"regular_percent": 25, "stand_in": true}`)
	edit(t, filepath.Join(pools, "web", "web.rego"), "blend :=", "cap contains scale.at_most_group(\"west\", {\"vcpus\": 160})\n\nblend :=")
	edit(t, filepath.Join(pools, "web", "data.json"), `"mode":`, `"groups": {"west": {"priority": 10, "vcpus": 4}}, "mode":`)
	edit(t, filepath.Join(pools, "batch", "batch.rego"), "want contains schedule",
		"cap contains scale.at_most_group(\"west\", {\"vcpus\": 160})\n\nwant contains scale.forecast(\"cpu\", {\"target\": 60, \"only\": \"record\"})\n\nwant contains schedule")
	edit(t, filepath.Join(pools, "batch", "data.json"), `"mode":`, `"groups": {"west": {"priority": 1, "vcpus": 8}}, "mode":`)
	edit(t, filepath.Join(pools, "batch", "data.json"), `"unit": "percent"}`, `"unit": "percent", "forecast": {"method": "seasonal_naive", "season": "day", "lead_seconds": 900}}`)
	cheap := filepath.Join(pools, "cheap")
	if err := os.Mkdir(cheap, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"data.json": `{"pool": {"scale_set": "` + shop + `cheap", "spot_scale_set": "` + shop + `cheap-spot", "orchestration": "uniform",
			"mode": "enforce", "limits": {"min": 2, "max": 20, "default": 4}, "signals": {"cpu": {"metric": "Percentage CPU", "unit": "percent"}},
			"cooldown": {"grow_seconds": 30, "shrink_seconds": 60}, "stabilisation_seconds": 60}}`,
		"cheap.rego": "package pools.cheap\n\nimport data.lib.mix\nimport data.lib.scale\n\nwant contains scale.track(\"cpu\", {\"target\": 60})\n\n" +
			"blend := mix.split({\"base\": 2, \"regular_percent\": 30, \"stand_in\": true})\n",
	} {
		if err := os.WriteFile(filepath.Join(cheap, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// eventful lets much happen to the pools, and a kill in between.
func (r *rig) eventful(h *fakehost.Host) {
	t := r.t
	turn := func(k arm.Knob) {
		if err := r.arm.Turn(k); err != nil {
			t.Fatal(err)
		}
	}
	order := func(args ...string) {
		if out, err := r.command(args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	noSpot := arm.Plan{Polls: 1, Seconds: 20, Status: "Failed", Code: "SkuNotAvailable", Message: "The requested size is not available."}
	turn(arm.PlanNext{Set: shop + "web", Plan: noSpot})
	turn(arm.PlanNext{Set: shop + "cheap-spot", Plan: noSpot})
	for i, cpu := range []float64{90, 95, 85, 60, 40, 10, 5, 80} {
		for part, pool := range []string{"web", "batch", "cheap"} {
			r.deliver(h, part, r.minutes(pool, part, 3, cpu))
		}
		switch i {
		case 2:
			turn(arm.Evict{Set: shop + "web", Count: 2})
			turn(arm.Evict{Set: shop + "cheap-spot", Count: 1})
			r.deliver(h, 0, []fakehost.Event{r.eviction("web")})
		case 3:
			order("pause", "web", "--direction", "shrink", "--for", "10m", "--reason", "look at it")
		case 4:
			h.Kill()
		case 5:
			order("release", "web")
			turn(arm.ClaimCapacity{Set: shop + "batch", Times: 1})
		}
		for range 3 {
			if _, err := h.Tick(t.Context(), "sweep", false); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// eviction is what the platform tells of a Spot machine that it is about to take away (facts: events 1.7).
func (r *rig) eviction(pool string) fakehost.Event {
	r.sequence[0]++
	at := r.now().UTC()
	body := fmt.Sprintf(`{"id":"e1","topic":"t","subject":"%[1]s/providers/microsoft.maintenance/scheduledevents/e","data":{"resourceInfo":{`+
		`"id":"%[1]s/providers/microsoft.maintenance/scheduledevents/e","name":"e","type":"microsoft.maintenance/scheduledEvents","properties":{`+
		`"EventId":"e1","EventSource":"Platform","EventStatus":"Scheduled","EventType":"Preempt","NotBefore":%[2]q,"Resources":["%[3]s_1"],`+
		`"ResourceType":"VirtualMachine"}},"apiVersion":"2024-07-01"},"eventType":`+
		`"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted","dataVersion":"3.0","metadataVersion":"1","eventTime":%[4]q}`,
		shop+pool, at.Format(time.RFC1123), pool, at.Format(time.RFC3339))
	return fakehost.Event{Body: []byte(body), Sequence: r.sequence[0], EnqueuedAt: r.now()}
}

// again replays a pool's entries with the built program.
func (r *rig) again(pool, on, policies string, more ...string) *replay.Redecided {
	r.t.Helper()
	out, err := r.command(append([]string{"replay", policies, "--pool", pool, "--on", on, "--open", "--json"}, more...)...)
	if err != nil {
		r.t.Fatalf("replay %s on %s: %v\n%s", pool, on, err, out)
	}
	var result replay.Result
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.Redecided == nil {
		r.t.Fatalf("replay %s on %s: %v\n%s", pool, on, err, out)
	}
	return result.Redecided
}

// exported are the lines of an exported journal, by pool and key.
func (r *rig) exported(file string) map[string][]byte {
	r.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string][]byte{}
	for line := range bytes.Lines(text) {
		var e scale.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			r.t.Fatal(err)
		}
		// The table's text is that of Go's encoder; the file's is the same but for the signs that HTML would need.
		again, err := json.Marshal(&e)
		if err != nil {
			r.t.Fatal(err)
		}
		all[e.Pool+e.Key] = again
	}
	return all
}

// variety fails the test unless the entries show what they are to prove.
func (r *rig) variety(lines map[string][]byte) {
	r.t.Helper()
	seen := map[string]int{}
	for _, line := range lines {
		var e scale.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			r.t.Fatal(err)
		}
		count := func(name string, is bool) {
			if is {
				seen[name]++
			}
		}
		count("growth", e.Decision.Act && e.Decision.Direction == scale.Grow)
		count("shrink", e.Decision.Act && e.Decision.Direction == scale.Shrink)
		count("rail", len(e.Decision.Adjustments) > 0)
		count("group", len(e.View.Groups) > 0)
		count("pair", e.View.Facts.Pair != nil)
		count("spot set of a pair", strings.HasSuffix(e.Pool, scale.SpotSuffix))
		count("forecast", e.View.Signals["cpu"].Forecast != nil)
		count("short of Spot", e.View.Memory.SpotShort != nil)
		count("evictions", len(e.View.Memory.Evictions) > 0)
		count("order", e.View.Orders.PauseShrink != nil)
		count("failed outcome", e.Outcome != nil && e.Outcome.Result == scale.Failed)
	}
	for _, name := range []string{
		"growth", "shrink", "rail", "group", "pair", "spot set of a pair", "forecast", "short of Spot", "evictions", "order", "failed outcome",
	} {
		if seen[name] == 0 {
			r.t.Errorf("no entry shows %s; there are %v", name, seen)
		}
	}
}
