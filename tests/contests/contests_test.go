package contests_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
	"trimtab/tests/azurite"
)

// ledgers are all that there are, the table on the storage emulator.
func ledgers(t *testing.T) map[string]engine.Ledger {
	t.Helper()
	file, err := ledger.OpenFile(filepath.Join(t.TempDir(), "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	table, err := ledger.OpenTable(t.Context(), ledger.TableOptions{
		ConnectionString: azurite.Start(t).ConnectionString, Table: "contests",
	})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]engine.Ledger{"memory": ledger.NewMemory(), "file": file, "table": table}
}

// TestEachContestHasOneWinner lets several writers compete for one version of a control row, a thousand times on each
// ledger.
func TestEachContestHasOneWinner(t *testing.T) {
	const contests, pools, writers = 1000, 8, 3
	for name, l := range ledgers(t) {
		t.Run(name, func(t *testing.T) {
			var held atomic.Int64
			var group sync.WaitGroup
			for p := range pools {
				group.Go(func() {
					pool := fmt.Sprintf("pool%d", p)
					for round := range contests / pools {
						if err := contest(t.Context(), l, pool, round, writers); err != nil {
							t.Errorf("%s, round %d: %v", pool, round, err)
							return
						}
						held.Add(1)
					}
				})
			}
			group.Wait()
			if held.Load() != contests {
				t.Errorf("%d contests were held, want %d", held.Load(), contests)
			}
		})
	}
}

// contest lets writers that have all read the same version write at once.
func contest(ctx context.Context, l engine.Ledger, pool string, round, writers int) error {
	before, err := l.Load(ctx, pool)
	if err != nil {
		return err
	}
	errs := make([]error, writers)
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range writers {
		group.Go(func() {
			c := before.Control
			c.Version, c.Attempt = scale.ControlVersion, fmt.Sprintf("%s-%d-%d", pool, round, i)
			c.Memory.GrownAt = time.Unix(int64(round*writers+i), 0).UTC()
			<-begin
			errs[i] = l.Commit(ctx, pool, scale.Commit{Attempt: c.Attempt, Control: &c, ControlVersion: before.ControlVersion})
		})
	}
	close(begin)
	group.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			return fmt.Errorf("writers %d and %d have both won", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, scale.ErrConflict):
			return fmt.Errorf("writer %d: %w", i, err)
		}
	}
	if winner < 0 {
		return errors.New("nobody has won")
	}
	after, err := l.Load(ctx, pool)
	if err != nil {
		return err
	}
	if got := after.Control.Memory.GrownAt.Unix(); got != int64(round*writers+winner) {
		return fmt.Errorf("writer %d has won and the row is that of %d", winner, got%int64(writers))
	}
	return nil
}

const setID = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/"

func pool(name string) scale.Pool {
	return scale.Pool{
		Name: name, ScaleSet: setID + name, Orchestration: scale.Flexible, Policy: name, Mode: scale.Enforce,
		Rails: scale.Rails{Limits: scale.Limits{Min: 2, Max: 40}, Cooldown: scale.Cooldown{GrowSeconds: 180, ShrinkSeconds: 600}},
		Signals: []scale.Signal{{
			Name: "cpu", Resource: strings.ToLower(setID + name), Metric: "percentage cpu", Aggregation: scale.Average,
			Window: 30 * time.Minute, Bucket: time.Minute, StaleAfter: time.Hour, MinCoverage: 1,
		}},
		Settings: json.RawMessage(`{}`),
	}
}

// more is a policy that always wants fifteen.
type more struct{}

func (more) Revision() string { return "more" }

func (more) Propose(context.Context, *scale.View) scale.Proposal {
	return scale.Proposal{Known: true, Instances: 15, Revision: "more"}
}

// fleet is one scale set that counts its changes.
type fleet struct {
	mu         sync.Mutex
	capacity   int
	generation int
	changes    int
}

func (f *fleet) Read(context.Context, string) (scale.Facts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return scale.Facts{
		ReadAt: noon, Capacity: f.capacity, ETag: strconv.Itoa(f.generation), ProvisioningState: "Succeeded",
		Orchestration: scale.Flexible, PlatformMax: 1000,
	}, nil
}

func (f *fleet) Change(_ context.Context, _ string, c scale.Change) (scale.Accepted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.ETag != strconv.Itoa(f.generation) {
		return scale.Accepted{}, &scale.FleetError{Op: "change", Class: scale.ClassPrecondition, Status: 412}
	}
	f.capacity, f.generation, f.changes = *c.Capacity, f.generation+1, f.changes+1
	return scale.Accepted{Token: "t", PollAfter: time.Minute}, nil
}

func (f *fleet) Follow(context.Context, string) (scale.Progress, error) {
	return scale.Progress{PollAfter: time.Minute}, nil
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// process is an engine of its own over what it shares with the others.
func process(t *testing.T, l engine.Ledger, f engine.Fleet, p scale.Pool, writer string) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Options{
		Pools: []scale.Pool{p}, Policy: more{}, Fleet: f, Ledger: l, Now: func() time.Time { return noon }, Writer: writer,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// events are n events of one partition, one for each minute before noon.
func events(p scale.Pool, n int) []engine.Event {
	var all []engine.Event
	for i := range n {
		at := noon.Add(time.Duration(i-n) * time.Minute)
		body := fmt.Sprintf(`{"records":[{"count":1,"total":%[1]d,"minimum":%[1]d,"maximum":%[1]d,"average":%[1]d,"resourceId":%[2]q,`+
			`"time":%[3]q,"metricName":"Percentage CPU","timeGrain":"PT1M"}]}`, 40+i, p.ScaleSet, at.Format("2006-01-02T15:04:05.0000000Z"))
		all = append(all, engine.Event{Body: []byte(body), Source: scale.Source{
			Hub: "ns/metrics", Partition: "0", Sequence: int64(i + 1), Known: true, EnqueuedAt: at.Add(time.Minute),
		}})
	}
	return all
}

// TestTwoProcessesWithOnePoolAtOneInstantChangeItOnce on every ledger.
func TestTwoProcessesWithOnePoolAtOneInstantChangeItOnce(t *testing.T) {
	for name, l := range ledgers(t) {
		t.Run(name, func(t *testing.T) {
			for round := range 20 {
				p := pool(fmt.Sprintf("web%d", round))
				f := &fleet{capacity: 10, generation: 1}
				batch := engine.Batch{Invocation: "one", Events: events(p, 3)}
				var group sync.WaitGroup
				for i := range 2 {
					e := process(t, l, f, p, fmt.Sprintf("w%d-%d", round, i))
					group.Go(func() {
						if _, err := e.Ingest(t.Context(), batch); err != nil {
							t.Errorf("ingest: %v", err)
						}
					})
					group.Go(func() {
						if _, err := e.Sweep(t.Context(), "sweep"); err != nil {
							t.Errorf("sweep: %v", err)
						}
					})
				}
				group.Wait()
				if f.changes != 1 || f.capacity != 15 {
					t.Fatalf("round %d: %d changes to %d, want one to 15", round, f.changes, f.capacity)
				}
			}
		})
	}
}

// TestAHandOverFoldsEachEventOnce gives a partition to a new owner, which begins behind where the old one is, while the
// old one works on (facts: functions-host 4.3): the window is that of the events in order, byte for byte.
func TestAHandOverFoldsEachEventOnce(t *testing.T) {
	const n = 24
	for name, l := range ledgers(t) {
		t.Run(name, func(t *testing.T) {
			for round := range 8 {
				p := pool(fmt.Sprintf("over%d", round))
				f := &fleet{capacity: 15, generation: 1}
				all := events(p, n)
				read := func(e *engine.Engine, from, to, size int) {
					for at := from; at < to; at += size {
						b := engine.Batch{Invocation: fmt.Sprint(at), Events: all[at:min(at+size, to)]}
						if _, err := e.Ingest(t.Context(), b); err != nil {
							t.Errorf("ingest: %v", err)
						}
					}
				}
				old, young := process(t, l, f, p, fmt.Sprintf("old%d", round)), process(t, l, f, p, fmt.Sprintf("young%d", round))
				read(old, 0, 8, 2)
				var group sync.WaitGroup
				group.Go(func() { read(old, 8, 18, 2) })
				group.Go(func() { read(young, 4, n, 3) })
				group.Wait()
				stored, err := l.Load(t.Context(), p.Name)
				if err != nil || len(stored.Windows) != 1 {
					t.Fatalf("%d windows, %v", len(stored.Windows), err)
				}
				if want := inOrder(t, p, all); string(stored.Windows[0].Data) != string(want) {
					t.Fatalf("round %d: the window is not that of the events in order", round)
				}
			}
		})
	}
}

// inOrder folds all events once, one after the other.
func inOrder(t *testing.T, p scale.Pool, all []engine.Event) []byte {
	t.Helper()
	var w metric.Window
	d := metric.NewDecoder()
	for _, ev := range all {
		samples, rejected := d.Decode(ev.Body, ev.Source)
		if len(rejected) > 0 || len(samples) != 1 {
			t.Fatalf("%d samples, %v", len(samples), rejected)
		}
		if n, _ := w.Fold(p.Signals, []metric.Routed{{Signal: 0, Sample: &samples[0]}}, noon); n.Folded != 1 {
			t.Fatalf("got %+v", n)
		}
	}
	return w.AppendTo(nil)
}
