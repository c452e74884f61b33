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
// itself, such as reference(), is not known here.
func (t *template) call(name string, arguments []any) (any, error) {
	texts := make([]string, len(arguments))
	for i := range arguments {
		texts[i] = asText(arguments[i])
	}
	first := strings.Join(texts[:min(1, len(texts))], "")
	switch strings.ToLower(name) {
	case "parameters":
		return t.parameter(first)
	case "variables":
		return t.variable(first)
	case "subscription":
		return t.place("subscription", t.options.Subscription, map[string]any{
			"subscriptionId": t.options.Subscription, "id": "/subscriptions/" + t.options.Subscription,
		})
	case "resourcegroup":
		id := "/subscriptions/" + t.options.Subscription + "/resourceGroups/" + t.options.ResourceGroup
		return t.place("resource-group", t.options.ResourceGroup, map[string]any{
			"name": t.options.ResourceGroup, "id": id, "location": t.options.Location,
		})
	case "resourceid":
		return t.resourceID(texts)
	case "concat":
		return concatenated(arguments, texts)
	case "format":
		return formatted(texts), nil
	case "tolower":
		return strings.ToLower(first), nil
	case "toupper":
		return strings.ToUpper(first), nil
	case "trim":
		return strings.TrimSpace(first), nil
	case "string":
		return first, nil
	case "int", "float":
		return json.Number(first), nil
	case "true", "false":
		return strings.EqualFold(name, "true"), nil
	case "bool":
		return strings.EqualFold(first, "true") || first == "1", nil
	case "createarray":
		return arguments, nil
	}
	return reckoned(name, arguments, texts)
}

// reckoned are the functions that compare and reckon.
func reckoned(name string, arguments []any, texts []string) (any, error) {
	numbers := make([]int64, len(texts))
	whole := len(texts) > 0
	for i, text := range texts {
		n, err := strconv.ParseInt(text, 10, 64)
		numbers[i], whole = n, whole && err == nil
	}
	pair := len(arguments) == 2
	switch function := strings.ToLower(name); {
	case function == "if" && len(arguments) == 3:
		if strings.EqualFold(texts[0], "true") {
			return arguments[1], nil
		}
		return arguments[2], nil
	case function == "equals" && pair:
		return strings.EqualFold(texts[0], texts[1]), nil
	case function == "not" && len(arguments) == 1:
		return !strings.EqualFold(texts[0], "true"), nil
	case function == "coalesce":
		for _, a := range arguments {
			if a != nil {
				return a, nil
			}
		}
		return nil, nil
	case function == "add" && pair && whole:
		return json.Number(strconv.FormatInt(numbers[0]+numbers[1], 10)), nil
	case function == "sub" && pair && whole:
		return json.Number(strconv.FormatInt(numbers[0]-numbers[1], 10)), nil
	case function == "mul" && pair && whole:
		return json.Number(strconv.FormatInt(numbers[0]*numbers[1], 10)), nil
	case function == "div" && pair && whole && numbers[1] != 0:
		return json.Number(strconv.FormatInt(numbers[0]/numbers[1], 10)), nil
	case function == "max" && whole:
		return json.Number(strconv.FormatInt(slices.Max(numbers), 10)), nil
	case function == "min" && whole:
		return json.Number(strconv.FormatInt(slices.Min(numbers), 10)), nil
	}
	return nil, fmt.Errorf("%s() with %d arguments cannot be known from the file alone: write its value in its place", name, len(arguments))
}

func (t *template) parameter(name string) (any, error) {
	if v := (part{at: t.options.Parameters}).value(name); v != nil {
		return v, nil
	}
	p, ok := t.parameters.value(name).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the template has no parameter %q; it has %s", name, fieldNames(t.parameters.at))
	}
	v := part{at: p}.value("defaultValue")
	if v == nil {
		return nil, fmt.Errorf("parameter %q has no default: give its value with --set %s=… or --parameters FILE", name, name)
	}
	return t.once("parameter "+strings.ToLower(name), v)
}

func (t *template) variable(name string) (any, error) {
	v := t.variables.value(name)
	if v == nil {
		return nil, fmt.Errorf("the template has no variable %q; it has %s", name, fieldNames(t.variables.at))
	}
	return t.once("variable "+strings.ToLower(name), v)
}

// once resolves what a name stands for, and refuses one that stands for itself.
func (t *template) once(name string, v any) (any, error) {
	if t.busy[name] {
		return nil, fmt.Errorf("%s stands for itself", name)
	}
	t.busy[name] = true
	defer delete(t.busy, name)
	return t.resolve(v)
}

// nowhere stands in an ID for the subscription that a template leaves to its deployment.
const nowhere = "00000000-0000-0000-0000-000000000000"

func (t *template) place(flag, given string, v map[string]any) (any, error) {
	if given == "" {
		return nil, fmt.Errorf("it depends on the deployment: give --%s", flag)
	}
	return v, nil
}

// resourceID is the ID of a resource: optional subscription and group, the type, then a name for each of its segments.
func (t *template) resourceID(texts []string) (any, error) {
	at := slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, "/") })
	if at < 0 {
		return nil, fmt.Errorf("resourceId() without a type")
	}
	subscription, group := t.options.Subscription, t.options.ResourceGroup
	switch at {
	case 1:
		group = texts[0]
	case 2:
		subscription, group = texts[0], texts[1]
	}
	types, names := strings.Split(texts[at], "/"), texts[at+1:]
	var flat []string
	for _, n := range names {
		flat = append(flat, strings.Split(n, "/")...)
	}
	if len(types)-1 != len(flat) {
		return nil, fmt.Errorf("resourceId() of %s needs %d names, not %d", texts[at], len(types)-1, len(flat))
	}
	if subscription == "" {
		subscription = nowhere
	}
	if group == "" {
		return nil, fmt.Errorf("resourceId() depends on the deployment: give --resource-group")
	}
	id := "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/" + types[0]
	for i, n := range flat {
		id += "/" + types[i+1] + "/" + n
	}
	return id, nil
}

func concatenated(arguments []any, texts []string) (any, error) {
	var all []any
	for _, a := range arguments {
		list, ok := a.([]any)
		if !ok {
			return strings.Join(texts, ""), nil
		}
		all = append(all, list...)
	}
	return all, nil
}

func formatted(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	s := texts[0]
	for i, text := range texts[1:] {
		s = strings.ReplaceAll(s, "{"+strconv.Itoa(i)+"}", text)
	}
	return s
}

func fieldNames(of map[string]any) string {
	if len(of) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(of)), ", ")
}
