package metric

import (
	"fmt"
	"strings"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// alertShape reads what action groups send in the common alert schema (facts: events 1.6). An alert is an edge: each of
// its targets gets a sample of alert/RULE, 1 when it fires and 0 when it is resolved, and for each criterion a sample of
// alert/RULE/METRIC with the value that was measured. These are names of their own: what an alert tells is measured only
// when it is remarkable, and would bend the series that it is of.
var alertShape = shape{
	is:     func(o *object) bool { return o.mark("schemaid") },
	read:   (*Decoder).alert,
	once:   []string{"schemaid", "data"},
	format: scale.FormatAlert,
}

// alertPrefix begins the metric's names of alerts.
const alertPrefix = "alert/"

func (d *Decoder) alert(o *object) {
	schema := o.text("schemaid")
	what := fmt.Sprintf("an alert of an action group (schemaId %s) at byte %d", clip([]byte(schema)), o.at)
	if !strings.HasPrefix(strings.ToLower(schema), "azuremonitor") {
		d.reject(ReasonUnsupportedFormat, what)
		return
	}
	data := o.get("data").inner()
	var essentials *object
	if data != nil {
		essentials = data.get("essentials").inner()
	}
	if essentials == nil {
		d.reject(ReasonRecognisedAlert, what+", not of the common alert schema; right would be to switch that on in the action group")
		return
	}
	rule, condition := essentials.text("alertrule"), essentials.text("monitorcondition")
	what += fmt.Sprintf(": %s of rule %s", clip([]byte(condition)), clip([]byte(rule)))
	p := draft{what: what, metric: alertPrefix + rule}
	switch {
	case rule == "":
		d.reject(ReasonRecognisedAlert, what+" without alertRule")
		return
	case strings.EqualFold(condition, "Fired"):
		p.at, p.stats = essentials.timeIn("fireddatetime"), lone(1)
	case strings.EqualFold(condition, "Resolved"):
		p.at, p.stats = essentials.timeIn("resolveddatetime"), lone(0)
	default:
		d.reject(ReasonRecognisedAlert, what+": want Fired or Resolved")
		return
	}
	targets := essentials.get("alerttargetids").texts()
	if len(targets) == 0 {
		d.reject(ReasonNoResource, what+": no alertTargetIDs")
		return
	}
	criteria := criteriaOf(data)
	for _, target := range targets {
		p.resource = target
		if d.put(p); d.tooMany {
			return
		}
		for i := range criteria {
			if d.tooMany {
				return
			}
			d.criterion(&criteria[i], p)
		}
	}
}

// criterion is one of an alert's conditions, with what was measured and of which series.
type criterion struct {
	*object
	dimensions []dimension
}

// criteriaOf are the criteria of a metric alert that say what was measured; none of any other alert.
func criteriaOf(data *object) (criteria []criterion) {
	context := data.get("alertcontext").inner()
	if context == nil {
		return nil
	}
	condition := context.get("condition").inner()
	if condition == nil {
		return nil
	}
	for _, c := range condition.get("allof").objects() {
		if !c.has("metricname", "metricvalue") {
			continue
		}
		all := criterion{object: c}
		for _, e := range c.get("dimensions").objects() {
			all.dimensions = append(all.dimensions, dimension{e.text("name"), e.text("value")})
		}
		criteria = append(criteria, all)
	}
	return criteria
}

// criterion ends a criterion as a sample of the value that was measured.
func (d *Decoder) criterion(c *criterion, p draft) {
	p.metric += "/" + c.text("metricname")
	p.what = fmt.Sprintf("%s, criterion at byte %d", p.what, c.at)
	value := c.get("metricvalue")
	v, ok := value.number()
	if !ok {
		d.reject(ReasonBadNumber, p.what+": want a finite number; "+value.where())
		return
	}
	p.stats, p.dimensions = lone(v), c.dimensions
	d.put(p)
}

// texts are the strings of a field that is an array of them; everything else in it is left out.
func (m *member) texts() (all []string) {
	if m == nil || m.kind() != scan.Array {
		return nil
	}
	var s scan.Scanner
	s.Reset(m.raw)
	for s.Array(); s.Element(); {
		if s.Kind() == scan.String {
			all = append(all, string(s.Text()))
		} else {
			s.Skip()
		}
	}
	return all
}

// objects are the objects of a field that is an array of them; everything else in it is left out.
func (m *member) objects() (all []*object) {
	if m == nil || m.kind() != scan.Array {
		return nil
	}
	var s scan.Scanner
	s.Reset(m.raw)
	for s.Array(); s.Element(); {
		kind := s.Kind()
		from := s.Offset()
		raw := s.Raw()
		if kind != scan.Object {
			continue
		}
		if o, ok := objectOf(raw, m.at+from); ok {
			all = append(all, o)
		}
	}
	return all
}
