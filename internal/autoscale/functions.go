package autoscale

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// call is a function of ARM's template language, of those that settings are written with. What depends on the deployment
// itself, such as reference(), is open. What is made of something open is open as well, with a name for the place where
// only a name is wanted; if() and its like ask for no more than the branch that they take.
func (t *template) call(name string, arguments []any) any {
	function := strings.ToLower(name)
	if v, ok := chosen(function, arguments); ok {
		return v
	}
	var why string
	standIns := slices.Clone(arguments)
	for i, a := range arguments {
		if o, isOpen := a.(open); isOpen {
			standIns[i], why = o.standIn, both(why, o.why)
		}
	}
	v, err := t.function(function, standIns)
	switch {
	case why != "" && err != nil:
		return open{why: why, standIn: function}
	case err != nil:
		return open{why: err.Error(), standIn: function}
	case why == "":
		return v
	}
	if o, isOpen := v.(open); isOpen {
		return open{why: both(why, o.why), standIn: o.standIn}
	}
	return open{why: why, standIn: asText(v)}
}

// both joins reasons, each said once.
func both(a, b string) string {
	if a == "" || strings.Contains(b, a) {
		return b
	}
	if strings.Contains(a, b) {
		return a
	}
	return a + "; " + b
}

// chosen are the functions that take one of their arguments, and may leave others open; false for all others.
func chosen(function string, arguments []any) (any, bool) {
	isOpen := func(v any) bool { _, is := v.(open); return is }
	switch function {
	case "if":
		if len(arguments) != 3 || isOpen(arguments[0]) {
			return nil, false
		}
		if strings.EqualFold(asText(arguments[0]), "true") {
			return arguments[1], true
		}
		return arguments[2], true
	case "coalesce":
		for _, a := range arguments {
			if a != nil {
				return a, true
			}
		}
		return nil, true
	case "and", "or":
		for _, a := range arguments {
			if !isOpen(a) && strings.EqualFold(asText(a), "true") == (function == "or") {
				return function == "or", true
			}
		}
		return function == "and", !slices.ContainsFunc(arguments, isOpen)
	}
	return nil, false
}

func (t *template) function(name string, arguments []any) (any, error) {
	texts := make([]string, len(arguments))
	for i := range arguments {
		texts[i] = asText(arguments[i])
	}
	for _, text := range texts {
		*t.spent += len(text)
	}
	if *t.spent++; *t.spent > mostSpent {
		return nil, fmt.Errorf("%s(): the file's expressions make more than %d MiB of text", name, mostSpent>>20)
	}
	first := strings.Join(texts[:min(1, len(texts))], "")
	switch name {
	case "parameters":
		return t.parameter(first), nil
	case "variables":
		return t.variable(first), nil
	case "copyindex":
		return t.turn(texts)
	case "subscription":
		return t.subscription(), nil
	case "resourcegroup":
		return t.group(), nil
	case "resourceid", "subscriptionresourceid", "tenantresourceid":
		return t.resourceID(name, texts)
	case "extensionresourceid":
		return extensionID(texts)
	}
	if f, ok := t.functions[name]; ok {
		return t.own(f, arguments), nil
	}
	for _, of := range []func(string, []any, []string) (any, bool){written, gathered, reckoned} {
		if v, ok := of(name, arguments, texts); ok {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%s() with %d arguments cannot be known from the file alone: write its value in its place", name, len(arguments))
}

// turn is copyIndex(): of the loop that is named, or the innermost, with an offset.
func (t *template) turn(texts []string) (any, error) {
	loop, offset := t.inner, 0
	for _, text := range texts {
		if n, err := strconv.Atoi(text); err == nil {
			offset = n
		} else {
			loop = strings.ToLower(text)
		}
	}
	i, ok := t.turns[loop]
	if !ok {
		return nil, fmt.Errorf("copyIndex() outside of a loop %q", loop)
	}
	return json.Number(strconv.Itoa(i + offset)), nil
}

// nowhere stands in an ID for the subscription that a template leaves to its deployment.
const nowhere = "00000000-0000-0000-0000-000000000000"

// place is what a flag gives, open where it is not given.
func place(flag, given, standIn string) any {
	if given == "" {
		return open{why: fmt.Sprintf("it depends on the deployment: give --%s", flag), standIn: standIn}
	}
	return given
}

// under puts what may be open behind a text.
func under(prefix string, v any) any {
	if o, isOpen := v.(open); isOpen {
		return open{why: o.why, standIn: prefix + o.standIn}
	}
	return prefix + asText(v)
}

func (t *template) subscription() any {
	id := place("subscription", t.options.Subscription, nowhere)
	return map[string]any{"subscriptionId": id, "id": under("/subscriptions/", id), "tenantId": open{why: "it depends on the deployment", standIn: nowhere}}
}

func (t *template) group() any {
	name := place("resource-group", t.options.ResourceGroup, "unknown")
	id := under("/subscriptions/"+t.subscriptionName()+"/resourceGroups/", name)
	if _, isOpen := name.(open); !isOpen && t.options.Subscription == "" {
		id = open{why: "it depends on the deployment: give --subscription", standIn: asText(id)}
	}
	return map[string]any{"name": name, "id": id, "location": place("location", t.options.Location, "unknown"), "tags": map[string]any{}}
}

func (t *template) subscriptionName() string {
	if t.options.Subscription == "" {
		return nowhere
	}
	return t.options.Subscription
}

// resourceID is the ID of a resource: optional subscription and group, the type, then a name for each of its segments.
func (t *template) resourceID(function string, texts []string) (any, error) {
	at := slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, "/") && strings.Contains(s, ".") })
	if at < 0 {
		at = slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, "/") })
	}
	if at < 0 {
		return nil, fmt.Errorf("%s() without a type", function)
	}
	subscription, group := t.subscription().(map[string]any)["subscriptionId"], place("resource-group", t.options.ResourceGroup, "unknown")
	switch {
	case at >= 2:
		subscription, group = texts[0], texts[1]
	case at == 1 && function == "subscriptionresourceid":
		subscription = texts[0]
	case at == 1:
		group = texts[0]
	}
	types, names := strings.Split(texts[at], "/"), texts[at+1:]
	var flat []string
	for _, n := range names {
		flat = append(flat, strings.Split(n, "/")...)
	}
	if len(types)-1 != len(flat) {
		return nil, fmt.Errorf("%s() of %s needs %d names, not %d", function, texts[at], len(types)-1, len(flat))
	}
	id := "/providers/" + types[0]
	for i, n := range flat {
		id += "/" + types[i+1] + "/" + n
	}
	var why string
	prefix := ""
	known := func(prefix string, v any) string {
		v = under(prefix, v)
		if o, isOpen := v.(open); isOpen {
			why = both(why, o.why)
			return o.standIn
		}
		return asText(v)
	}
	if function != "tenantresourceid" {
		prefix = known("/subscriptions/", subscription)
	}
	if function == "resourceid" {
		prefix += known("/resourceGroups/", group)
	}
	if why != "" {
		return open{why: why, standIn: prefix + id}, nil
	}
	return prefix + id, nil
}

// extensionID is the ID of a resource that extends another.
func extensionID(texts []string) (any, error) {
	if len(texts) < 3 {
		return nil, fmt.Errorf("extensionResourceId() needs an ID, a type and names")
	}
	types := strings.Split(texts[1], "/")
	id := texts[0] + "/providers/" + types[0]
	for i, n := range texts[2:] {
		if i+1 < len(types) {
			id += "/" + types[i+1] + "/" + n
		}
	}
	return id, nil
}

func fieldNames(of map[string]any) string {
	if len(of) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(of)), ", ")
}
