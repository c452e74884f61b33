package engine

import (
	"context"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// dealer deals what a batch brought to the pools that it concerns, in order of arrival.
type dealer struct {
	*Engine
	now    time.Time
	report *Report
	shares []share
	index  map[*pool]int
}

// of is a pool's share.
func (d *dealer) of(p *pool) *share {
	n, ok := d.index[p]
	if !ok {
		n, d.index[p] = len(d.shares), len(d.shares)
		d.shares = append(d.shares, share{pool: p})
	}
	return &d.shares[n]
}

// sort decodes the events of a batch and deals them. It fails only when the ledger cannot say whose machines spoke.
func (e *Engine) sort(ctx context.Context, b Batch, now time.Time, report *Report) ([]share, []scale.DeadLetter, error) {
	decoder := e.decoders.Get().(*metric.Decoder)
	defer e.decoders.Put(decoder)
	d := &dealer{Engine: e, now: now, report: report, index: make(map[*pool]int)}
	var letters []scale.DeadLetter
	for _, ev := range b.Events {
		if ev.Source.EnqueuedAt.After(now.Add(time.Minute)) {
			// Nothing has arrived in the future: what says so must not speak for a hub created anew, nor win against what
			// arrives from now on.
			ev.Source.EnqueuedAt = now
		}
		samples, rejected := decoder.DecodeWith(ev.Body, ev.Properties, ev.Source)
		if len(rejected) > 0 {
			report.DeadLetters++
			beside := ev.Properties.Kept()
			letters = append(letters, scale.DeadLetter{
				Source: ev.Source, ReceivedAt: now, Rejections: append([]scale.Rejection(nil), rejected...), Body: ev.Body,
				Application: beside.Application, System: beside.System,
			})
		}
		if err := d.tell(ctx, decoder.Notices()); err != nil {
			return nil, nil, err
		}
		report.Samples += len(samples)
		if err := d.deal(ctx, samples); err != nil {
			return nil, nil, err
		}
	}
	return d.shares, letters, nil
}

// tell deals notices to the pools whose sets or machines they are about.
func (d *dealer) tell(ctx context.Context, notices []scale.Notice) error {
	for _, n := range notices {
		d.report.Notices++
		set, how, err := d.belongs(ctx, n.Resource, n.At, d.now)
		if err != nil {
			return err
		}
		concerned := d.fleet.sets[set]
		if how == stranger {
			concerned = nil
		}
		for _, p := range concerned {
			s := d.of(p)
			s.notices = append(s.notices, n)
		}
		if len(concerned) == 0 {
			d.report.Unheard++
		}
	}
	return nil
}

// deal deals samples to the pools that listen.
func (d *dealer) deal(ctx context.Context, samples []scale.Sample) error {
	// The decoder owns its slice: what is routed is kept in one of our own.
	var kept []scale.Sample
	var s *share
	for i := range samples {
		d.fleet.name(&samples[i])
		routed := false
		for _, t := range d.routes[route{samples[i].Resource, samples[i].Metric}] {
			if !metric.Listens(&t.pool.Signals[t.signal], &samples[i]) {
				continue
			}
			if kept == nil {
				kept = make([]scale.Sample, len(samples))
			}
			sample, fits := metric.InUnit(&t.pool.Signals[t.signal], samples[i])
			if !fits {
				d.report.Misfits++
				continue
			}
			s, routed = d.of(t.pool), true
			if own := &kept[i]; own.Metric == "" || *own == sample {
				*own = sample
				s.routed = append(s.routed, metric.Routed{Signal: t.signal, Sample: own})
			} else {
				// Another pool has it in another unit.
				s.routed = append(s.routed, metric.Routed{Signal: t.signal, Sample: &sample})
			}
		}
		routed = d.wildly(d.wild[samples[i].Metric], &samples[i]) || routed
		if d.herded[samples[i].Metric] {
			herded, err := d.herd(ctx, &samples[i])
			if err != nil {
				return err
			}
			routed = herded || routed
		}
		if !routed {
			d.report.Unrouted++
			d.counting.count(&samples[i], d.now)
		}
	}
	return nil
}

// herd deals a sample of a machine to the signals that hear the machines of its set.
func (d *dealer) herd(ctx context.Context, s *scale.Sample) (bool, error) {
	set, how, err := d.belongs(ctx, s.Resource, s.At, d.now)
	if err != nil || set == "" || set == s.Resource {
		return false, err
	}
	listeners := d.routes[route{set + metric.MachinesOf, s.Metric}]
	switch {
	case len(listeners) == 0:
		return false, nil
	case how == stranger:
		d.report.Strangers++
		return false, nil
	}
	routed := d.wildly(listeners, s)
	if routed && how == namesake {
		d.report.Namesakes++
	}
	return routed, nil
}

// wildly deals a sample to signals that hear more than one resource.
func (d *dealer) wildly(listeners []target, s *scale.Sample) (routed bool) {
	for _, t := range listeners {
		sig := &t.pool.Signals[t.signal]
		if !metric.Fits(sig, s) {
			continue
		}
		sample, fits := metric.InUnit(sig, *s)
		if !fits {
			d.report.Misfits++
			continue
		}
		told := metric.Told(sig, sample)
		own := d.of(t.pool)
		own.routed, routed = append(own.routed, metric.Routed{Signal: t.signal, Sample: &told}), true
	}
	return routed
}
