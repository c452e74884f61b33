package metric_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// windowSignals are n signals with so many buckets of a minute each.
func windowSignals(n, buckets int) []scale.Signal {
	signals := make([]scale.Signal, n)
	for i := range signals {
		signals[i] = windowSignal(fmt.Sprintf("signal_%02d_%s", i, strings.Repeat("x", 100)), scale.Average)
		signals[i].Window = time.Duration(buckets) * time.Minute
		signals[i].Dimensions = map[string]string{"vmname": "*"}
	}
	return signals
}

func TestTheLargestWindowsStayWithinTheBudget(t *testing.T) {
	for name, signals := range map[string][]scale.Signal{
		"one signal of the longest window":   windowSignals(1, metric.MaxBuckets),
		"a few signals of the longest":       windowSignals(7, metric.MaxBuckets),
		"as many signals as there may be":    windowSignals(metric.MaxSignals, 58),
		"many signals of five minutes":       windowSignals(metric.MaxSignals, 5),
		"a single bucket":                    windowSignals(1, 1),
		"few buckets in many short signals":  windowSignals(metric.MaxSignals, 1),
		"more buckets than points are saved": windowSignals(4, 200),
	} {
		t.Run(name, func(t *testing.T) {
			if err := metric.CheckBudget(signals); err != nil {
				t.Fatal(err)
			}
			buckets := int(signals[0].Window / time.Minute)
			stats := func(i int) scale.Stats { // no two alike, none that a short form holds
				v := math.Pi * 1e22 * float64(i%7-3) / 3
				return scale.Stats{Has: windowAll, Average: v, Minimum: v * 1.1, Maximum: v * 1.3, Total: v * 1.7, Count: math.E}
			}
			w := &metric.Window{}
			var routed []metric.Routed
			for i := range signals {
				for b := range buckets {
					for p := range 40 {
						s := windowStats(-b, int64(p%3-1)*(math.MaxInt64-int64(i*b)), stats(p+i+b))
						s.At = s.At.Add(-time.Minute + time.Duration(p*p)*37_123*time.Microsecond)
						s.Dimensions = fmt.Sprintf("vmname=%d_%d_%d", i, b, p)
						s.Source.Element = math.MaxInt32 - p
						s.Source.EnqueuedAt = time.Date(1900+8000*(p%2), 1, 1, 0, i, b, p, time.UTC)
						routed = append(routed, metric.Routed{Signal: i, Sample: s})
					}
				}
			}
			n, _ := w.Fold(signals, routed, windowNow)
			if n.Folded != len(routed) {
				t.Fatalf("%d samples, %+v", len(routed), n)
			}
			data := w.AppendTo(nil)
			if len(data) > metric.Budget {
				t.Errorf("%d bytes, the budget is %d", len(data), metric.Budget)
			}
			stored, err := metric.ParseWindow(data)
			if err != nil {
				t.Fatal(err)
			}
			v := metric.View(signals, []*metric.Window{stored}, windowNow, nil)[signals[0].Name]
			if v.Buckets != buckets {
				t.Errorf("%d of %d buckets are there", v.Buckets, buckets)
			}
			t.Logf("%d buckets: %d bytes, %d%% of the budget", buckets*len(signals), len(data), len(data)*100/metric.Budget)
		})
	}
}

func TestCheckBudgetSaysWhatWouldBeRight(t *testing.T) {
	change := func(signals []scale.Signal, f func(*scale.Signal)) []scale.Signal {
		signals[0].Name = "cpu"
		f(&signals[0])
		return signals
	}
	cases := map[string]struct {
		signals []scale.Signal
		want    string
	}{
		"no signals":              {nil, ""},
		"as much as there may be": {windowSignals(metric.MaxSignals, 58), ""},
		"too many signals":        {windowSignals(33, 5), "33 signals: a pool may have at most 32"},
		"one name twice": {
			change(windowSignals(2, 5), func(s *scale.Signal) { s.Name = windowSignals(2, 5)[1].Name }), "is there twice",
		},
		"no bucket": {
			change(windowSignals(1, 5), func(s *scale.Signal) { s.Bucket = 0 }), `signal "cpu": its bucket is 0s: at least 1s`,
		},
		"a window shorter than its bucket": {
			change(windowSignals(1, 5), func(s *scale.Signal) { s.Window = time.Second }),
			`signal "cpu": its window of 1s is shorter than its bucket of 1m0s`,
		},
		"a window of a day in minutes": {
			change(windowSignals(1, 5), func(s *scale.Signal) { s.Window = 24 * time.Hour }),
			`signal "cpu": a window of 24h0m0s in buckets of 1m0s makes 1440 buckets: at most 240; ` +
				`widen the bucket to 6m0s or shorten the window to 4h0m0s`,
		},
		"too many buckets together": {
			change(windowSignals(20, 100), func(s *scale.Signal) { s.Window = 2 * time.Hour }),
			`shorten the window or widen the bucket of "cpu", which has the most (120)`,
		},
		"a name that is too long": {
			change(windowSignals(1, 5), func(s *scale.Signal) { s.Name = strings.Repeat("n", 129) }), "129 bytes: at most 128",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := metric.CheckBudget(c.signals)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	all := windowSignals(2, 5)
	all[0].Bucket, all[1].Window = 0, time.Second
	if err := metric.CheckBudget(all); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two problems, got %v", err)
	}
}

func TestMergedPointsKeepExactSums(t *testing.T) {
	sig := windowSignal("cpu", scale.Average)
	sig.Dimensions = map[string]string{"vmname": "*"}
	signals := []scale.Signal{sig}
	var samples []*scale.Sample
	for i := range 1000 {
		samples = append(samples, windowWith(windowSample(-1, int64(i), float64(i)), func(s *scale.Sample) {
			s.Dimensions = fmt.Sprintf("vmname=web_%d", i)
		}))
	}
	w := windowOf(signals, samples...)
	v := windowAverages(t, w, signals)
	if v.Average != 499_500 || v.Minimum != -1_000 || v.Maximum != 1_000_000 || v.Total != 1_998_000_000 || v.Count != 4_000_000 {
		t.Errorf("got %+v", v)
	}
	if size := len(w.AppendTo(nil)); size > 2000 {
		t.Errorf("a thousand points of one bucket take %d bytes", size)
	}
}

func TestMergedPointsWithoutSequenceNumberAreNotMergedTwice(t *testing.T) {
	sig := windowSignal("cpu", scale.Average)
	sig.Dimensions = map[string]string{"vmname": "*"}
	signals := []scale.Signal{sig}
	var samples []*scale.Sample
	for i := range 200 {
		samples = append(samples, windowWith(windowSample(-1, 0, float64(i)), func(s *scale.Sample) {
			s.At = s.At.Add(time.Duration(i) * 100 * time.Millisecond)
			s.Dimensions = fmt.Sprintf("vmname=web_%d", i)
			s.Source.Known = false
		}))
	}
	w := windowOf(signals, samples...)
	want := windowAverages(t, w, signals)
	if want.Count != 800_000 {
		t.Errorf("got %+v", want)
	}
	n, changed := w.Fold(signals, windowRoute(samples...), windowNow)
	if got := windowAverages(t, w, signals); n.Repeated != 200 || changed || !cmp.Equal(got, want) {
		t.Errorf("the same again: %+v, changed %v, %+v", n, changed, got)
	}
}

func TestATighterLimitMergesWhatIsAboveIt(t *testing.T) {
	few := windowSignals(1, 5)
	many := append(few[:1:1], windowSignals(8, 200)[1:]...)
	var samples []*scale.Sample
	for i := range 30 {
		samples = append(samples, windowWith(windowSample(-1-i%3, int64(i), float64(i)), func(s *scale.Sample) {
			s.Dimensions = fmt.Sprintf("vmname=web_%d", i)
		}))
	}
	w := windowOf(few, samples...)
	apart, want := len(w.AppendTo(nil)), windowAverages(t, w, few)
	if n, changed := w.Fold(many, windowRoute(samples[29]), windowNow); n.Repeated != 1 || !changed {
		t.Errorf("a repeat under tighter limits: %+v, changed %v", n, changed)
	}
	if merged := len(w.AppendTo(nil)); merged >= apart {
		t.Errorf("%d bytes, %d before", merged, apart)
	}
	if got := windowAverages(t, w, few); !cmp.Equal(withoutArrival(got), withoutArrival(want)) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
