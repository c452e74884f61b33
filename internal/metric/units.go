package metric

import (
	"strings"

	"trimtab/internal/scale"
)

// quantity is what a unit measures; factor is how many of the quantity's base unit one of it is.
type quantity struct {
	kind   string
	factor float64
}

// The kinds of quantities. What counts things fits every unit: Azure gives Count to percentages and to bytes per second as
// well (facts: events 1.1.1, 1.4).
const (
	share, size, lapse, rate, flow, countable = "share", "size", "time", "rate", "flow", "count"
)

// quantities are the units that are known, in small letters: Azure's, OpenTelemetry's and common ones. Azure's percentages
// go to 100, OpenTelemetry's utilisations to 1 (facts: events 1.8).
var quantities = map[string]quantity{
	"percent": {share, 1}, "%": {share, 1}, "percentage": {share, 1}, "1": {share, 100}, "ratio": {share, 100}, "fraction": {share, 100},
	"bytes": {size, 1}, "byte": {size, 1}, "by": {size, 1}, "b": {size, 1}, "kb": {size, 1e3}, "kby": {size, 1e3}, "kib": {size, 1 << 10},
	"kiby": {size, 1 << 10}, "mb": {size, 1e6}, "mby": {size, 1e6}, "mib": {size, 1 << 20}, "miby": {size, 1 << 20}, "gb": {size, 1e9},
	"gby": {size, 1e9}, "gib": {size, 1 << 30}, "giby": {size, 1 << 30},
	"seconds": {lapse, 1}, "second": {lapse, 1}, "s": {lapse, 1}, "milliseconds": {lapse, 1e-3}, "ms": {lapse, 1e-3},
	"microseconds": {lapse, 1e-6}, "us": {lapse, 1e-6}, "µs": {lapse, 1e-6}, "nanoseconds": {lapse, 1e-9}, "ns": {lapse, 1e-9},
	"minutes": {lapse, 60}, "min": {lapse, 60}, "hours": {lapse, 3600}, "h": {lapse, 3600},
	"countpersecond": {rate, 1}, "1/s": {rate, 1}, "bytespersecond": {flow, 1}, "by/s": {flow, 1}, "bytes/s": {flow, 1},
	"kby/s": {flow, 1e3}, "kiby/s": {flow, 1 << 10}, "kib/s": {flow, 1 << 10}, "mby/s": {flow, 1e6},
	"miby/s": {flow, 1 << 20}, "mib/s": {flow, 1 << 20}, "gby/s": {flow, 1e9}, "giby/s": {flow, 1 << 30}, "gib/s": {flow, 1 << 30},
	"count": {countable, 1},
}

// quantityOf tells a unit; ok is false for one that is not known. OpenTelemetry writes what is counted in braces.
func quantityOf(unit string) (q quantity, ok bool) {
	unit = strings.ToLower(strings.TrimSpace(unit))
	if strings.HasPrefix(unit, "{") {
		if strings.HasSuffix(unit, "}/s") {
			return quantities["1/s"], true
		}
		return quantities["count"], true
	}
	q, ok = quantities[unit]
	return q, ok
}

// azureUnits are the units of platform metrics, by the type of the resource and the metric in small letters: diagnostic
// settings do not say them (facts: events 1.1.1, 1.4).
var azureUnits = map[string]map[string]string{
	"microsoft.compute/virtualmachinescalesets": machineUnits,
	"microsoft.compute/virtualmachines":         machineUnits,
	"microsoft.network/applicationgateways": {
		"currentconnections": "Count", "totalrequests": "Count", "failedrequests": "Count", "healthyhostcount": "Count",
		"unhealthyhostcount": "Count", "responsestatus": "Count", "backendresponsestatus": "Count", "bytesreceived": "Bytes",
		"bytessent": "Bytes", "avgrequestcountperhealthyhost": "Count", "throughput": "BytesPerSecond", "cpuutilization": "Percent",
		"capacityunits": "Count", "computeunits": "Count", "newconnectionspersecond": "CountPerSecond",
		"backendconnecttime": "Milliseconds", "backendfirstbyteresponsetime": "Milliseconds",
		"backendlastbyteresponsetime": "Milliseconds", "applicationgatewaytotaltime": "Milliseconds", "clientrtt": "Milliseconds",
	},
	"microsoft.network/loadbalancers": {
		"syncount": "Count", "packetcount": "Count", "bytecount": "Bytes", "snatconnectioncount": "Count", "vipavailability": "Count",
		"dipavailability": "Count", "allocatedsnatports": "Count", "usedsnatports": "Count",
	},
	"microsoft.servicebus/namespaces": {
		"incomingmessages": "Count", "outgoingmessages": "Count", "incomingrequests": "Count", "activemessages": "Count",
		"messages": "Count", "scheduledmessages": "Count", "deadletteredmessages": "Count", "size": "Bytes", "servererrors": "Count",
		"usererrors": "Count", "throttledrequests": "Count", "namespacecpuusage": "Percent", "namespacememoryusage": "Percent",
	},
	"microsoft.insights/components": {
		"requests/count": "Count", "requests/failed": "Count", "exceptions/count": "Count", "requests/duration": "Milliseconds",
		"dependencies/duration": "Milliseconds", "performancecounters/processcpupercentage": "Percent",
		"performancecounters/requestsinqueue": "Count",
	},
}

// machineUnits are those of scale sets and of machines. Spellings differ in /Sec and /sec; both are small here.
var machineUnits = map[string]string{
	"percentage cpu": "Percent", "available memory bytes": "Bytes", "available memory percentage": "Percent",
	"cpu credits consumed": "Count", "cpu credits remaining": "Count", "network in total": "Bytes", "network out total": "Bytes",
	"network in": "Bytes", "network out": "Bytes", "disk read bytes": "Bytes", "disk write bytes": "Bytes",
	"disk read operations/sec": "CountPerSecond", "disk write operations/sec": "CountPerSecond",
	"os disk queue depth": "Count", "data disk queue depth": "Count",
	"os disk read bytes/sec": "BytesPerSecond", "os disk write bytes/sec": "BytesPerSecond",
	"data disk read bytes/sec": "BytesPerSecond", "data disk write bytes/sec": "BytesPerSecond",
	"os disk read operations/sec": "CountPerSecond", "os disk write operations/sec": "CountPerSecond",
	"data disk read operations/sec": "CountPerSecond", "data disk write operations/sec": "CountPerSecond",
	"os disk bandwidth consumed percentage": "Percent", "os disk iops consumed percentage": "Percent",
	"data disk bandwidth consumed percentage": "Percent", "data disk iops consumed percentage": "Percent",
	"vm cached bandwidth consumed percentage": "Percent", "vm cached iops consumed percentage": "Percent",
	"vm uncached bandwidth consumed percentage": "Percent", "vm uncached iops consumed percentage": "Percent",
	"data disk latency": "Milliseconds", "inbound flows": "Count", "outbound flows": "Count",
	"inbound flows maximum creation rate": "CountPerSecond", "outbound flows maximum creation rate": "CountPerSecond",
	"vmavailabilitymetric": "Count",
}

// UnitOf is the unit of a sample: what it says, or what is known of the platform's metrics; "" if neither tells.
func UnitOf(s *scale.Sample) string {
	if s.Unit != "" {
		return s.Unit
	}
	return azureUnits[typeOf(s.Resource)][s.Metric]
}

// typeOf is the type of the resource that an ID in small letters names, "" if it names none.
func typeOf(resource string) string {
	const providers = "/providers/"
	at := strings.LastIndex(resource, providers)
	if at < 0 {
		return ""
	}
	parts := strings.SplitN(resource[at+len(providers):], "/", 4)
	if len(parts) < 3 {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

// InUnit gives a sample in the unit of a signal that listens to it. What has no unit, or one that is not known, is left as
// it is. ok is false where both are known and the one cannot be turned into the other: such a sample is of something else.
func InUnit(sig *scale.Signal, s scale.Sample) (_ scale.Sample, ok bool) {
	if sig.Unit == "" || sig.Unit == s.Unit {
		return s, true
	}
	want, known := quantityOf(sig.Unit)
	if !known || want.kind == countable {
		return s, true
	}
	have, known := quantityOf(UnitOf(&s))
	if !known || have.kind == countable {
		return s, true
	}
	if have.kind != want.kind {
		return s, false
	}
	if f := have.factor / want.factor; f != 1 {
		s.Average, s.Minimum, s.Maximum, s.Total = s.Average*f, s.Minimum*f, s.Maximum*f, s.Total*f
		s.Unit = sig.Unit
	}
	return s, true
}
