package autoscale

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// settled is a resolved setting. What is left open where only a name is wanted is stood in for; where it would decide how
// to scale, the error says all of it, and how to close it.
func settled(p part) (setting, error) {
	body := inside(p)
	s := setting{body: body}
	for _, field := range []string{"name", "location", "tags", "notifications", "enabled", "targetResourceLocation"} {
		standFor(p, field)
		standFor(body, field)
	}
	target := standFor(body, "targetResourceUri")
	if target != nil {
		s.openTarget = target.why
	}
	for i, v := range body.list("profiles") {
		o, _ := v.(map[string]any)
		for k, v := range (part{at: o}).list("rules") {
			o, _ := v.(map[string]any)
			trigger := part{at: o}.part("metricTrigger")
			standFor(trigger, "metricNamespace")
			standFor(trigger, "metricResourceLocation")
			resource := standFor(trigger, "metricResourceUri")
			if resource != nil && (target == nil || target.standIn != resource.standIn) {
				s.notes = append(s.notes, Note{
					Changed, fmt.Sprintf("profiles[%d].rules[%d].metricTrigger.metricResourceUri", i, k),
					fmt.Sprintf("%s stands for a resource that the file does not name: %s", resource.standIn, resource.why),
				})
			}
		}
	}
	if s.name = p.text("name"); s.name == "" {
		s.name = body.text("name")
	}
	var found []string
	gather(body.at, "", &found)
	if len(found) == 0 {
		return s, nil
	}
	head := fmt.Sprintf("setting %s leaves open how it scales, at ", s.name)
	if len(found) > 1 {
		head = fmt.Sprintf("setting %s leaves open how it scales, at %d places:\n  ", s.name, len(found))
	}
	return s, errors.New(head + strings.Join(found, "\n  "))
}

// standFor puts the stand-in into a field that is open, and returns what was there; nil for one that is not.
func standFor(p part, field string) *open {
	for k, v := range p.at {
		if !strings.EqualFold(k, field) {
			continue
		}
		if o, isOpen := v.(open); isOpen {
			p.at[k] = o.standIn
			return &o
		}
		if strings.EqualFold(k, "notifications") || strings.EqualFold(k, "tags") {
			p.at[k] = closed(v)
		}
	}
	return nil
}

// closed is a value with a stand-in for everything in it that is open.
func closed(v any) any {
	switch v := v.(type) {
	case open:
		return v.standIn
	case []any:
		for i := range v {
			v[i] = closed(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = closed(v[k])
		}
	}
	return v
}

// gather adds each open value with its place.
func gather(v any, path string, found *[]string) {
	switch v := v.(type) {
	case open:
		*found = append(*found, path+": "+v.why)
	case []any:
		for i := range v {
			gather(v[i], fmt.Sprintf("%s[%d]", path, i), found)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			gather(v[k], strings.TrimPrefix(path+"."+k, "."), found)
		}
	}
}
