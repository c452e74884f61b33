package autoscale

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options say what a file may leave open.
type Options struct {
	// Parameters are the values of an ARM template's parameters, by name in any case; they stand above the defaults.
	Parameters map[string]any
	// Subscription, ResourceGroup and Location are what subscription() and resourceGroup() give in a template.
	Subscription, ResourceGroup, Location string
	// Pool names the pool of a file with one setting, in place of its scale set's name.
	Pool string
	// Orchestration is the scale set's, flexible or uniform, where the file does not say.
	Orchestration string
}

// Parameters reads a parameters file of an ARM template, with or without the frame around its parameters.
func Parameters(text []byte) (map[string]any, error) {
	var document map[string]any
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	if err := dec.Decode(&document); err != nil {
		return nil, fmt.Errorf("read a parameters file: not a JSON object: %w", err)
	}
	p := part{at: document}
	if p.has("parameters") {
		p = p.part("parameters")
	}
	given := map[string]any{}
	for name, v := range p.at {
		o, ok := v.(map[string]any)
		value := part{at: o}.value("value")
		if !ok || value == nil {
			return nil, fmt.Errorf("read a parameters file: parameter %q has no value; one from a key vault must be given by --set", name)
		}
		given[name] = value
	}
	return given, nil
}

// Level says what became of a part of a setting.
type Level string

// The levels of a note.
const (
	// Lost: it is not in what was written.
	Lost Level = "lost"
	// Changed: it is kept in another way, which may decide differently.
	Changed Level = "changed"
	// Told: it is kept; there is something to know or to do.
	Told Level = "told"
)

// Note is one thing that whoever imports a setting must know.
type Note struct {
	Level Level `json:"level"`
	// Path is the place in the setting, such as profiles[1].rules[0].metricTrigger.
	Path string `json:"path"`
	Text string `json:"text"`
}

// setting is one autoscale setting as it lies in a file, expressions resolved.
type setting struct {
	name string
	body part
	// orchestration is that of the target where the same template holds the scale set.
	orchestration string
}

const settingType = "microsoft.insights/autoscalesettings"

// read finds every setting in a file.
func read(text []byte, o Options) ([]setting, error) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	var document any
	if err := dec.Decode(&document); err != nil {
		return nil, fmt.Errorf("read the settings file: not JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("read the settings file: more follows after the first JSON document")
	}
	f := finder{options: o, modes: map[string]string{}}
	if err := f.find(document, nil); err != nil {
		return nil, err
	}
	if len(f.found) == 0 {
		return nil, errors.New("the file holds no autoscale setting: an ARM template with a resource of type " +
			"Microsoft.Insights/autoscaleSettings, what `az monitor autoscale show` prints, or a list of these would be right")
	}
	for i := range f.found {
		f.found[i].orchestration = f.modes[lastPart(f.found[i].body.text("targetResourceUri"))]
	}
	return f.found, nil
}

// finder walks a document for settings.
type finder struct {
	options Options
	found   []setting
	// modes are the orchestration modes of the scale sets in the same templates, by lower-cased name.
	modes map[string]string
}

func (f *finder) find(v any, t *template) error {
	switch v := v.(type) {
	case []any:
		for i, each := range v {
			if err := f.find(each, t); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
	case map[string]any:
		return f.object(part{at: v}, t)
	}
	return nil
}

func (f *finder) object(p part, t *template) error {
	switch {
	case p.has("resources") && (p.has("$schema") || p.has("contentVersion") || t != nil && p.has("parameters")):
		inner, err := newTemplate(p, f.options, t == nil)
		if err != nil {
			return err
		}
		return f.find(values(p.value("resources")), inner)
	case p.has("resources") && !p.has("profiles") && !p.has("type"):
		return f.find(values(p.value("resources")), t)
	case p.has("value") && !p.has("profiles") && !p.has("properties"):
		return f.find(p.value("value"), t)
	case p.has("template") && !p.has("profiles"):
		return f.find(p.value("template"), t)
	}
	kind := strings.ToLower(p.text("type"))
	if kind == "microsoft.resources/deployments" {
		return f.find(p.part("properties").value("template"), t)
	}
	if p.has("resources") {
		if err := f.find(values(p.value("resources")), t); err != nil {
			return err
		}
	}
	if kind == "microsoft.compute/virtualmachinescalesets" {
		return f.scaleSet(p, t)
	}
	body := p
	if properties := p.part("properties"); properties.at != nil && !p.has("profiles") {
		body = properties
	}
	if kind != settingType && kind != "" || !body.has("profiles") {
		return nil
	}
	resolved, err := t.resolve(p.at)
	if err != nil {
		return fmt.Errorf("setting %s: %w", p.text("name"), err)
	}
	p = part{at: resolved.(map[string]any)}
	body = p
	if properties := p.part("properties"); properties.at != nil && !p.has("profiles") {
		body = properties
	}
	name := p.text("name")
	if name == "" {
		name = body.text("name")
	}
	f.found = append(f.found, setting{name: name, body: body})
	return nil
}

// scaleSet notes the orchestration mode of a scale set. A template that cannot be resolved says nothing about it.
func (f *finder) scaleSet(p part, t *template) error {
	name, err := t.resolve(p.value("name"))
	if err != nil {
		return nil //nolint:nilerr // the set may be of no interest
	}
	mode, err := t.resolve(p.part("properties").value("orchestrationMode"))
	if text, ok := mode.(string); ok && err == nil {
		f.modes[lastPart(fmt.Sprint(name))] = strings.ToLower(text)
	} else if err == nil {
		f.modes[lastPart(fmt.Sprint(name))] = "uniform"
	}
	return nil
}

// values are the resources of a template: a list, or an object by symbolic name.
func values(v any) any {
	if o, ok := v.(map[string]any); ok {
		list := make([]any, 0, len(o))
		for _, k := range slices.Sorted(maps.Keys(o)) {
			list = append(list, o[k])
		}
		return list
	}
	return v
}

func lastPart(id string) string {
	id = strings.TrimRight(id, "/")
	return strings.ToLower(id[strings.LastIndex(id, "/")+1:])
}

// part is an object whose fields are found in any case, as Azure finds them.
type part struct{ at map[string]any }

func (p part) value(name string) any {
	if v, ok := p.at[name]; ok {
		return v
	}
	for _, k := range slices.Sorted(maps.Keys(p.at)) {
		if strings.EqualFold(k, name) {
			return p.at[k]
		}
	}
	return nil
}

func (p part) has(name string) bool { return p.value(name) != nil }

func (p part) part(name string) part {
	o, _ := p.value(name).(map[string]any)
	return part{at: o}
}

func (p part) list(name string) []any {
	l, _ := p.value(name).([]any)
	return l
}

// text is a string, or a number or a boolean as one; empty where there is none.
func (p part) text(name string) string { return asText(p.value(name)) }

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	case float64, int, int64:
		return fmt.Sprint(v)
	}
	return ""
}

// truth is a boolean, written as one or as a string.
func (p part) truth(name string) bool { return strings.EqualFold(p.text(name), "true") }
