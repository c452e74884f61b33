package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/metric"
	"trimtab/internal/record"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// recorded makes a load of the samples of a recording that the pool's signal listens to: their totals or averages, as the
// load of the whole pool. Samples are taken as the engine takes them: with their event's properties, in the signal's unit,
// of the same identity the one that arrived last.
func (r *readFlags) recorded(path string, events []record.Event, p *replay.Policy) (*trace.Series, error) {
	var signal *scale.Signal
	for i := range p.Pool.Signals {
		if p.Pool.Signals[i].Name == r.signal {
			signal = &p.Pool.Signals[i]
		}
	}
	if signal == nil {
		return nil, fmt.Errorf("--on %s: a recording holds samples of all kinds: --signal names the pool's signal that is the load of "+
			"the whole pool, not of one instance", path)
	}
	heard := heardIn(events, p, signal)
	if len(heard.values) == 0 {
		also := ""
		if heard.running > 0 {
			also = fmt.Sprintf("; %d are readings of running sums, which are no load by themselves", heard.running)
		}
		return nil, fmt.Errorf("--on %s: none of its %d events has a sample of signal %s that measured something%s", path, len(events),
			signal.Name, also)
	}
	var rows strings.Builder
	rows.WriteString("time,value\n")
	for _, id := range heard.order {
		fmt.Fprintf(&rows, "%s,%g\n", id.at.Format(time.RFC3339Nano), heard.values[id].value)
	}
	out, err := trace.ReadCSV(filepath.Base(path), []byte(rows.String()), trace.CSVOptions{Interval: max(r.csv.Interval, time.Minute)})
	if err == nil {
		out.Origin = "recording, signal " + signal.Name
	}
	return out, err
}

// identity tells the samples of one signal apart.
type identity struct {
	at         time.Time
	grain      time.Duration
	dimensions string
}

// arrival is what one identity measured, and when that arrived.
type arrival struct {
	value   float64
	arrived time.Time
}

// hearing is what a signal hears of a recording: values by identity, in the order in which identities were first met.
type hearing struct {
	order   []identity
	values  map[identity]arrival
	running int
}

func heardIn(events []record.Event, p *replay.Policy, signal *scale.Signal) hearing {
	h := hearing{values: make(map[identity]arrival)}
	decoder, name := metric.NewDecoder(), engine.Named([]scale.Pool{p.Pool})
	for i := range events {
		e := &events[i]
		samples, _ := decoder.DecodeWith(e.Body, metric.PropertiesOf(e.Properties, e.System), scale.Source{})
		for k := range samples {
			s := &samples[k]
			name(s)
			if s.Resource != signal.Resource || !metric.Listens(signal, s) {
				continue
			}
			if s.Running != nil {
				h.running++
				continue
			}
			v, ok := loadOf(signal, *s)
			if !ok {
				continue
			}
			id := identity{s.At.UTC(), s.Grain, s.Dimensions}
			before, known := h.values[id]
			if !known {
				h.order = append(h.order, id)
			}
			if !known || !e.EnqueuedAt.Before(before.arrived) {
				h.values[id] = arrival{v, e.EnqueuedAt}
			}
		}
	}
	return h
}

// loadOf is the value of a sample; ok is false where it measured nothing, or something else than the signal's unit says.
func loadOf(signal *scale.Signal, s scale.Sample) (v float64, ok bool) {
	s, ok = metric.InUnit(signal, s)
	switch {
	case !ok, s.Has&scale.HasCount != 0 && s.Count == 0:
		return 0, false
	case signal.Aggregation == scale.Total && s.Has&scale.HasTotal != 0:
		return s.Total, true
	}
	return s.Average, s.Has&scale.HasAverage != 0
}
