package metric_test

import (
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"

	"github.com/google/go-cmp/cmp"
)

// windowNow is the instant of the tests; windowMinute(-n) lies n minutes before it.
var windowNow = time.Date(2026, 5, 4, 9, 10, 0, 0, time.UTC)

func windowMinute(n int) time.Time { return windowNow.Add(time.Duration(n) * time.Minute) }

const windowSet = "/subscriptions/0b1f6471/resourcegroups/rg-web/providers/microsoft.compute/virtualmachinescalesets/web"

// windowSignal is a signal over the last five minutes in buckets of one.
func windowSignal(name string, a scale.Aggregation) scale.Signal {
	return scale.Signal{
		Name: name, Resource: windowSet, Metric: "percentage cpu", Aggregation: a, Unit: "Percent",
		Window: 5 * time.Minute, Bucket: time.Minute, StaleAfter: 10 * time.Minute, MinCoverage: 60,
	}
}

// windowSample is a sample of the minute n of an event that was enqueued in the minute after.
func windowSample(n int, sequence int64, average float64) *scale.Sample {
	return &scale.Sample{
		Resource: windowSet, Metric: "percentage cpu", At: windowMinute(n), Grain: time.Minute,
		Stats: scale.Stats{
			Has: scale.HasAverage | scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount,
			// as an exporter would: four instances
			Average: average, Minimum: average - 1, Maximum: average + 1, Total: average * 4, Count: 4,
		},
		Source: scale.Source{
			Hub: "ns/metrics", Partition: "0", Sequence: sequence, Known: true,
			EnqueuedAt: windowMinute(n + 1).Add(time.Duration(sequence) * time.Second),
		},
	}
}

// windowRoute routes every sample to the first signal.
func windowRoute(samples ...*scale.Sample) []metric.Routed {
	routed := make([]metric.Routed, len(samples))
	for i, s := range samples {
		routed[i] = metric.Routed{Sample: s}
	}
	return routed
}

func windowWith(s *scale.Sample, change func(*scale.Sample)) *scale.Sample {
	t := *s
	change(&t)
	return &t
}

func windowAverages(t *testing.T, w *metric.Window, signals []scale.Signal) scale.SignalView {
	t.Helper()
	return metric.View(signals, []*metric.Window{w}, windowNow, nil)[signals[0].Name]
}

func TestFoldTellsWhatBecameOfEachSample(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	first := windowSample(-3, 10, 50)
	cases := map[string]struct {
		samples []*scale.Sample
		counts  metric.Counts
		changed bool
		average scale.Milli
	}{
		"a further sample is folded": {
			[]*scale.Sample{windowSample(-2, 11, 70)}, metric.Counts{Folded: 1}, true, 60_000,
		},
		"an event folded before changes nothing": {
			[]*scale.Sample{first}, metric.Counts{Repeated: 1}, false, 50_000,
		},
		"an older sequence number changes nothing even with another value": {
			[]*scale.Sample{windowSample(-2, 9, 99)}, metric.Counts{Repeated: 1}, false, 50_000,
		},
		"samples of one new event share its sequence number": {
			[]*scale.Sample{windowSample(-2, 11, 70), windowSample(-1, 11, 90)}, metric.Counts{Folded: 2}, true, 70_000,
		},
		"a newer arrival of the same point replaces it": {
			[]*scale.Sample{windowSample(-3, 11, 80)}, metric.Counts{Folded: 1, Corrected: 1}, true, 80_000,
		},
		"a sender's repetition with the same value is a repeat": {
			[]*scale.Sample{windowSample(-3, 11, 50)}, metric.Counts{Repeated: 1}, true, 50_000,
		},
		"an older arrival of the same point under a newer number is a repeat": {
			[]*scale.Sample{windowWith(windowSample(-3, 11, 80), func(s *scale.Sample) {
				s.Source.EnqueuedAt = first.Source.EnqueuedAt.Add(-time.Second)
			})}, metric.Counts{Repeated: 1}, true, 50_000,
		},
		"the last of two values of one point in one event stays": {
			[]*scale.Sample{
				windowWith(windowSample(-2, 11, 90), func(s *scale.Sample) { s.Source.Element = 1 }),
				windowSample(-2, 11, 10),
			}, metric.Counts{Folded: 1, Repeated: 1}, true, 70_000,
		},
		"a sample older than the window is late": {
			[]*scale.Sample{windowSample(-8, 11, 90)}, metric.Counts{Late: 1}, true, 50_000,
		},
		"the oldest bucket of the window is not late": {
			[]*scale.Sample{windowSample(-7, 11, 90)}, metric.Counts{Folded: 1}, true, 70_000,
		},
		"a sample more than two minutes ahead is kept out": {
			[]*scale.Sample{windowWith(windowSample(2, 11, 90), func(s *scale.Sample) { s.At = s.At.Add(time.Second) })},
			metric.Counts{Future: 1},
			true, 50_000,
		},
		"a sample two minutes ahead is skew": {
			[]*scale.Sample{windowSample(2, 11, 90)}, metric.Counts{Folded: 1}, true, 90_000,
		},
		"a count of zero is no measurement": {
			[]*scale.Sample{windowWith(windowSample(-2, 11, 0), func(s *scale.Sample) {
				s.Stats = scale.Stats{Has: scale.HasCount}
			})}, metric.Counts{Absent: 1}, true, 50_000,
		},
		"zeros beside a count of zero are none either": {
			[]*scale.Sample{windowWith(windowSample(-2, 11, 0), func(s *scale.Sample) { s.Count = 0 })},
			metric.Counts{Absent: 1},
			true, 50_000,
		},
		"a total of zero with a count is a measured zero": {
			[]*scale.Sample{windowWith(windowSample(-2, 11, 0), func(s *scale.Sample) {
				s.Stats = scale.Stats{Has: scale.HasTotal | scale.HasCount, Count: 1}
			})}, metric.Counts{Folded: 1}, true, 25_000,
		},
		"no statistic at all is no measurement": {
			[]*scale.Sample{windowWith(windowSample(-2, 11, 0), func(s *scale.Sample) { s.Stats = scale.Stats{} })},
			metric.Counts{Absent: 1},
			true, 50_000,
		},
		"another grain is another series": {
			[]*scale.Sample{windowWith(windowSample(-3, 11, 70), func(s *scale.Sample) { s.Grain = 5 * time.Minute })},
			metric.Counts{Folded: 1},
			true, 60_000,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := &metric.Window{}
			if n, _ := w.Fold(signals, windowRoute(first), windowNow); n != (metric.Counts{Folded: 1}) {
				t.Fatalf("first sample: %+v", n)
			}
			before := w.AppendTo(nil)
			n, changed := w.Fold(signals, windowRoute(c.samples...), windowNow)
			if diff := cmp.Diff(c.counts, n); diff != "" {
				t.Errorf("counts, -want +got:\n%s", diff)
			}
			if changed != c.changed {
				t.Errorf("changed: got %v, want %v", changed, c.changed)
			}
			if same := string(before) == string(w.AppendTo(nil)); same == c.changed {
				t.Errorf("bytes are the same: %v, changed: %v", same, c.changed)
			}
			if v := windowAverages(t, w, signals); v.Average != c.average {
				t.Errorf("average: got %d, want %d", v.Average, c.average)
			}
		})
	}
}

func TestFoldOfSamplesWithoutASignalCountsThem(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	s := windowSample(-1, 1, 50)
	w := &metric.Window{}
	n, changed := w.Fold(signals, []metric.Routed{{Signal: 1, Sample: s}, {Signal: -1, Sample: s}, {}}, windowNow)
	if n != (metric.Counts{Absent: 3}) || changed {
		t.Errorf("got %+v, changed %v", n, changed)
	}
	if n, changed := w.Fold(signals, nil, windowNow); n != (metric.Counts{}) || changed {
		t.Errorf("nothing routed: got %+v, changed %v", n, changed)
	}
}

func TestWatermarkMovesToTheHighestEventOfTheBatch(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	w := &metric.Window{}
	if _, _, set := w.Watermark(); set {
		t.Error("an empty window has a watermark")
	}
	unknown := windowWith(windowSample(-4, 99, 1), func(s *scale.Sample) { s.Source.Known = false })
	w.Fold(signals, windowRoute(windowSample(-3, 12, 50), windowSample(-2, 11, 50), unknown), windowNow)
	sequence, at, set := w.Watermark()
	if want := windowMinute(-1).Add(11 * time.Second); sequence != 12 || !at.Equal(want) || !set {
		t.Errorf("got %d, %v, %v; want 12, %v", sequence, at, set, want)
	}
}

func TestEventsWithoutSequenceNumberAreFoldedByIdentity(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	bare := func(n int, average float64) *scale.Sample {
		return windowWith(windowSample(n, 0, average), func(s *scale.Sample) { s.Source = scale.Source{} })
	}
	w := &metric.Window{}
	w.Fold(signals, windowRoute(bare(-3, 40), bare(-2, 60)), windowNow)
	before := w.AppendTo(nil)
	if n, changed := w.Fold(signals, windowRoute(bare(-3, 40), bare(-2, 60)), windowNow); changed || n.Repeated != 2 {
		t.Errorf("the same again: %+v, changed %v", n, changed)
	}
	if diff := cmp.Diff(before, w.AppendTo(nil)); diff != "" {
		t.Errorf("bytes differ:\n%s", diff)
	}
	n, _ := w.Fold(signals, windowRoute(bare(-3, 80)), windowNow.Add(time.Second))
	if v := windowAverages(t, w, signals); n.Corrected != 1 || v.Average != 70_000 {
		t.Errorf("a later value: %+v, average %d", n, v.Average)
	}
	if _, _, set := w.Watermark(); set {
		t.Error("events without sequence number moved the watermark")
	}
}

func TestAHubCreatedAnewStartsANewLife(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	old := windowSample(-8, 5000, 50)
	oldAt := old.Source.EnqueuedAt
	event := func(n int, sequence int64, after time.Duration) *scale.Sample {
		return windowWith(windowSample(n, sequence, 70), func(s *scale.Sample) { s.Source.EnqueuedAt = oldAt.Add(after) })
	}
	start := func() *metric.Window {
		w := &metric.Window{}
		w.Fold(signals, windowRoute(old), windowNow)
		return w
	}
	w := start()
	if n, _ := w.Fold(signals, windowRoute(event(-7, 0, time.Minute)), windowNow); n.Repeated != 1 || w.Relived() != 0 {
		t.Errorf("within a minute it is a repeat: %+v, lives %d", n, w.Relived())
	}
	life := []*scale.Sample{event(-7, 0, 61*time.Second), event(-6, 1, 62*time.Second), event(-5, 6000, 63*time.Second)}
	if n, changed := w.Fold(signals, windowRoute(life...), windowNow); n.Folded != 3 || !changed || w.Relived() != 1 {
		t.Errorf("a new life: %+v, changed %v, lives %d", n, changed, w.Relived())
	}
	if n, changed := w.Fold(signals, windowRoute(life...), windowNow); n.Repeated != 3 || changed {
		t.Errorf("the same again: %+v, changed %v", n, changed)
	}
	if n, _ := w.Fold(signals, windowRoute(old), windowNow); n.Repeated != 1 {
		t.Errorf("the old life comes once more: %+v", n)
	}
	if sequence, _, _ := w.Watermark(); sequence != 6000 {
		t.Errorf("watermark: got %d, want 6000", sequence)
	}
	if n, _ := w.Fold(signals, windowRoute(event(-6, 5001, 30*time.Second)), windowNow); n.Repeated != 1 {
		t.Errorf("an unread event of the old life, of a point that is there: %+v", n)
	}
	if n, _ := w.Fold(signals, windowRoute(event(-4, 7000, 31*time.Second)), windowNow); n.Folded != 1 {
		t.Errorf("an unread event of the old life: %+v", n)
	}
	if sequence, _, _ := w.Watermark(); sequence != 6000 {
		t.Errorf("the old life moved the watermark to %d", sequence)
	}
	both := start()
	both.Fold(signals, windowRoute(event(-6, 9000, time.Second), life[0], life[1]), windowNow)
	if sequence, _, _ := both.Watermark(); sequence != 1 || both.Relived() != 1 {
		t.Errorf("the end of one life and the start of the next: watermark %d, lives %d", sequence, both.Relived())
	}
	w = start()
	w.Fold(signals, windowRoute(event(-7, 0, time.Minute)), windowNow)
	w.Fold(signals, windowRoute(life...), windowNow)
	backwards, apart := start(), start()
	backwards.Fold(signals, windowRoute(life[2], life[1], life[0]), windowNow)
	for _, s := range life {
		apart.Fold(signals, windowRoute(s), windowNow)
	}
	if diff := cmp.Diff(w.AppendTo(nil), backwards.AppendTo(nil)); diff != "" {
		t.Errorf("order within the batch matters:\n%s", diff)
	}
	if diff := cmp.Diff(w.AppendTo(nil), apart.AppendTo(nil)); diff != "" {
		t.Errorf("cutting the batch matters:\n%s", diff)
	}
}

func TestASignalThatMeansAnotherSeriesStartsAnew(t *testing.T) {
	cpu, queue := windowSignal("a", scale.Average), windowSignal("b", scale.Average)
	w := &metric.Window{}
	w.Fold([]scale.Signal{cpu, queue}, []metric.Routed{
		{Signal: 0, Sample: windowSample(-2, 1, 50)}, {Signal: 1, Sample: windowSample(-2, 2, 60)},
	}, windowNow)
	other := cpu
	other.Metric = "network in total"
	for name, c := range map[string]struct {
		signals []scale.Signal
		states  map[string]scale.SignalState
	}{
		"the same signals in another order": {
			[]scale.Signal{queue, cpu}, map[string]scale.SignalState{"a": scale.SignalPartial, "b": scale.SignalPartial},
		},
		"one of them gone": {[]scale.Signal{queue}, map[string]scale.SignalState{"b": scale.SignalPartial}},
		"one redefined": {
			[]scale.Signal{other, queue}, map[string]scale.SignalState{"a": scale.SignalMissing, "b": scale.SignalPartial},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stored, err := metric.ParseWindow(w.AppendTo(nil))
			if err != nil {
				t.Fatal(err)
			}
			check := func(when string) {
				got := map[string]scale.SignalState{}
				for k, v := range metric.View(c.signals, []*metric.Window{stored}, windowNow, nil) {
					got[k] = v.State
				}
				if diff := cmp.Diff(c.states, got); diff != "" {
					t.Errorf("%s: states, -want +got:\n%s", when, diff)
				}
			}
			check("before a fold")
			if n, changed := stored.Fold(c.signals, windowRoute(windowSample(-2, 1, 1)), windowNow); n.Repeated != 1 ||
				changed == (name == "the same signals in another order") {
				t.Errorf("a repeat: %+v, changed %v", n, changed)
			}
			check("after a fold")
		})
	}
}

func TestListensToItsOwnSeriesOnly(t *testing.T) {
	cases := map[string]struct {
		wants   map[string]string
		has     string
		listens bool
	}{
		"neither has dimensions":                         {nil, "", true},
		"an undimensioned signal ignores a dimensioned":  {nil, "vmname=web_3", false},
		"a dimensioned signal ignores the undimensioned": {map[string]string{"vmname": "*"}, "", false},
		"the value is the same":                          {map[string]string{"vmname": "web_3"}, "lun=0,vmname=web_3", true},
		"the value is another":                           {map[string]string{"vmname": "web_3"}, "vmname=web_33", false},
		"any value":                                      {map[string]string{"vmname": "*"}, "vmname=web_33", true},
		"a key is missing":                               {map[string]string{"vmname": "*", "lun": "0"}, "vmname=web_3", false},
		"a key that only begins alike":                   {map[string]string{"vm": "*"}, "vmname=web_3", false},
		"every key is there":                             {map[string]string{"vmname": "*", "lun": "0"}, "lun=0,vmname=web_3", true},
		"names of dimensions fold case":                  {map[string]string{"VMName": "web_3"}, "vmname=web_3", true},
		"a value with a comma and an equals sign":        {map[string]string{"vmname": `a,b=c\d`}, `lun=0,vmname=a\,b\=c\\d`, true},
		"a value that looks like another dimension":      {map[string]string{"lun": "0"}, `vmname=x\,lun=0`, false},
		"values do not":                                  {map[string]string{"vmname": "WEB_3"}, "vmname=web_3", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sig := windowSignal("cpu", scale.Average)
			sig.Dimensions = c.wants
			s := windowSample(-1, 1, 1)
			s.Dimensions = c.has
			if got := metric.Listens(&sig, s); got != c.listens {
				t.Errorf("got %v, want %v", got, c.listens)
			}
		})
	}
	sig := windowSignal("cpu", scale.Average)
	if metric.Listens(&sig, windowWith(windowSample(-1, 1, 1), func(s *scale.Sample) { s.Resource += "/x" })) {
		t.Error("listens to another resource")
	}
	if metric.Listens(&sig, windowWith(windowSample(-1, 1, 1), func(s *scale.Sample) { s.Metric = "network in" })) {
		t.Error("listens to another metric")
	}
}
