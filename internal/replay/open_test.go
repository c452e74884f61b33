package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/replay"
	"trimtab/internal/scale"
)

// set is a scale set that does at once what it is asked.
type set struct {
	now      func() time.Time
	capacity int
	mix      scale.Mix
	version  int
	// uniform is true for a set without a mix, whose machines are all Spot or all regular.
	uniform, spot bool
}

// two are sets by their IDs.
type two struct{ sets map[string]*set }

func (t *two) Read(ctx context.Context, id string) (scale.Facts, error) {
	return t.sets[id].Read(ctx, id)
}

func (t *two) Change(ctx context.Context, id string, c scale.Change) (scale.Accepted, error) {
	return t.sets[id].Change(ctx, id, c)
}

func (t *two) Follow(context.Context, string) (scale.Progress, error) {
	return scale.Progress{Done: true}, nil
}

func (s *set) Read(context.Context, string) (scale.Facts, error) {
	mix := s.mix
	if s.uniform {
		return scale.Facts{
			ReadAt: s.now(), Capacity: s.capacity, ETag: fmt.Sprintf("%q", fmt.Sprint(s.version)), ProvisioningState: "Succeeded",
			Orchestration: scale.Uniform, Spot: s.spot, PlatformMax: 1000, PlatformMaxRule: "scale set",
		}, nil
	}
	return scale.Facts{
		ReadAt: s.now(), Capacity: s.capacity, Mix: &mix, ETag: fmt.Sprintf("%q", fmt.Sprint(s.version)), ProvisioningState: "Succeeded",
		Orchestration: scale.Flexible, Spot: true, PlatformMax: 1000, PlatformMaxRule: "scale set",
	}, nil
}

func (s *set) Change(_ context.Context, _ string, c scale.Change) (scale.Accepted, error) {
	if c.Capacity != nil {
		s.capacity = *c.Capacity
	}
	if c.Mix != nil {
		s.mix = *c.Mix
	}
	s.version++
	return scale.Accepted{Done: true}, nil
}

func (s *set) Follow(context.Context, string) (scale.Progress, error) {
	return scale.Progress{Done: true}, nil
}

// journal is what the corridor writes down of an hour and a half of a rising and falling load.
func journal(t *testing.T, p replay.Policy) []scale.Entry {
	t.Helper()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	fleet := &set{now: func() time.Time { return now }, capacity: 6}
	memory := ledger.NewMemory()
	pool := p.Pool
	pool.Mode = scale.Enforce
	e, err := engine.New(engine.Options{
		Pools: []scale.Pool{pool}, Policy: p.Policy, Fleet: fleet, Ledger: memory, Now: fleet.now, Writer: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for m := range 90 {
		load := 6 + 5*math.Sin(float64(m)/14)
		var events []engine.Event
		for i, s := range pool.Signals {
			v := load / float64(max(1, fleet.capacity)) * map[string]float64{"cpu": 60, "requests": 120}[s.Name]
			body := fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":%q,"time":%q,"grain":"PT1M","value":%g}`,
				s.Resource, s.Metric, now.Format(time.RFC3339), v)
			events = append(events, engine.Event{Body: []byte(body), Source: scale.Source{
				Hub: "ns/metrics", Partition: "0", Sequence: int64(2*m + i + 1), Known: true, EnqueuedAt: now.Add(time.Minute),
			}})
		}
		now = now.Add(time.Minute)
		if _, err := e.Ingest(t.Context(), engine.Batch{Invocation: fmt.Sprint(m), Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := memory.Entries(t.Context(), pool.Name, time.Time{}, 1000)
	if err != nil || len(entries) < 90 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	// A journal is read back from text.
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	for i := range entries {
		if err := out.Encode(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	read, err := replay.ReadEntries(lines.Bytes())
	if err != nil || len(read) != len(entries) {
		t.Fatalf("%d of %d entries read, %v", len(read), len(entries), err)
	}
	return read
}

func TestARecordedJournalIsDecidedAgainBitForBit(t *testing.T) {
	p := worked(t, "web")
	entries := journal(t, p)
	r, err := replay.OpenLoop(t.Context(), []replay.Policy{p}, entries, true, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Redecided; r.Loop != replay.Open || d.Same != len(entries) || d.SameDecision != len(entries) || len(d.Differences) > 0 {
		t.Fatalf("%d of %d entries are decided the same: %+v", d.Same, d.Entries, d.Differences)
	}
	changed := 0
	for i := range entries {
		if entries[i].Decision.Act {
			changed++
		}
	}
	if changed < 3 {
		t.Errorf("the journal holds %d changes; it proves little", changed)
	}
}

func TestAnotherPolicyIsSaidToDecideOtherwiseAndWhy(t *testing.T) {
	p := worked(t, "web")
	entries := journal(t, p)
	p.Pool.Settings = json.RawMessage(`{"cpu_percent": 30, "requests_per_instance": 120, "office_instances": 6}`)
	r, err := replay.OpenLoop(t.Context(), []replay.Policy{p}, entries, false, 2)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Redecided
	if d.Same == d.Entries || len(d.Differences) == 0 || len(d.Changed) == 0 {
		t.Fatalf("half the target changed nothing: %+v", d)
	}
	if why := d.Differences[len(d.Differences)-1].Why; !strings.Contains(why, "recorded ") || !strings.Contains(why, "track cpu") {
		t.Errorf("got %q", why)
	}
	p.Pool.Name = "nobody"
	if _, err := replay.OpenLoop(t.Context(), []replay.Policy{p}, entries, true, 2); err == nil {
		t.Error("entries of no pool given were decided")
	}
}

func TestTheLoadOfAJournalIsItsDemand(t *testing.T) {
	entries := journal(t, worked(t, "web"))
	s, err := replay.LoadOf("web", entries, "cpu", 60)
	if err != nil {
		t.Fatal(err)
	}
	// The load was at its highest above what the instances of the time could carry.
	if len(s.Notes) != 1 || strings.Contains(s.Notes[0], "In 0 of") || !strings.Contains(s.Notes[0], "signal cpu") {
		t.Errorf("the load does not say where it may be too low: %q", s.Notes)
	}
	if s.Capacity != 1 {
		t.Errorf("one instance carries %g of a load in instances; want 1", s.Capacity)
	}
	if len(s.Values) < 80 || s.Step != time.Minute {
		t.Fatalf("%d values, %s apart", len(s.Values), s.Step)
	}
	// The load went from 6 up to 11 and down to 1.
	if peak := s.Peak(); peak < 9 || peak > 13 {
		t.Errorf("the peak is %g; want about 11", peak)
	}
	if _, err := replay.LoadOf("web", entries, "heat", 1); err == nil {
		t.Error("a signal that is not there gave a load")
	}
}

func TestReadEntriesGivesAnOutcomeToItsEntry(t *testing.T) {
	all, err := replay.ReadEntries([]byte(`{"version":1,"key":"7-a","pool":"web"}
{"pool":"web","outcome":{"entry":"7-a","result":"applied"}}
{"pool":"batch","outcome":{"entry":"7-a","result":"failed"}}
`))
	if err != nil || len(all) != 1 || all[0].Outcome == nil || all[0].Outcome.Result != "applied" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestReadEntriesRefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{`{"version": 1}`, `{"version": 9, "pool": "web"}`, `{"pool"`, `[{]`} {
		if _, err := replay.ReadEntries([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
