package metric

import (
	"encoding/binary"
	"fmt"
	"strings"

	"trimtab/internal/scale"
)

// prometheusShape reads one sample as the adapters from Prometheus to Kafka write it (facts: events 1.9). What kind of
// metric it is, only its name tells.
var prometheusShape = shape{
	is:   func(o *object) bool { return o.has("name", "labels", "value", "timestamp") },
	read: (*Decoder).prometheus,
	once: []string{"name", "labels", "value", "timestamp"},
}

// cumulativeSuffixes end the names of what Prometheus only ever counts up, by its conventions.
var cumulativeSuffixes = [...]string{"_total", "_count", "_sum", "_bucket"}

// nameLabel holds the metric's name once more.
const nameLabel = "__name__"

// promValue is what a value of Prometheus says: a reading of a sum that runs since nobody knows when if the name says
// that it only counts up, else one measurement.
func promValue(name string, v float64) (scale.Stats, *scale.Running) {
	for _, suffix := range cumulativeSuffixes {
		if strings.HasSuffix(name, suffix) {
			return scale.Stats{Has: scale.HasTotal, Total: v}, &scale.Running{}
		}
	}
	return lone(v), nil
}

func (d *Decoder) prometheus(o *object) {
	p := draft{tagged: true, metric: o.text("name")}
	p.what = fmt.Sprintf("a sample of Prometheus (name %s) at byte %d", clip([]byte(p.metric)), o.at)
	value := o.get("value")
	v, ok := value.number()
	if !ok {
		d.reject(ReasonBadNumber, p.what+": want a finite number; "+value.where())
		return
	}
	p.stats, p.running = promValue(p.metric, v)
	var why string
	if p.at, why = o.get("timestamp").timeOf(); why != "" {
		d.reject(ReasonBadTime, p.what+": "+why)
		return
	}
	labels, why := dimensionsOf(o.get("labels"))
	if why != "" {
		d.reject(ReasonBadDimension, p.what+": "+why)
		return
	}
	for _, e := range labels {
		if e.key != nameLabel {
			p.dimensions = append(p.dimensions, e)
		}
	}
	d.put(p)
}

// remoteWrite reports whether a body looks like a request of Prometheus remote write: protobuf in a block of Snappy,
// which has no magic but begins with its uncompressed length and then, for such short beginnings, a literal. The first
// field of the request is its series, in version 2 its symbols, or metadata, which Prometheus sends alone now and then.
func remoteWrite(body []byte) bool {
	size, n := binary.Uvarint(body)
	if n <= 0 || size < uint64(len(body))/2 || size > 64*uint64(len(body)) || n+2 >= len(body) {
		return false
	}
	tag := body[n]
	literal := n + 1
	if tag&3 != 0 {
		return false
	}
	// Literals of 61 bytes and more have their length in the bytes behind the tag.
	if long := int(tag>>2) - 59; long > 0 {
		literal += long
	}
	return literal+1 < len(body) && (body[literal] == 0x0a || body[literal] == 0x22 || body[literal] == 0x1a)
}
