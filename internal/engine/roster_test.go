package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// herd is a fleet that lists machines, and a world of two Flexible sets in one resource group, whose machines are heard.
type herd struct {
	*world
	machines map[string][]string
	sequence int
}

func (h *herd) Count(_ context.Context, id string, _ scale.Facts) (*scale.Live, error) {
	names := slices.Clone(h.machines[id])
	return &scale.Live{Instances: 10, Regular: 10, Machines: names, ByZone: map[string]scale.ZoneCount{}}, nil
}

type lister struct {
	fleet
	*herd
}

func newHerd(t *testing.T) *herd {
	web, batch := webPool("web"), webPool("batch")
	for _, p := range []*scale.Pool{&web, &batch} {
		p.Mode = scale.Observe
		s := p.Signals[0]
		s.Name, s.Resource, s.Metric, s.MinCoverage = "machines", lower(setID+p.Name+"/virtualMachines/*"), "memory", 0
		p.Signals = append(p.Signals, s)
	}
	return &herd{world: newWorld(t, web, batch), machines: map[string][]string{
		setID + "web": {"web_1a2b3c4d", "Frontend-1"}, setID + "batch": {"batch_1a2b3c4d", "web_odd"},
	}}
}

func (h *herd) start() *engine.Engine {
	h.t.Helper()
	h.writer++
	e, err := engine.New(engine.Options{
		Pools: h.pools, Policy: tracker{}, Fleet: lister{fleet{h.world}, h}, Ledger: memory{h.world}, Now: h.clock,
		Writer: fmt.Sprintf("herd%d", h.writer), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// machine is the ID of an ordinary machine of the sets' resource group.
func machine(name string) string {
	group, _, _ := strings.Cut(setID, "/virtualMachineScaleSets/")
	return group + "/virtualMachines/" + name
}

// says is a sample of a machine, some time ago, in an event of its own.
func (h *herd) says(name string, ago time.Duration) engine.Batch {
	h.sequence++
	body := fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":"memory","time":%q,"value":50}`, machine(name), h.stamp(ago))
	return h.told(h.sequence%4, h.sequence, body)
}

// heard is what became of a sample: the pools that folded it, and whether its machine is known by name only or not at all.
func heard(r engine.Report) string {
	var out []string
	for _, p := range r.Pools {
		if p.Folded > 0 {
			out = append(out, p.Pool)
		}
	}
	if r.Namesakes > 0 {
		out = append(out, "namesake")
	}
	if r.Strangers > 0 {
		out = append(out, "stranger")
	}
	if r.Unrouted > 0 {
		out = append(out, "unrouted")
	}
	return strings.Join(out, " ")
}

func TestMachinesAreHeardByWhatTheirSetsLists(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(h *herd, e *engine.Engine) engine.Batch
		want string
	}{
		{"a machine that Azure named", func(h *herd, _ *engine.Engine) engine.Batch { return h.says("web_1a2b3c4d", 0) }, "web"},
		{"a machine with a name of its own, in another case", func(h *herd, _ *engine.Engine) engine.Batch { return h.says("frontend-1", 0) }, "web"},
		{"a machine that is called after another set than its own", func(h *herd, _ *engine.Engine) engine.Batch { return h.says("web_odd", 0) }, "batch"},
		{"an ordinary machine", func(h *herd, _ *engine.Engine) engine.Batch { return h.says("jumphost", 0) }, "unrouted"},
		{"a machine that is newer than the list", func(h *herd, _ *engine.Engine) engine.Batch {
			h.advance(time.Minute)
			return h.says("web_new", 0)
		}, "web namesake"},
		{"a stranger, when it is first heard", func(h *herd, _ *engine.Engine) engine.Batch { return h.says("web_stranger", time.Minute) }, "web namesake"},
		{"a stranger, after a list that lacks it", func(h *herd, e *engine.Engine) engine.Batch {
			ingest(t, e, h.says("web_stranger", time.Minute))
			h.advance(6 * time.Minute)
			sweep(t, e)
			return h.says("web_stranger", 0)
		}, "stranger unrouted"},
		{"what a stranger said before the list", func(h *herd, e *engine.Engine) engine.Batch {
			ingest(t, e, h.says("web_stranger", time.Minute))
			h.advance(6 * time.Minute)
			sweep(t, e)
			return h.says("web_stranger", 6*time.Minute+30*time.Second)
		}, "web namesake"},
		{"a newcomer whom the next list has", func(h *herd, e *engine.Engine) engine.Batch {
			ingest(t, e, h.says("web_new", 0))
			h.machines[setID+"web"] = append(h.machines[setID+"web"], "web_new")
			h.advance(6 * time.Minute)
			sweep(t, e)
			return h.says("web_new", 0)
		}, "web"},
		{"a stranger who is taken into the set", func(h *herd, e *engine.Engine) engine.Batch {
			ingest(t, e, h.says("web_stranger", time.Minute))
			h.advance(6 * time.Minute)
			sweep(t, e)
			ingest(t, e, h.says("web_stranger", 0))
			h.machines[setID+"web"] = append(h.machines[setID+"web"], "web_stranger")
			h.advance(6 * time.Minute)
			sweep(t, e)
			return h.says("web_stranger", 0)
		}, "web"},
		{"what a machine said before it went", func(h *herd, e *engine.Engine) engine.Batch {
			h.machines[setID+"web"] = []string{"web_1a2b3c4d"}
			h.advance(6 * time.Minute)
			sweep(t, e)
			return h.says("frontend-1", time.Minute)
		}, "web"},
		{"machines of a set whose list is suddenly empty", func(h *herd, e *engine.Engine) engine.Batch {
			h.machines[setID+"web"] = nil
			h.advance(6 * time.Minute)
			sweep(t, e)
			return h.says("frontend-1", 0)
		}, "web"},
		{"a machine that went long ago", func(h *herd, e *engine.Engine) engine.Batch {
			h.machines[setID+"web"] = []string{"web_1a2b3c4d"}
			h.advance(6 * time.Minute)
			sweep(t, e)
			h.advance(3 * time.Hour)
			sweep(t, e)
			return h.says("frontend-1", 0)
		}, "unrouted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHerd(t)
			e := h.start()
			sweep(t, e)
			if got := heard(ingest(t, e, c.say(h, e))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnotherProcessKnowsTheMachinesWithoutListingThem(t *testing.T) {
	h := newHerd(t)
	first := h.start()
	if got := heard(ingest(t, first, h.says("frontend-1", 0))); got != "unrouted" {
		t.Errorf("before any list: got %q", got)
	}
	sweep(t, first)
	ingest(t, first, h.says("web_stranger", time.Minute))
	h.advance(6 * time.Minute)
	sweep(t, first)
	ingest(t, first, h.says("web_stranger", 0))
	h.advance(time.Minute)
	sweep(t, first) // and the row says so
	reads, second := h.calls["read"], h.start()
	for _, c := range []struct{ name, want string }{
		{"frontend-1", "web"}, {"web_odd", "batch"}, {"web_stranger", "stranger unrouted"}, {"web_newer", "web namesake"},
	} {
		if got := heard(ingest(t, second, h.says(c.name, 0))); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if h.calls["read"] != reads {
		t.Errorf("%d reads of facts", h.calls["read"]-reads)
	}
	// What one process has learnt since reaches the other, no later than it looks again.
	h.machines[setID+"web"] = append(h.machines[setID+"web"], "frontend-2")
	h.advance(6 * time.Minute)
	sweep(t, first)
	if got := heard(ingest(t, second, h.says("frontend-2", 0))); got != "web" {
		t.Errorf("a machine that came: got %q", got)
	}
}

func TestABatchComesAgainWhereNobodyCanSayWhoseMachinesSpoke(t *testing.T) {
	h := newHerd(t)
	sweep(t, h.start())
	e := h.start()
	down := true
	h.strike = func(point string) error {
		if down && point == "-load" {
			return errCrash
		}
		return nil
	}
	batch := h.says("frontend-1", 0)
	if _, err := e.Ingest(t.Context(), batch); err == nil {
		t.Fatal("no error")
	}
	down = false
	if got := heard(ingest(t, e, batch)); got != "web" {
		t.Errorf("got %q", got)
	}
	// What was read once serves while the ledger is away: a machine on a list asks nothing, another is judged by it.
	h.advance(6 * time.Minute)
	down = true
	if _, err := e.Ingest(t.Context(), h.says("jumphost", 0)); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestNoticesOfMachinesReachTheSetThatListsThem(t *testing.T) {
	h := newHerd(t)
	e := h.start()
	sweep(t, e)
	ingest(t, e, h.says("web_stranger", time.Minute))
	h.advance(6 * time.Minute)
	sweep(t, e)
	for i, c := range []struct{ name, pool string }{
		{"Frontend-1", "web"}, {"web_odd", "batch"}, {"web_1a2b3c4d", "web"}, {"web_newer", "web"}, {"web_stranger", ""}, {"jumphost", ""},
	} {
		body := `{"specversion":"1.0","id":"2","source":"/s","type":"Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated",` +
			`"time":"` + h.stamp(0) + `","data":{"resourceInfo":{"properties":{"annotationName":"VirtualMachinePreempted","targetResourceId":"` + machine(c.name) + `"}}}}`
		r := ingest(t, e, h.told(1, 100+i, body))
		got := ""
		for _, p := range r.Pools {
			if p.Heeded > 0 {
				got += p.Pool
			}
		}
		if got != c.pool || (r.Unheard == 0) != (c.pool != "") {
			t.Errorf("%s: heeded by %q, want %q; %d unheard", c.name, got, c.pool, r.Unheard)
		}
	}
}

func TestTheRowOfMachinesIsWrittenWhenItSaysSomethingNew(t *testing.T) {
	h := newHerd(t)
	e := h.start()
	version := func() string {
		stored, err := h.ledger.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range stored.Windows {
			if w.Source == scale.RosterSource {
				return w.Version
			}
		}
		return ""
	}
	sweep(t, e)
	first := version()
	h.advance(6 * time.Minute)
	sweep(t, e)
	if first == "" || version() != first {
		t.Errorf("version %q, then %q", first, version())
	}
	h.machines[setID+"web"] = append(h.machines[setID+"web"], "web_new")
	h.advance(6 * time.Minute)
	sweep(t, e)
	if version() == first {
		t.Error("a machine that came was not written down")
	}
}

func TestTheRowOfMachinesIsBoundedHoweverManyCameAndWent(t *testing.T) {
	h := newHerd(t)
	e := h.start()
	most := 0
	var last []string
	for turn := range 20 {
		last = nil
		for i := range 1000 {
			last = append(last, fmt.Sprintf("a-scale-set-with-a-name-as-long-as-azure-lets-a-name-be_%02d%06d", turn, i))
		}
		h.machines[setID+"web"] = last
		sweep(t, e)
		stored, err := h.ledger.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range stored.Windows {
			if w.Source == scale.RosterSource {
				most = max(most, len(w.Data))
			}
		}
		h.advance(6 * time.Minute)
	}
	// A row of the table holds 720 KiB of a document.
	if most == 0 || most > 700<<10 {
		t.Errorf("the row grew to %d bytes", most)
	}
	if got := heard(ingest(t, e, h.says(last[0], 0))); got != "web" {
		t.Errorf("a machine that is there: got %q", got)
	}
	if got := heard(ingest(t, e, h.says(strings.Replace(last[0], "be_19", "be_18", 1), time.Minute))); got != "web" {
		t.Errorf("a machine that has just gone: got %q", got)
	}
}
