package metric

import (
	"fmt"
	"math"
	"time"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"trimtab/internal/scale"
)

// The fields of Prometheus remote write, version 1 and 2: protobuf in one block of Snappy. Each series carries its labels
// and its samples; version 2 names labels by their places in a table of symbols, and says the type of each metric.
const (
	writeSeries1, writeAbout, writeSymbols             = 1, 3, 4
	writeSeries2                                       = 5
	aboutType, aboutName, aboutHelp, aboutUnit         = 1, 2, 4, 5
	seriesLabels, seriesSamples                        = 1, 2
	seriesHistograms1, seriesHistograms2               = 4, 3
	seriesMetadata, metadataType, seriesCreated        = 5, 1, 6
	labelName, labelValue                              = 1, 2
	sampleValue, sampleAt, sampleStart                 = 1, 2, 3
	typeCounter, typeGauge                             = 1, 2
	staleMarker                                 uint64 = 0x7ff0000000000002
)

// remoteWritten reads a body that is a request of remote write; false, and nothing is read, if it is none.
func (d *Decoder) remoteWritten(body []byte) bool {
	size, err := snappy.DecodedLen(body)
	if err != nil || size == 0 || size > MaxInflated || size > MaxRatio*max(len(body), 64<<10/MaxRatio) {
		return false
	}
	plain, err := snappy.Decode(nil, body)
	if err != nil {
		return false
	}
	var w written
	if !w.read(plain) {
		return false
	}
	for i := range w.series {
		if d.tooMany {
			return true
		}
		d.writtenSeries(&w, &w.series[i])
	}
	return true
}

// written is a request, taken apart as far as its series. About says that it has metadata of version 1, which name types and
// measure nothing: a request of them alone is understood, and holds no element.
type written struct {
	symbols []string
	series  []writtenSeries
	about   bool
}

// writtenSeries are the raw messages of one series; second is of version 2.
type writtenSeries struct {
	raw    []byte
	second bool
}

// read takes a request apart; false if it is none.
func (w *written) read(plain []byte) bool {
	return fieldsOf(plain, func(number protowire.Number, kind protowire.Type, _ uint64, raw []byte) bool {
		switch {
		case kind != protowire.BytesType || len(w.series) > MaxElements || len(w.symbols) > 8*MaxElements:
			return false
		case number == writeSeries1 || number == writeSeries2:
			w.series = append(w.series, writtenSeries{raw, number == writeSeries2})
		case number == writeSymbols:
			w.symbols = append(w.symbols, string(raw))
		case number == writeAbout:
			w.about = w.about || isAbout(raw)
		}
		return true
	}) && (len(w.series) > 0 || w.about)
}

// isAbout reports whether a message has no other fields than metadata of version 1.
func isAbout(raw []byte) bool {
	return fieldsOf(raw, func(number protowire.Number, kind protowire.Type, _ uint64, _ []byte) bool {
		switch number {
		case aboutType:
			return kind == protowire.VarintType
		case aboutName, aboutHelp, aboutUnit:
			return kind == protowire.BytesType
		}
		return false
	})
}

// fieldsOf walks over the fields of a message: raw is what a field of bytes holds, number and bits the value of all others.
// It reports whether the message was well formed and each found its field in order.
func fieldsOf(message []byte, each func(number protowire.Number, kind protowire.Type, bits uint64, raw []byte) bool) bool {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		message = message[n:]
		var bits uint64
		var raw []byte
		switch kind {
		case protowire.VarintType:
			bits, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			bits, n = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			raw, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 || !each(number, kind, bits, raw) {
			return false
		}
		message = message[n:]
	}
	return true
}

// writtenSeries reads the samples of one series. Each is an element; a series that is not well formed is one rejection.
func (d *Decoder) writtenSeries(w *written, s *writtenSeries) {
	p := draft{tagged: true}
	var samples, histograms [][]byte
	var labels []dimension
	kind, created := uint64(0), int64(0)
	ok := fieldsOf(s.raw, func(number protowire.Number, _ protowire.Type, bits uint64, raw []byte) bool {
		switch {
		case number == seriesLabels && s.second:
			return w.refs(raw, &labels)
		case number == seriesLabels:
			var e dimension
			labels = append(labels, e)
			last := &labels[len(labels)-1]
			return fieldsOf(raw, func(number protowire.Number, _ protowire.Type, _ uint64, raw []byte) bool {
				switch number {
				case labelName:
					last.key = string(raw)
				case labelValue:
					last.value = string(raw)
				}
				return len(labels) <= MaxName
			})
		case number == seriesSamples:
			samples = append(samples, raw)
		case number == seriesHistograms1 && !s.second, number == seriesHistograms2 && s.second:
			histograms = append(histograms, raw)
		case number == seriesCreated && s.second:
			created = int64(bits)
		case number == seriesMetadata && s.second:
			return fieldsOf(raw, func(number protowire.Number, _ protowire.Type, bits uint64, _ []byte) bool {
				if number == metadataType {
					kind = bits
				}
				return true
			})
		}
		return true
	})
	for _, e := range labels {
		if e.key == nameLabel {
			p.metric = e.value
		} else {
			p.dimensions = append(p.dimensions, e)
		}
	}
	p.what = fmt.Sprintf("a series of Prometheus remote write (name %s)", clip([]byte(p.metric)))
	if !ok {
		d.reject(ReasonBadField, p.what+" that is not well formed")
		return
	}
	for _, raw := range histograms {
		if d.tooMany {
			return
		}
		d.writtenHistogram(p, raw, created)
	}
	for _, raw := range samples {
		if d.tooMany {
			return
		}
		d.writtenSample(p, raw, kind, created)
	}
}

// refs appends the labels that a list of places in the table of symbols names.
func (w *written) refs(raw []byte, labels *[]dimension) bool {
	for len(raw) > 0 {
		var pair [2]uint64
		for i := range pair {
			v, n := protowire.ConsumeVarint(raw)
			if n < 0 || v >= uint64(len(w.symbols)) {
				return false
			}
			pair[i], raw = v, raw[n:]
		}
		*labels = append(*labels, dimension{w.symbols[pair[0]], w.symbols[pair[1]]})
		if len(*labels) > MaxName {
			return false
		}
	}
	return true
}

// writtenSample ends one sample of a series.
func (d *Decoder) writtenSample(p draft, raw []byte, kind uint64, created int64) {
	bits, at := uint64(0), int64(0)
	if !fieldsOf(raw, func(number protowire.Number, _ protowire.Type, value uint64, _ []byte) bool {
		switch number {
		case sampleValue:
			bits = value
		case sampleAt:
			at = int64(value)
		case sampleStart:
			created = int64(value)
		}
		return true
	}) {
		d.reject(ReasonBadField, p.what+": a sample that is not well formed")
		return
	}
	p.at = time.UnixMilli(at)
	v := math.Float64frombits(bits)
	switch {
	case bits == staleMarker:
		p.stats = unmeasured // the series has ended, which is no measurement
	case kind == typeCounter:
		p.stats, p.running = scale.Stats{Has: scale.HasTotal, Total: v}, &scale.Running{}
	case kind == typeGauge:
		p.stats = lone(v)
	default:
		p.stats, p.running = promValue(p.metric, v)
	}
	if p.running != nil {
		p.running = sinceMilli(created)
	}
	d.put(p)
}
