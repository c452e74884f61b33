package metric

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"trimtab/internal/scale"
)

// The fields of a native histogram of Prometheus, the same in both versions of remote write as far as they are read. What the
// buckets say beyond count and sum is not kept, as with those of OTLP.
const (
	nativeCount, nativeCountFloat, nativeSum = 1, 2, 3
	nativeHint, nativeAt, nativeStart        = 14, 15, 17
	// hintGauge says that count and sum are of this instant and not since a beginning.
	hintGauge = 3
)

// writtenHistogram ends one native histogram of a series. Its count and sum run from its beginning, unless it is a gauge's.
func (d *Decoder) writtenHistogram(p draft, raw []byte, created int64) {
	var count, sum float64
	var at int64
	gauge, stale := false, false
	if !fieldsOf(raw, func(number protowire.Number, kind protowire.Type, bits uint64, _ []byte) bool {
		switch {
		case number == nativeCount && kind == protowire.VarintType:
			count = float64(bits)
		case number == nativeCountFloat && kind == protowire.Fixed64Type:
			count = math.Float64frombits(bits)
		case number == nativeSum && kind == protowire.Fixed64Type:
			sum, stale = math.Float64frombits(bits), bits == staleMarker
		case number == nativeHint && kind == protowire.VarintType:
			gauge = bits == hintGauge
		case number == nativeAt && kind == protowire.VarintType:
			at = int64(bits)
		case number == nativeStart && kind == protowire.VarintType:
			created = int64(bits)
		}
		return true
	}) {
		d.reject(ReasonBadField, p.what+": a native histogram that is not well formed")
		return
	}
	p.at = time.UnixMilli(at)
	p.stats = scale.Stats{Has: scale.HasTotal | scale.HasCount, Total: sum, Count: count}
	switch {
	case stale:
		p.stats = unmeasured // the series has ended, which is no measurement
	case gauge:
		p.stats = settled(p.stats)
	default:
		p.running = sinceMilli(created)
	}
	d.put(p)
}

// sinceMilli is the beginning of a running sum in milliseconds, 0 if it was not told.
func sinceMilli(at int64) *scale.Running {
	if at <= 0 || at/1e3 >= epochEnd {
		return &scale.Running{}
	}
	return since(uint64(at) * 1e6)
}
