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
	dec := json.NewDecoder(bytes.NewReader(cleaned(text)))
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
	// openTarget is why the target's ID is not known for sure; notes are about what else had to be stood in for.
	openTarget string
	notes      []Note
}

const settingType = "microsoft.insights/autoscalesettings"

// read finds every setting in a file.
func read(text []byte, o Options) ([]setting, error) {
	dec := json.NewDecoder(bytes.NewReader(cleaned(text)))
	dec.UseNumber()
	var document any
	if err := dec.Decode(&document); err != nil {
		return nil, fmt.Errorf("read the settings file: not JSON: %w%s", err, otherForm(text))
	}
	if dec.More() {
		return nil, errors.New("read the settings file: more follows after the first JSON document")
	}
	f := finder{options: o, modes: map[string]string{}}
	if err := f.find(document, nil); err != nil {
		return nil, err
	}
	if len(f.found) == 0 && len(f.passed) == 0 {
		f.anywhere(document)
	}
	if len(f.found) == 0 {
		why := ""
		if len(f.passed) > 0 {
			why = "; " + strings.Join(f.passed, "; ")
		}
		return nil, errors.New("the file holds no autoscale setting: an ARM template with a resource of type " +
			"Microsoft.Insights/autoscaleSettings, what `az monitor autoscale show` prints, or a list of these would be right" + why)
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
	// passed says of what might have held a setting why it does not.
	passed []string
	// conditional is why it is not known whether what is being followed is deployed at all.
	conditional string
}

func (f *finder) find(v any, t *template) error {
	switch v := v.(type) {
	case []any:
		var failed error
		for _, each := range v {
			failed = errors.Join(failed, f.find(each, t))
		}
		return failed
	case map[string]any:
		return f.object(part{at: v}, t)
	}
	return nil
}

func (f *finder) object(p part, t *template) error {
	switch {
	case t == nil && p.has("resources") && (p.has("$schema") || p.has("contentVersion")):
		root, err := outermost(p, f.options)
		if err != nil {
			return err
		}
		return f.find(values(p.value("resources")), root)
	case p.has("resources") && !p.has("profiles") && !p.has("type"):
		return f.find(values(p.value("resources")), t)
	case p.has("value") && !p.has("profiles") && !p.has("properties"):
		return f.find(p.value("value"), t)
	case p.has("template") && !p.has("profiles"):
		return f.find(p.value("template"), t)
	}
	kind := strings.ToLower(p.text("type"))
	if t == nil || kind != settingType && kind != "microsoft.resources/deployments" && kind != "microsoft.compute/virtualmachinescalesets" {
		return f.resource(kind, p, t)
	}
	return f.deployed(kind, p, t)
}

// deployed follows a resource of a template, as often as its loop turns.
func (f *finder) deployed(kind string, p part, t *template) error {
	loop := p.part("copy")
	if loop.at == nil {
		return f.conditionally(kind, p, t)
	}
	count, why := t.count(loop)
	if why != "" && kind == settingType {
		return fmt.Errorf("setting %s: copy.count: %s", p.text("name"), why)
	}
	var failed error
	t.each(loop.text("name"), count, func() { failed = errors.Join(failed, f.conditionally(kind, p, t)) })
	return failed
}

// conditionally follows a resource unless its condition is false.
func (f *finder) conditionally(kind string, p part, t *template) error {
	condition := t.resolve(p.value("condition"))
	if condition == false || strings.EqualFold(asText(condition), "false") {
		f.passed = append(f.passed, fmt.Sprintf("the condition of %q is false: --set may give its parameters other values", p.text("name")))
		return nil
	}
	if o, isOpen := condition.(open); isOpen {
		f.conditional = o.why
		defer func() { f.conditional = "" }()
	}
	return f.resource(kind, p, t)
}

func (f *finder) resource(kind string, p part, t *template) error {
	if kind == "microsoft.resources/deployments" {
		return f.deployment(p.part("properties"), t)
	}
	if p.has("resources") {
		if err := f.find(values(p.value("resources")), t); err != nil {
			return err
		}
	}
	if kind == "microsoft.compute/virtualmachinescalesets" {
		f.scaleSet(p, t)
		return nil
	}
	if kind != settingType && (kind != "" || !inside(p).has("profiles")) {
		return nil
	}
	resolved, ok := t.resolve(p.at).(map[string]any)
	if !ok || !inside(part{at: resolved}).has("profiles") {
		return nil
	}
	s, err := settled(part{at: resolved})
	if err != nil {
		return err
	}
	if f.conditional != "" {
		s.notes = append(s.notes, Note{Told, "condition", "whether it is deployed at all is not known from the file: " + f.conditional})
	}
	f.found = append(f.found, s)
	return nil
}

// inside is what a setting says, with or without the frame of a resource around it.
func inside(p part) part {
	if v := p.value("properties"); v != nil && !p.has("profiles") {
		if _, whole := v.(string); whole {
			return part{at: map[string]any{"profiles": v}} // an expression, which is not resolved yet
		}
		return p.part("properties")
	}
	return p
}

// deployment follows the template within another. Its expressions are the outer template's unless it says otherwise.
func (f *finder) deployment(p part, t *template) error {
	if !p.has("template") {
		if link := p.part("templateLink"); link.at != nil {
			f.passed = append(f.passed, fmt.Sprintf("it links to the template %s, which may hold one", cut(link.text("uri")+link.text("relativePath")+link.text("id"), 200)))
		}
		return nil
	}
	within := p.part("template")
	if t != nil && strings.EqualFold(p.part("expressionEvaluationOptions").text("scope"), "inner") {
		given := map[string]any{}
		for name, v := range p.part("parameters").at {
			o, _ := v.(map[string]any)
			value, ok := part{at: o}.find("value")
			if !ok {
				value = open{why: fmt.Sprintf("parameter %q is a reference to a key vault", name), standIn: name}
			} else {
				value = t.resolve(value)
			}
			given[name] = value
		}
		inner := newTemplate(within, f.options, given)
		inner.spent = t.spent
		return f.find(values(within.value("resources")), inner)
	}
	if t == nil {
		return f.find(within.at, nil)
	}
	return f.find(values(within.value("resources")), t)
}

// scaleSet notes the orchestration mode of a scale set. A template that cannot be resolved says nothing about it.
func (f *finder) scaleSet(p part, t *template) {
	name := t.resolve(p.value("name"))
	if o, isOpen := name.(open); isOpen {
		name = o.standIn
	}
	switch mode := t.resolve(p.part("properties").value("orchestrationMode")).(type) {
	case string:
		f.modes[lastPart(fmt.Sprint(name))] = strings.ToLower(mode)
	case nil:
		f.modes[lastPart(fmt.Sprint(name))] = "uniform"
	}
}

// anywhere finds settings in a document of no known frame, such as an example of a request and its answers.
func (f *finder) anywhere(v any) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			f.anywhere(each)
		}
	case map[string]any:
		p := part{at: v}
		if body := inside(p); len(body.list("profiles")) > 0 && body.has("targetResourceUri") {
			s, err := settled(p)
			if err == nil && !slices.ContainsFunc(f.found, func(o setting) bool { return sameText(o.body.at, s.body.at) }) {
				f.found = append(f.found, s)
			}
			return
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			f.anywhere(v[k])
		}
	}
}

func sameText(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
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
	v, _ := p.find(name)
	return v
}

// find is the value of a field, and whether there is one; null is one.
func (p part) find(name string) (any, bool) {
	if v, ok := p.at[name]; ok {
		return v, true
	}
	for _, k := range slices.Sorted(maps.Keys(p.at)) {
		if strings.EqualFold(k, name) {
			return p.at[k], true
		}
	}
	return nil, false
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
