package engine

import (
	"time"

	"trimtab/internal/forecast"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// loads are what a pool remembers of its loads for weeks: one row beside the windows, written together with the control row
// and only by whoever wins it, so that each span of time enters it once.
type loads struct {
	history *forecast.History
	// version is the stored row's, empty if there is none.
	version string
}

// remembers reports whether a pool has a signal with a forecast.
func remembers(p *pool) bool {
	for i := range p.Signals {
		if p.Signals[i].Forecast != nil {
			return true
		}
	}
	return false
}

// readLoads reads the row. One that cannot be read is begun anew: a forecast is lost, and nothing else.
func readLoads(s *scale.StoredWindow) loads {
	h, err := forecast.Parse(s.Data)
	if err != nil {
		h = &forecast.History{}
	}
	return loads{history: h, version: s.Version}
}

// lookAhead adds the forecasts to a view.
func (v *visit) lookAhead(view *scale.View) {
	if v.loads.history == nil {
		return
	}
	for i := range v.pool.Signals {
		sig := &v.pool.Signals[i]
		if sig.Forecast == nil {
			continue
		}
		s := view.Signals[sig.Name]
		s.Forecast = v.loads.history.Look(sig, v.now)
		view.Signals[sig.Name] = s
	}
}

// record brings the loads of the windows into the history and gives the row to store, nil if nothing is new. A bucket is
// recorded when it is about to leave its window, and with it those of the older half: what comes late has arrived by
// then, and the row is not written for each bucket.
func (v *visit) record() *scale.StoredWindow {
	if !remembers(v.pool) {
		return nil
	}
	h := v.loads.history
	if h == nil {
		h = &forecast.History{}
	}
	changed := h.Keep(v.pool.Signals)
	inService := inService(&v.control, v.now, time.Duration(v.pool.Rails.WarmUpSeconds)*time.Second)
	for i := range v.pool.Signals {
		sig := &v.pool.Signals[i]
		if sig.Forecast == nil {
			continue
		}
		buckets := metric.Buckets(sig, i, v.windows, v.now, inService)
		if points := leaving(sig, buckets, h.Through(sig)); len(points) > 0 {
			changed = h.Record(sig, points) || changed
		}
	}
	if !changed {
		return nil
	}
	return &scale.StoredWindow{Source: scale.HistorySource, Data: h.AppendTo(nil), Version: v.loads.version}
}

// leaving are the loads of the buckets in the older half of a window, once one of its oldest quarter is not recorded yet.
func leaving(sig *scale.Signal, buckets []metric.Bucket, through time.Time) (points []forecast.Point) {
	if len(buckets) == 0 {
		return nil
	}
	newest := buckets[len(buckets)-1].StartsAt()
	half := newest.Add(-sig.Window / 2)
	quarter := newest.Add(-sig.Window * 3 / 4)
	due := false
	for _, b := range buckets {
		at := b.StartsAt()
		if at.Before(through) || at.After(half) {
			continue
		}
		due = due || !at.After(quarter)
		load, ok := b.Demand, b.HasDemand
		if sig.Forecast.Total {
			load, ok = b.Value, b.HasValue
		}
		if milli, fits := scale.ToMilli(load); ok && fits {
			points = append(points, forecast.Point{At: at, Width: sig.Bucket, Load: int64(milli)})
		}
	}
	if !due {
		return nil
	}
	return points
}
