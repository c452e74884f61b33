package metric

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// maxMessages is how many messages one OTLP request may hold, those of all depths together. An empty one takes two bytes
// of a body and over a hundred of memory.
const maxMessages = 20 * MaxElements

// otlpFirst is the first byte of an OTLP request in protobuf: its only field, with a length.
const otlpFirst = 0x0a

// otlpShape reads OTLP metrics in JSON (facts: events 1.8).
var otlpShape = shape{
	is:   func(o *object) bool { return o.mark("resourcemetrics") },
	read: (*Decoder).otlpJSON,
	once: []string{"resourcemetrics"},
}

// otlpOtherShape tells the other signals of OTLP.
var otlpOtherShape = shape{
	is: func(o *object) bool { return o.mark("resourcelogs") || o.mark("resourcespans") },
	read: func(d *Decoder, o *object) {
		d.reject(ReasonUnsupportedFormat, fmt.Sprintf("OTLP logs or traces at byte %d, not metrics", o.at))
	},
}

func (d *Decoder) otlpJSON(o *object) {
	what := fmt.Sprintf("an OTLP metrics request at byte %d", o.at)
	m := o.get("resourcemetrics")
	if m == nil {
		d.reject(ReasonMissingField, what+" without resourceMetrics")
		return
	}
	if bytes.Count(m.raw, []byte{'{'}) > maxMessages {
		d.reject(ReasonTooManyElements, fmt.Sprintf("%s of more than %d objects; send several bodies", what, maxMessages))
		return
	}
	// The name is written anew because only its casing was forgiven, and a reader of protobuf's JSON would drop it.
	raw := append(append([]byte(`{"resourceMetrics":`), m.raw...), '}')
	var data metricspb.MetricsData
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, &data); err != nil {
		// The library varies the blanks of its messages from build to build.
		why := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		d.reject(ReasonBadField, what+": "+clip([]byte(why)))
		return
	}
	d.otlp(&data)
}

// otlpBytes reads a body in protobuf; false, and nothing is read, if it is no request of OTLP metrics.
func (d *Decoder) otlpBytes(body []byte) bool {
	var data metricspb.MetricsData
	w := walk{left: maxMessages}
	if !w.wellKnown(data.ProtoReflect().Descriptor(), body) {
		if w.left > 0 {
			return false
		}
		d.reject(ReasonTooManyElements, fmt.Sprintf("an OTLP metrics request of more than %d messages; send several bodies", maxMessages))
		return true
	}
	if proto.Unmarshal(body, &data) != nil {
		return false
	}
	d.otlp(&data)
	return true
}

// walk looks through protobuf before memory is spent on it.
type walk struct{ left, depth int }

// wellKnown reports whether bytes are a message of a type, by its fields' numbers and kinds and no deeper than JSON may
// be nested, and takes the messages in it from what is left. Protobuf says so little of itself that another signal of
// OTLP, or no protobuf at all, would else pass for metrics. Fields that the type does not have are let pass below the
// top: newer senders have them.
func (w *walk) wellKnown(of protoreflect.MessageDescriptor, body []byte) bool {
	w.left--
	w.depth++
	defer func() { w.depth-- }()
	if w.left <= 0 || w.depth > scan.MaxDepth {
		return false
	}
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return false
		}
		body = body[n:]
		field := of.Fields().ByNumber(number)
		if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 || field == nil && w.depth == 1 {
			return false
		}
		if field != nil && !fits(field, kind) {
			return false
		}
		if field != nil && field.Message() != nil {
			inner, _ := protowire.ConsumeBytes(body)
			if !w.wellKnown(field.Message(), inner) {
				return false
			}
		}
		body = body[n:]
	}
	return true
}

// fits reports whether a field may be written in a kind; lists of numbers may be packed or not.
func fits(field protoreflect.FieldDescriptor, kind protowire.Type) bool {
	want := protowire.VarintType
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.StringKind, protoreflect.BytesKind:
		return kind == protowire.BytesType
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		want = protowire.Fixed64Type
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		want = protowire.Fixed32Type
	}
	return kind == want || field.IsList() && kind == protowire.BytesType
}

// otlp reads the points of a request. Each of them is an element; a metric of which none can be read is one rejection.
func (d *Decoder) otlp(data *metricspb.MetricsData) {
	for _, resource := range data.GetResourceMetrics() {
		around := dimensionsOfAttributes(resource.GetResource().GetAttributes())
		for _, scope := range resource.GetScopeMetrics() {
			within := around
			if name := scope.GetScope().GetName(); name != "" {
				within = overlaid(around, []dimension{{scopeKey, name}})
			}
			// More than a sample may have are not copied from point to point only to be refused at each.
			within = within[:min(len(within), 2*maxDimensions)]
			for _, m := range scope.GetMetrics() {
				if d.tooMany {
					return
				}
				d.otlpMetric(m, within)
			}
		}
	}
}

// scopeKey is the attribute that stands for the scope where there are no scopes, by OpenTelemetry's conventions. Two
// scopes may have a metric of one name.
const scopeKey = "otel.scope.name"

func (d *Decoder) otlpMetric(m *metricspb.Metric, around []dimension) {
	p := draft{tagged: true, metric: m.GetName(), unit: m.GetUnit()}
	p.what = fmt.Sprintf("an OTLP metric (name %s)", clip([]byte(p.metric)))
	switch data := m.GetData().(type) {
	case *metricspb.Metric_Gauge:
		d.otlpNumbers(p, data.Gauge.GetDataPoints(), around, value)
	case *metricspb.Metric_Sum:
		points, temporality := data.Sum.GetDataPoints(), data.Sum.GetAggregationTemporality()
		switch {
		case temporality == cumulative && !data.Sum.GetIsMonotonic():
			// What goes up and down is where it is now: the sum so far is the present value.
			d.otlpNumbers(p, points, around, value)
		case temporality == cumulative:
			d.otlpNumbers(p, points, around, running)
		case d.isDelta(p.what, temporality, len(points)):
			d.otlpNumbers(p, points, around, span)
		}
	case *metricspb.Metric_Histogram:
		points := data.Histogram.GetDataPoints()
		putHistograms(d, p, data.Histogram.GetAggregationTemporality(), points, around)
	case *metricspb.Metric_ExponentialHistogram:
		points := data.ExponentialHistogram.GetDataPoints()
		putHistograms(d, p, data.ExponentialHistogram.GetAggregationTemporality(), points, around)
	case *metricspb.Metric_Summary:
		d.otlpSummaries(p, data.Summary.GetDataPoints(), around)
	default:
		d.reject(ReasonMissingField, p.what+" without gauge, sum or histogram")
	}
}

const (
	cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	delta      = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
)

// meaning is what a number of a point stands for.
type meaning uint8

const (
	// value: one measurement at an instant. span: the sum over a span. running: the sum since some beginning.
	value meaning = iota
	span
	running
)

// isDelta reports whether points stand for a span each, and rejects their metric if they do not.
func (d *Decoder) isDelta(what string, t metricspb.AggregationTemporality, points int) bool {
	if t == delta {
		return true
	}
	d.reject(ReasonBadField, fmt.Sprintf("%s of %d points: want an aggregationTemporality of 1 or 2, got %d", what, points, t))
	return false
}

// otlpNumbers reads the points of a gauge, or those of a sum over spans.
func (d *Decoder) otlpNumbers(p draft, points []*metricspb.NumberDataPoint, around []dimension, as meaning) {
	what := p.what
	for i, e := range points {
		if d.tooMany {
			return
		}
		p.what = fmt.Sprintf("%s, point %d", what, i)
		v := e.GetAsDouble()
		if _, whole := e.GetValue().(*metricspb.NumberDataPoint_AsInt); whole {
			v = float64(e.GetAsInt())
		}
		start := uint64(0)
		p.running = nil
		switch {
		case unrecorded(e):
			p.stats = unmeasured
		case e.GetValue() == nil:
			p.stats = scale.Stats{}
		case as == span:
			p.stats, start = scale.Stats{Has: scale.HasTotal, Total: v}, e.GetStartTimeUnixNano()
		case as == running:
			p.stats, p.running = scale.Stats{Has: scale.HasTotal, Total: v}, since(e.GetStartTimeUnixNano())
		default:
			p.stats = lone(v)
		}
		d.otlpPut(p, around, e.GetAttributes(), start, e.GetTimeUnixNano())
	}
}

// histogram is a point of either kind of histogram: what the buckets say beyond it is not kept.
type histogram interface {
	GetAttributes() []*commonpb.KeyValue
	GetStartTimeUnixNano() uint64
	GetTimeUnixNano() uint64
	GetCount() uint64
	GetSum() float64
	GetMin() float64
	GetMax() float64
	GetFlags() uint32
	ProtoReflect() protoreflect.Message
}

func putHistograms[T histogram](d *Decoder, p draft, t metricspb.AggregationTemporality, points []T, around []dimension) {
	if t != cumulative && !d.isDelta(p.what, t, len(points)) {
		return
	}
	what := p.what
	for i, e := range points {
		if d.tooMany {
			return
		}
		p.what = fmt.Sprintf("%s, point %d", what, i)
		s := scale.Stats{Has: scale.HasCount, Count: float64(e.GetCount())}
		fields := e.ProtoReflect()
		for name, f := range map[protoreflect.Name]struct {
			has   scale.Has
			into  *float64
			value float64
		}{
			"sum": {scale.HasTotal, &s.Total, e.GetSum()},
			"min": {scale.HasMinimum, &s.Minimum, e.GetMin()},
			"max": {scale.HasMaximum, &s.Maximum, e.GetMax()},
		} {
			if fields.Has(fields.Descriptor().Fields().ByName(name)) {
				*f.into, s.Has = f.value, s.Has|f.has
			}
		}
		start := e.GetStartTimeUnixNano()
		p.stats, p.running = settled(s), nil
		switch {
		case unrecorded(e):
			p.stats = unmeasured
		case t == cumulative:
			// The least and the most since the beginning say nothing about now.
			s.Has &= scale.HasTotal | scale.HasCount
			s.Minimum, s.Maximum = 0, 0
			p.stats, p.running, start = s, since(start), 0
		}
		d.otlpPut(p, around, e.GetAttributes(), start, e.GetTimeUnixNano())
	}
}

// otlpSummaries reads the points of summaries: their sums and counts run (facts: events 1.8).
func (d *Decoder) otlpSummaries(p draft, points []*metricspb.SummaryDataPoint, around []dimension) {
	what := p.what
	for i, e := range points {
		if d.tooMany {
			return
		}
		p.what = fmt.Sprintf("%s, point %d", what, i)
		p.stats = scale.Stats{Has: scale.HasTotal | scale.HasCount, Total: e.GetSum(), Count: float64(e.GetCount())}
		p.running = since(e.GetStartTimeUnixNano())
		if unrecorded(e) {
			p.stats, p.running = unmeasured, nil
		}
		d.otlpPut(p, around, e.GetAttributes(), 0, e.GetTimeUnixNano())
	}
}

// since is the beginning of a running sum.
func since(nano uint64) *scale.Running {
	r := &scale.Running{}
	if nano != 0 && nano/1e9 >= epochFirst && nano/1e9 < epochEnd {
		r.Since = time.Unix(0, int64(nano)).UTC()
	}
	return r
}

// unrecorded reports whether a point says that there is no value.
func unrecorded(e interface{ GetFlags() uint32 }) bool {
	return e.GetFlags()&uint32(metricspb.DataPointFlags_DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK) != 0
}

// otlpPut ends a point, of a span if start lies before the end.
func (d *Decoder) otlpPut(p draft, around []dimension, attributes []*commonpb.KeyValue, start, end uint64) {
	p.dimensions = overlaid(around, dimensionsOfAttributes(attributes))
	if end != 0 {
		// Beyond the year 2262 a time turns negative, and is refused for that.
		p.at = time.Unix(0, int64(end))
	}
	if start != 0 && start < end {
		p.at, p.grain = time.Unix(0, int64(start)), time.Duration(end-start)
	}
	d.put(p)
}

// overlaid are dimensions with those of a wider scope that they do not name themselves.
func overlaid(around, own []dimension) []dimension {
	all := append(make([]dimension, 0, len(around)+len(own)), own...)
next:
	for _, e := range around {
		for i := range own {
			if strings.EqualFold(own[i].key, e.key) {
				continue next
			}
		}
		all = append(all, e)
	}
	return all
}
