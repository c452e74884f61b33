package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// own is a sample of the sender's own.
func (w *world) own(resource, metric string, value float64, dimensions ...string) string {
	d := ""
	if len(dimensions) > 0 {
		d = fmt.Sprintf(`,"dimensions":{%q:%q}`, dimensions[0], dimensions[1])
	}
	return fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":%q,"time":%q,"value":%g%s}`, resource, metric, w.stamp(time.Minute), value, d)
}

func TestSamplesFindThePoolsThatListen(t *testing.T) {
	group, _, _ := strings.Cut(setID, "/virtualMachineScaleSets/")
	web, batch := webPool("web"), webPool("batch")
	signal := func(p *scale.Pool, name, resource, metric string, dimensions map[string]string) {
		s := p.Signals[0]
		s.Name, s.Resource, s.Metric, s.Dimensions, s.MinCoverage = name, resource, metric, dimensions, 0
		p.Signals = append(p.Signals, s)
	}
	signal(&web, "machines", lower(setID+"web/virtualMachines/*"), "memory", nil)
	signal(&web, "queue", "/shared/queue", "depth", nil)
	signal(&batch, "queue", "/shared/queue", "depth", nil)
	signal(&batch, "tagged", "*", "jobs", map[string]string{"fleet": "batch"})
	for _, c := range []struct {
		name string
		body func(*world) string
		want []string
	}{
		{"an explicit resource", func(w *world) string { return w.own(setID+"web", "Percentage CPU", 50) }, []string{"web.cpu 50000"}},
		{"one resource that several pools listen to", func(w *world) string { return w.own("/shared/queue", "depth", 7) }, []string{"batch.queue 7000", "web.queue 7000"}},
		{"a fraction for a signal in percent", func(w *world) string {
			return strings.Replace(w.own(setID+"web", "Percentage CPU", 0.5), `"value"`, `"unit":"1","value"`, 1)
		}, []string{"web.cpu 50000"}},
		{"bytes for a signal in percent", func(w *world) string {
			return strings.Replace(w.own(setID+"web", "Percentage CPU", 0.5), `"value"`, `"unit":"Bytes","value"`, 1)
		}, nil},
		{"the mere name of a set", func(w *world) string { return w.own("web", "Percentage CPU", 50) }, []string{"web.cpu 50000"}},
		{"the mere name of nothing", func(w *world) string { return w.own("db", "Percentage CPU", 50) }, nil},
		{"a tag", func(w *world) string { return w.own("/any", "jobs", 3, "fleet", "batch") }, []string{"batch.tagged 3000"}},
		{"a tag of an agent that says no more than its host", func(w *world) string {
			return `{"name":"jobs","fields":{"value":3},"tags":{"host":"web","fleet":"batch"},"timestamp":` + strconv.FormatInt(w.clock().Add(-time.Minute).Unix(), 10) + `}`
		}, []string{"batch.tagged 3000"}},
		{"a host that is called as a set is", func(w *world) string {
			return `{"name":"Percentage CPU","fields":{"value":3},"tags":{"host":"web"},"timestamp":` + strconv.FormatInt(w.clock().Add(-time.Minute).Unix(), 10) + `}`
		}, nil},
		{"another tag", func(w *world) string { return w.own("/any", "jobs", 3, "fleet", "web") }, nil},
		{"instances of a uniform set, at one instant", func(w *world) string {
			return "[" + w.own(setID+"web/virtualMachines/1", "memory", 10) + "," + w.own(setID+"web/virtualMachines/2", "memory", 30) + "]"
		}, []string{"web.machines 20000"}},
		{"machines of a flexible set", func(w *world) string {
			return "[" + w.own(group+"/virtualMachines/web_1a2b3c4d", "memory", 10) + "," + w.own(group+"/virtualMachines/web_5a2b3c4d", "memory", 40) + "]"
		}, []string{"web.machines 25000"}},
		{"the set itself is none of its machines", func(w *world) string { return w.own(setID+"web", "memory", 10) }, nil},
		{"a machine of another set", func(w *world) string { return w.own(group+"/virtualMachines/webx_1a2b3c4d", "memory", 10) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, web, batch)
			r := ingest(t, w.engine(), w.told(0, 1, c.body(w)))
			var got []string
			for _, p := range []string{"batch", "web"} {
				if len(w.entries(p)) == 0 {
					continue
				}
				signals := w.entries(p)[0].View.Signals
				for _, name := range []string{"cpu", "machines", "queue", "tagged"} {
					if s, ok := signals[name]; ok && s.State != scale.SignalMissing {
						got = append(got, fmt.Sprintf("%s.%s %d", p, name, s.Value))
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || (r.Unrouted > 0) != (len(c.want) == 0) {
				t.Errorf("unrouted %d (-want +got):\n%s", r.Unrouted, diff)
			}
		})
	}
}

func TestWhatNobodyListensToIsCountedForTheDoctor(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	for i := range 3 {
		ingest(t, e, w.told(0, i+1, w.own("/shared/queue", "depth", 7, "q", fmt.Sprint(i))))
	}
	ingest(t, e, w.told(0, 9, w.own("/other", "jobs", 7)))
	sweep(t, e)
	census, err := engine.ReadCensus(t.Context(), w.ledger)
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Unrouted{
		{Resource: "/shared/queue", Metric: "depth", Dimensions: "q=2", Samples: 3, LastAt: w.clock()},
		{Resource: "/other", Metric: "jobs", Samples: 1, LastAt: w.clock()},
	}
	if diff := cmp.Diff(want, census.Series); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Another process adds its own, and not before its time again; what is heard no more is forgotten.
	other := w.engine()
	ingest(t, other, w.told(1, 1, w.own("/shared/queue", "depth", 7)))
	sweep(t, other)
	w.advance(time.Minute)
	ingest(t, other, w.told(1, 2, w.own("/shared/queue", "depth", 7)))
	commits := w.calls["commit"]
	sweep(t, other)
	if census, _ = engine.ReadCensus(t.Context(), w.ledger); census.Series[0].Samples != 4 {
		t.Errorf("got %+v", census)
	}
	if n := w.calls["commit"] - commits; n > 1 {
		t.Errorf("%d commits in a sweep over one pool", n)
	}
	w.advance(25 * time.Hour)
	ingest(t, other, w.told(1, 3, w.own("/shared/queue", "depth", 7)))
	sweep(t, other)
	if census, _ = engine.ReadCensus(t.Context(), w.ledger); len(census.Series) != 1 || census.Series[0].Samples != 6 {
		t.Errorf("got %+v", census)
	}
}

func TestTheCensusIsBoundedAndNeverInTheWay(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	const series = 3000
	for i := range series {
		ingest(t, e, w.told(0, i+1, w.own(fmt.Sprint("/r", i), "m", 1)))
	}
	w.strike = func(point string) error {
		if point == "-load" {
			return errCrash
		}
		return nil
	}
	if _, err := e.Sweep(t.Context(), "sweep"); err == nil {
		t.Error("the sweep itself must fail")
	}
	w.strike = nil
	sweep(t, e)
	w.advance(10 * time.Minute)
	for i := range series {
		ingest(t, e, w.told(1, i+1, w.own(fmt.Sprint("/r", i), "m", 1)))
	}
	sweep(t, e)
	census, err := engine.ReadCensus(t.Context(), w.ledger)
	if err != nil || len(census.Series) != 256 {
		t.Fatalf("%d series, %v", len(census.Series), err)
	}
	n := census.Others
	for _, u := range census.Series {
		n += u.Samples
	}
	if n != series {
		t.Errorf("%d of %d samples are counted", n, series)
	}
}
