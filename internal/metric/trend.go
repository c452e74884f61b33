package metric

import (
	"cmp"
	"math"
	"slices"
	"time"

	"trimtab/internal/scale"
)

// minTrend is how many buckets a trend is made of at least: through two points any line passes.
const minTrend = 3

// Bucket is one bucket of a window that holds samples. Value is the statistic that the signal names, of this bucket alone;
// Demand is the bucket's average times the instances that were in service at its end.
type Bucket struct {
	start               int64
	Value, Demand       float64
	HasValue, HasDemand bool
}

// StartsAt is the start of the bucket.
func (b Bucket) StartsAt() time.Time { return time.UnixMicro(b.start).UTC() }

// Buckets are the measured buckets of one signal's window, oldest first, as [View] takes them; hint is the signal's place
// among the pool's.
func Buckets(
	sig *scale.Signal, hint int, windows []*Window, now time.Time, instances func(time.Time) (int, bool),
) []Bucket {
	m := merger{keeps: true}
	m.gather(sig, hint, windows, now)
	if len(m.heads) > 0 {
		m.sum(now, instances)
	}
	return m.series
}

// named is the statistic of a tally that an aggregation names.
func (t *tally) named(a scale.Aggregation) (float64, bool) {
	switch a {
	case scale.Average, scale.Last:
		return t.mean()
	case scale.Minimum:
		return t.minimum, t.has&scale.HasMinimum != 0
	case scale.Maximum:
		return t.maximum, t.has&scale.HasMaximum != 0
	case scale.Total:
		return t.total.float(), t.has&scale.HasTotal != 0
	case scale.Count:
		return t.count.float(), t.has&scale.HasCount != 0
	}
	return 0, false
}

// outlook adds what the definition asks for of the buckets that sum has kept.
func (m *merger) outlook(sig *scale.Signal, v *scale.SignalView, now time.Time) {
	if sig.Trend {
		v.Trend = m.trend(now)
	}
	if sig.Recent > 0 {
		v.Recent = m.recent(min(sig.Recent, m.buckets))
	}
}

// recent are the values of the newest n buckets, highest first. Without a value in one of them there are none: the
// rest would say less than there was.
func (m *merger) recent(n int) []scale.Milli {
	from := m.start(m.buckets - n)
	var values []scale.Milli
	for _, b := range m.series {
		if b.start < from {
			continue
		}
		milli, fits := scale.ToMilli(b.Value)
		if !b.HasValue || !fits {
			return nil
		}
		values = append(values, milli)
	}
	slices.SortFunc(values, func(a, b scale.Milli) int { return cmp.Compare(b, a) })
	return values
}

// trend is the line through the buckets, nil where there are too few or one has no value.
func (m *merger) trend(now time.Time) *scale.Trend {
	if len(m.series) < minTrend {
		return nil
	}
	var middle float64
	t := scale.Trend{HasDemand: true}
	for _, b := range m.series {
		if !b.HasValue {
			return nil
		}
		t.HasDemand = t.HasDemand && b.HasDemand
		middle += m.minutes(b)
	}
	middle /= float64(len(m.series))
	var spread, values, demands float64
	for _, b := range m.series {
		// The conversions keep machines that can multiply and add in one go from rounding differently.
		x := m.minutes(b) - middle
		spread += float64(x * x)
		values += float64(x * b.Value)
		demands += float64(x * b.Demand)
	}
	if m.named == scale.Total || m.named == scale.Count {
		values *= float64(m.buckets) // as the signal's value is that of the whole window
	}
	var fits bool
	if t.Value, fits = scale.ToMilli(values / spread); !fits {
		return nil
	}
	if t.HasDemand {
		t.Demand, t.HasDemand = scale.ToMilli(demands / spread)
	}
	at := time.UnixMicro(m.series[0].start + int64(math.Round(middle*60e6))).Add(time.Duration(m.width) * time.Microsecond / 2)
	t.AgeSeconds = int(max(now.Sub(at), 0) / time.Second)
	return &t
}

// minutes is how long after the first bucket one begins.
func (m *merger) minutes(b Bucket) float64 { return float64(b.start-m.series[0].start) / 60e6 }
