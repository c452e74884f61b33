package metric

import (
	"strings"

	"trimtab/internal/scale"
)

// What a signal may name in place of a resource.
const (
	// AnyResource is every resource: the signal's dimensions, tags of the sender's, tell its samples from others.
	AnyResource = "*"
	// MachinesOf follows the ID of a scale set: every machine of it.
	MachinesOf = "/virtualmachines/*"

	setSegment     = "/virtualmachinescalesets/"
	machineSegment = "/virtualmachines/"
)

// Wild reports whether a signal hears more than one resource.
func Wild(sig *scale.Signal) bool {
	return sig.Resource == AnyResource || strings.HasSuffix(sig.Resource, MachinesOf)
}

// Hears reports whether a signal is of a resource, as far as the resource's name tells.
func Hears(sig *scale.Signal, resource string) bool {
	if sig.Resource == resource || sig.Resource == AnyResource {
		return true
	}
	set, ok := strings.CutSuffix(sig.Resource, MachinesOf)
	return ok && set == SetOf(resource) && set != resource
}

// SetOf is the ID of the scale set that a resource is, or is a machine of; "" if it is neither. Instances of a Uniform set
// lie below it. Machines of a Flexible set are ordinary ones, which Azure calls SET_ and eight letters and digits (facts:
// events 1.1.1): a machine that was given another name is not told by it.
func SetOf(resource string) string {
	if at := strings.Index(resource, setSegment); at >= 0 {
		end := at + len(setSegment)
		if next := strings.IndexByte(resource[end:], '/'); next >= 0 {
			return resource[:end+next]
		}
		return resource
	}
	at := strings.LastIndex(resource, machineSegment)
	if at < 0 {
		return ""
	}
	name := resource[at+len(machineSegment):]
	cut := strings.LastIndexByte(name, '_')
	if cut <= 0 || cut == len(name)-1 || strings.IndexByte(name, '/') >= 0 {
		return ""
	}
	return resource[:at] + setSegment + name[:cut]
}

// Told is a sample as a signal that hears several resources keeps it: the resource is one of its dimensions, or samples of
// two machines at one instant would be taken for the same.
func Told(sig *scale.Signal, s scale.Sample) scale.Sample {
	if !Wild(sig) {
		return s
	}
	own := "resource_id=" + escapeDimension.Replace(s.Resource)
	if s.Dimensions != "" {
		own = s.Dimensions + "," + own
	}
	s.Dimensions = own
	return s
}
