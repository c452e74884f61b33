package metric

import (
	"fmt"
	"strconv"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// format is what an element turns out to be.
type format uint8

const (
	// formatForeign is everything that the table of shapes tells apart.
	formatForeign format = iota
	formatOwn
	formatRecords
	formatPlatform
)

// format tells the formats apart, the surest marks first (facts: events 0).
func (r *record) format() format {
	switch {
	case r.seen.has(fSpecVersion), r.seen.has(fEventType) && r.seen.has(fEventTime) && r.seen.has(fTopic),
		r.seen.has(fSchemaID), r.seen.has(fResourceMetrics):
		return formatForeign
	case r.seen.has(fTrimtab):
		return formatOwn
	case r.seen.has(fRecords):
		return formatRecords
	case r.seen.has(fMetricName):
		return formatPlatform
	}
	return formatForeign
}

// form is how a supported format spells a sample.
type form struct {
	name                             string
	resource, metric, grain, average field
	// required must be there, read matter at all.
	required, read fields
}

var (
	// platformForm serves both exports of platform metrics: the one by data collection rules has dimensions and a unit
	// besides (facts: events 1.1, 1.2).
	platformForm = form{
		name: "a platform metric", resource: fResourceID, metric: fMetricName, grain: fTimeGrain, average: fAverage,
		required: set(fResourceID, fMetricName, fTime, fTimeGrain),
		read: set(fResourceID, fMetricName, fTime, fTimeGrain, fUnit, fDimension, fDimensions, fAverage, fMinimum,
			fMaximum, fTotal, fCount),
	}
	ownForm = form{
		name: "a trimtab sample", resource: fResource, metric: fMetric, grain: fGrain, average: fValue,
		required: set(fResource, fMetric, fTime),
		read: set(fTrimtab, fResource, fMetric, fTime, fGrain, fUnit, fDimensions, fValue, fMinimum, fMaximum, fTotal,
			fCount),
	}
)

// finish ends an element that has been read to its end; inner is true below records.
func (d *Decoder) finish(r *record, inner bool) {
	if d.envelope != nil && d.envelope.reason != "" {
		d.foreign(r)
		return
	}
	switch r.format() {
	case formatOwn:
		d.own(r)
	case formatPlatform:
		if d.envelope != nil && platformForm.required&^(r.seen&^r.null) != 0 {
			// The envelope may say what is missing.
			d.foreign(r)
			return
		}
		d.sample(r, &platformForm)
	case formatRecords:
		switch {
		case inner:
			d.reject(ReasonUnknownFormat, d.where(r, fRecords)+": records within records are not read")
		case r.twice.has(fRecords):
			d.reject(ReasonDuplicateField, d.where(r, fRecords)+" stands there more than once")
		default:
			d.reject(ReasonBadField, d.where(r, fRecords)+": want an array, got "+d.quote(r, fRecords))
		}
	default:
		d.foreign(r)
	}
}

// own ends an element that says it is one of Trimtab's own samples. It is held to its schema: a misspelt dimensions
// would otherwise pass for the series without dimensions.
func (d *Decoder) own(r *record) {
	switch {
	case !r.has(fTrimtab) || r.bad.has(fTrimtab) || r.number[fTrimtab] != 1:
		d.reject(ReasonUnsupportedVersion, d.where(r, fTrimtab)+": want the version of the format, 1, got "+d.quote(r, fTrimtab))
	case r.unknown != nil:
		d.reject(ReasonUnknownField, fmt.Sprintf("%s at byte %d is no field of %s", clip(r.unknown), r.unknownAt+d.base, ownForm.name))
	case r.seen&^ownForm.read&^fViewer.bit() != 0:
		f := (r.seen &^ ownForm.read &^ fViewer.bit()).first()
		detail := d.where(r, f) + " is no field of " + ownForm.name
		if right := ownSpelling[f]; right != fOther {
			detail += "; it is called " + fieldNames[right] + " there"
		}
		d.reject(ReasonUnknownField, detail)
	default:
		d.sample(r, &ownForm)
	}
}

// ownSpelling is how a trimtab sample calls what a platform metric calls otherwise.
var ownSpelling = map[field]field{
	fResourceID: fResource, fMetricName: fMetric, fName: fMetric, fTimeGrain: fGrain, fAverage: fValue,
	fDimension: fDimensions, fTags: fDimensions,
}

// sample ends an element as a sample, or says which of its fields forbids that.
func (d *Decoder) sample(r *record, form *form) {
	if reason, detail := d.unfit(r, form); reason != "" {
		d.reject(reason, detail)
		return
	}
	stats := r.stats(form)
	if stats.Has&^scale.HasCount == 0 && (stats.Has == 0 || stats.Count != 0) {
		d.reject(ReasonMissingField, fmt.Sprintf("%s at byte %d without any of %s, minimum, maximum, total",
			form.name, r.at+d.base, fieldNames[form.average]))
		return
	}
	at, why := d.timeOf(r)
	if why != "" {
		d.reject(ReasonBadTime, d.where(r, fTime)+": "+d.quote(r, fTime)+" "+why)
		return
	}
	grain, why := d.grainOf(r, form.grain)
	if why != "" {
		d.reject(ReasonBadGrain, d.where(r, form.grain)+": "+d.quote(r, form.grain)+" "+why)
		return
	}
	names, f, why := d.namesOf(r, form)
	switch {
	case why == "":
		sample := d.accept()
		sample.Resource, sample.Metric, sample.Dimensions, sample.Unit = names.resource, names.metric, names.dimensions, names.unit
		sample.At, sample.Grain, sample.Stats, sample.Format = at, grain, stats, r.exporter(form)
	case f == fDimension || f == fDimensions:
		d.reject(ReasonBadDimension, d.where(r, f)+": "+why)
	default:
		d.reject(ReasonBadName, d.where(r, f)+": "+d.quote(r, f)+" "+why)
	}
}

// exporter tells who wrote a sample. Only the export by data collection rules has units and dimensions (facts: events 1.2).
func (r *record) exporter(form *form) scale.Format {
	switch {
	case form == &ownForm:
		return scale.FormatAgent
	case r.has(fUnit) || r.dimensionField() != fOther:
		return scale.FormatRule
	}
	return scale.FormatDiagnostics
}

// seriesNames are the names of a sample.
type seriesNames struct{ resource, metric, dimensions, unit string }

// namesOf finds the names of an element; why says what is wrong with the field f, otherwise "".
func (d *Decoder) namesOf(r *record, form *form) (n seriesNames, f field, why string) {
	f = form.resource
	if n.resource, why = d.resources.find(r.text[f], r.plain.has(f), resourceName); why != "" {
		return n, f, why
	}
	f = form.metric
	if n.metric, why = d.metrics.find(r.text[f], false, metricName); why != "" {
		return n, f, why
	}
	if f = fUnit; r.has(f) {
		if n.unit, why = d.units.find(r.text[f], false, unitName); why != "" {
			return n, f, why
		}
	}
	if f = r.dimensionField(); f != fOther {
		n.dimensions, why = d.dimensions.find(r.text[f], false, canonicalDimensions)
	}
	return n, f, why
}

// dimensionField is the field that holds the dimensions, fOther if there are none.
func (r *record) dimensionField() field {
	if r.has(fDimension) {
		return fDimension
	}
	if r.has(fDimensions) {
		return fDimensions
	}
	return fOther
}

// unfit says why the fields of an element do not make a sample, as far as that shows before their values are used.
func (d *Decoder) unfit(r *record, form *form) (reason, detail string) {
	if twice := r.twice & form.read; twice != 0 {
		return ReasonDuplicateField, d.where(r, twice.first()) + " stands there more than once"
	}
	if r.has(fDimension) && r.has(fDimensions) {
		return ReasonDuplicateField, d.where(r, fDimensions) + " stands there besides dimension"
	}
	if missing := form.required &^ (r.seen &^ r.null); missing != 0 {
		return ReasonMissingField, fmt.Sprintf("%s at byte %d without %s", form.name, r.at+d.base, fieldNames[missing.first()])
	}
	bad := r.bad & form.read
	if bad == 0 {
		return "", ""
	}
	f := bad.first()
	where, got := d.where(r, f), d.quote(r, f)
	switch {
	case f == fCount && r.number[f] < 0:
		return ReasonBadNumber, where + ": want a number of measurements, got " + got
	case f >= textFields:
		return ReasonBadNumber, where + ": want a finite number, got " + got
	case f == fTime:
		return ReasonBadTime, where + ": want a string or a number, got " + got
	case f == fDimension || f == fDimensions:
		return ReasonBadDimension, where + ": want an object of strings, got " + got
	default:
		return ReasonBadField, where + ": want a string, got " + got
	}
}

// stats collects the statistics of an element.
func (r *record) stats(form *form) (s scale.Stats) {
	for _, f := range [...]field{form.average, fMinimum, fMaximum, fTotal, fCount} {
		if !r.has(f) {
			continue
		}
		v := r.number[f]
		switch f {
		case fMinimum:
			s.Minimum, s.Has = v, s.Has|scale.HasMinimum
		case fMaximum:
			s.Maximum, s.Has = v, s.Has|scale.HasMaximum
		case fTotal:
			s.Total, s.Has = v, s.Has|scale.HasTotal
		case fCount:
			s.Count, s.Has = v, s.Has|scale.HasCount
		default:
			s.Average, s.Has = v, s.Has|scale.HasAverage
		}
	}
	if form == &ownForm && s.Has == scale.HasAverage {
		return lone(s.Average)
	}
	return settled(s)
}

// where names a field and the place of its value.
func (d *Decoder) where(r *record, f field) string {
	return fmt.Sprintf("%s at byte %d", fieldNames[f], r.offset[f]+d.base)
}

// quote is the value of a field as it was written, shortened.
func (d *Decoder) quote(r *record, f field) string {
	var s scan.Scanner
	s.Reset(d.body[r.offset[f]:])
	s.Skip()
	raw := d.body[r.offset[f]:][:s.Offset()]
	if len(raw) > 64 {
		return strconv.QuoteToASCII(string(raw[:64])) + "…"
	}
	return string(raw)
}

// clip quotes a text, shortened.
func clip(text []byte) string {
	if len(text) > 96 {
		return strconv.QuoteToASCII(string(text[:96])) + "…"
	}
	return strconv.Quote(string(text))
}
