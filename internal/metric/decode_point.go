package metric

import (
	"fmt"
	"math"
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// draft is a sample in the making: what a format of the table found, before it is held to the rules that hold for all.
type draft struct {
	// what names the element in messages: "a Telegraf metric at byte 12".
	what string
	// resource is empty where the format has no field for it; then the dimensions may name it, or the envelope.
	resource, metric, unit string
	dimensions             []dimension
	at                     time.Time
	grain                  time.Duration
	stats                  scale.Stats
	// running is set where the statistics are sums since some beginning.
	running *scale.Running
	// tagged says that the format is an agent's, whose tags say at least which host or service was measured.
	tagged bool
}

// put ends an element as the sample that p says, or says what forbids that.
func (d *Decoder) put(p draft) {
	refuse := func(reason, format string, args ...any) {
		d.reject(reason, p.what+": "+fmt.Sprintf(format, args...))
	}
	if !d.locate(&p) {
		return
	}
	resource, why := resourceName([]byte(p.resource))
	if why != "" {
		refuse(ReasonBadName, "the resource %s %s", clip([]byte(p.resource)), why)
		return
	}
	name, why := metricName([]byte(p.metric))
	if why != "" {
		refuse(ReasonBadName, "the metric's name %s %s", clip([]byte(p.metric)), why)
		return
	}
	unit, why := unitName([]byte(p.unit))
	if why != "" {
		refuse(ReasonBadName, "the unit %s %s", clip([]byte(p.unit)), why)
		return
	}
	if len(p.dimensions) > maxDimensions {
		refuse(ReasonBadDimension, "more than %d dimensions", maxDimensions)
		return
	}
	dimensions, why := joinDimensions(p.dimensions)
	switch {
	case why != "":
		refuse(ReasonBadDimension, "%s", why)
	case p.stats.Has&^scale.HasCount == 0 && p.stats != unmeasured && p.running == nil:
		refuse(ReasonMissingField, "no value of %s", clip([]byte(p.metric)))
	case p.at.IsZero():
		refuse(ReasonBadTime, "no time")
	case p.at.Unix() < epochFirst || p.at.Unix() >= epochEnd:
		refuse(ReasonBadTime, "%s is not within the years 2000 to 2099", p.at.UTC().Format(time.RFC3339))
	case p.grain < 0 || p.grain > maxGrain:
		refuse(ReasonBadGrain, "a span of %s, which is longer than a year or runs backwards", p.grain)
	case !finite(p.stats):
		refuse(ReasonBadNumber, "%s is not finite", clip([]byte(p.metric)))
	default:
		sample := d.accept()
		sample.Resource, sample.Metric, sample.Dimensions, sample.Unit = resource, name, dimensions, unit
		sample.At, sample.Grain, sample.Stats = p.at.UTC(), p.grain, p.stats
		sample.Running, sample.Format = p.running, d.format
		if d.format == scale.FormatUnknown {
			sample.Format = scale.FormatAgent
		}
	}
}

// locate finds out what resource a draft is of: its own field says so, or its dimensions, or the envelope. Where nothing
// does, the element ends as a rejection.
func (d *Decoder) locate(p *draft) bool {
	if p.resource == "" {
		p.resource, p.dimensions = resourceOf(p.dimensions)
	}
	if p.resource == "" && d.envelope != nil {
		p.resource = d.envelope.resource
	}
	if p.resource == "" && p.tagged {
		p.resource = measured(p.dimensions)
	}
	if p.resource == "" {
		d.reject(ReasonNoResource, fmt.Sprintf("%s says no resource; right would be a tag or attribute %s with an ARM resource ID, or "+
			"%s with a name that a signal uses", p.what, strings.Join(resourceKeys[:], ", "), scaleSetNameKey))
	}
	return p.resource != ""
}

// finite reports whether statistics are numbers. What is not there is zero, and zero is one.
func finite(s scale.Stats) bool {
	sum := s.Average - s.Average + s.Minimum - s.Minimum + s.Maximum - s.Maximum + s.Total - s.Total + s.Count - s.Count
	return !math.IsNaN(sum)
}

// maxDimensions is how many dimensions a sample of the table's formats may have. Those of one element are joined anew
// for each of its samples.
const maxDimensions = 256

// dimension is a name and its value, as they were sent.
type dimension struct{ key, value string }

// resourceKeys are the tags and attributes that hold an ARM resource ID, in small letters, in the order in which they
// are asked: the one of OpenTelemetry's conventions first (facts: events 1.8).
var resourceKeys = [...]string{"cloud.resource_id", "resource_id", "resourceid"}

// measuredKeys are the tags and attributes that say what was measured where nothing says what it is to Azure, and the word
// that then stands before it. The slash keeps a host from being taken for a scale set of the same name.
var measuredKeys = [...]struct{ key, word string }{
	{"host.name", "host/"}, {"host", "host/"}, {"instance", "instance/"}, {"service.name", "service/"},
}

// measured names a resource by what its sender calls it, "" if the tags do not tell. The tag stays a dimension, by which a
// signal of any resource finds it.
func measured(dimensions []dimension) string {
	for _, k := range measuredKeys {
		for _, e := range dimensions {
			if e.value != "" && strings.EqualFold(e.key, k.key) {
				return k.word + e.value
			}
		}
	}
	return ""
}

// Attributes from which the ID of a scale set can be put together: OpenTelemetry's resource detection for Azure tells
// them. None of them alone says which set it is.
const (
	subscriptionKey  = "cloud.account.id"
	groupKey         = "azure.resourcegroup.name"
	scaleSetKey      = "azure.vm.scaleset.name"
	scaleSetNameKey  = "vmss"
	scaleSetIDFormat = "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/virtualMachineScaleSets/%s"
)

// resourceOf finds the resource that tags or attributes name, "" if they name none, and what is left of them: a
// dimension that repeats the resource would tell nothing apart.
func resourceOf(dimensions []dimension) (resource string, rest []dimension) {
	value := func(key string) string {
		for _, e := range dimensions {
			if strings.EqualFold(e.key, key) {
				return e.value
			}
		}
		return ""
	}
	without := func(keys ...string) (rest []dimension) {
	next:
		for _, e := range dimensions {
			for _, key := range keys {
				if strings.EqualFold(e.key, key) {
					continue next
				}
			}
			rest = append(rest, e)
		}
		return rest
	}
	for _, key := range resourceKeys {
		if id := value(key); id != "" {
			return id, without(key)
		}
	}
	if account, group, set := value(subscriptionKey), value(groupKey), value(scaleSetKey); account != "" && group != "" && set != "" {
		return fmt.Sprintf(scaleSetIDFormat, account, group, set), without(subscriptionKey, groupKey, scaleSetKey)
	}
	if name := value(scaleSetNameKey); name != "" {
		return name, without(scaleSetNameKey)
	}
	return "", dimensions
}

// dimensionsOf reads a field that is an object of strings, or a string that holds one. Numbers and truth values count
// as they are written, nulls not at all; why says what is wrong, otherwise "".
func dimensionsOf(m *member) (dimensions []dimension, why string) {
	if m == nil {
		return nil, ""
	}
	raw := m.raw
	if text, ok := m.text(); ok {
		var s scan.Scanner
		s.Reset([]byte(text))
		s.Skip()
		if s.Finish() != nil {
			return nil, "want an object of strings; " + m.where()
		}
		raw = []byte(text)
	}
	var s scan.Scanner
	s.Reset(raw)
	if s.Kind() != scan.Object {
		return nil, "want an object of strings; " + m.where()
	}
	for s.Object(); s.Field(); {
		key := string(s.Key())
		switch kind := s.Kind(); kind {
		case scan.String:
			dimensions = append(dimensions, dimension{key, string(s.Text())})
		case scan.Null:
			s.Null()
		case scan.Number, scan.True, scan.False:
			dimensions = append(dimensions, dimension{key, string(s.Raw())})
		default:
			return nil, fmt.Sprintf("%s at byte %d: %s: want a string, got %s", m.key, m.at, clip([]byte(key)), kind)
		}
		if len(dimensions) > MaxName {
			return nil, fmt.Sprintf("%s at byte %d: longer than %d bytes", m.key, m.at, MaxName)
		}
	}
	return dimensions, ""
}

// timeOf reads a field that is a time, in any of the layouts that are read; why says what is wrong, otherwise "".
func (m *member) timeOf() (at time.Time, why string) {
	switch m.kind() {
	case scan.Number:
		at, why = epoch(m.raw)
	case scan.String:
		text, _ := m.text()
		at, why = sampleTime([]byte(text))
	default:
		why = "is neither a string nor a number"
	}
	if why != "" {
		why = m.where() + " " + why
	}
	return at, why
}
