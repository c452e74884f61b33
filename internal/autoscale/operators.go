package autoscale

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// whole is a whole number, written as one or as a string.
func whole(v any) (int, bool) {
	n, err := strconv.Atoi(asText(v))
	return n, err == nil
}

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// written are the functions that make texts; false for all others.
func written(name string, arguments []any, texts []string) (any, bool) {
	n := len(texts)
	if n == 0 {
		return nil, false
	}
	_, isList := arguments[0].([]any)
	switch {
	case name == "concat":
		return concatenated(arguments, texts), true
	case name == "format":
		return formatted(texts), true
	case name == "tolower":
		return strings.ToLower(texts[0]), true
	case name == "toupper":
		return strings.ToUpper(texts[0]), true
	case name == "trim":
		return strings.TrimSpace(texts[0]), true
	case name == "string":
		if texts[0] == "" && arguments[0] != nil {
			if b, err := json.Marshal(arguments[0]); err == nil && arguments[0] != "" {
				return string(b), true
			}
		}
		return texts[0], true
	case name == "json":
		var v any
		dec := json.NewDecoder(strings.NewReader(texts[0]))
		dec.UseNumber()
		return v, dec.Decode(&v) == nil
	case name == "replace" && n == 3:
		return strings.ReplaceAll(texts[0], texts[1], texts[2]), true
	case name == "split" && n == 2 && !isList:
		return split(texts[0], arguments[1]), true
	case name == "join" && n == 2 && isList:
		var all []string
		for _, each := range arguments[0].([]any) {
			all = append(all, asText(each))
		}
		return strings.Join(all, texts[1]), true
	case name == "substring" && n >= 2:
		from, ok := whole(arguments[1])
		to := len(texts[0])
		if n == 3 && ok {
			var length int
			length, ok = whole(arguments[2])
			to = from + length
		}
		if !ok || from < 0 || to > len(texts[0]) || from > to {
			return nil, false
		}
		return texts[0][from:to], true
	case name == "padleft" && n >= 2:
		width, _ := whole(arguments[1])
		fill := " "
		if n == 3 && texts[2] != "" {
			fill = texts[2]
		}
		return strings.Repeat(fill, max(min(width, 256)-len(texts[0]), 0)) + texts[0], true
	case name == "startswith" && n == 2:
		return strings.HasPrefix(strings.ToLower(texts[0]), strings.ToLower(texts[1])), true
	case name == "endswith" && n == 2:
		return strings.HasSuffix(strings.ToLower(texts[0]), strings.ToLower(texts[1])), true
	case name == "indexof" && n == 2 && !isList:
		return number(int64(strings.Index(strings.ToLower(texts[0]), strings.ToLower(texts[1])))), true
	}
	return nil, false
}

func concatenated(arguments []any, texts []string) any {
	var all []any
	for _, a := range arguments {
		list, ok := a.([]any)
		if !ok {
			return strings.Join(texts, "")
		}
		all = append(all, list...)
	}
	return all
}

func formatted(texts []string) string {
	s := texts[0]
	for i, text := range texts[1:] {
		s = strings.ReplaceAll(s, "{"+strconv.Itoa(i)+"}", text)
	}
	return strings.NewReplacer("{{", "{", "}}", "}").Replace(s)
}

func split(s string, by any) any {
	cuts := asText(by)
	if list, ok := by.([]any); ok {
		for _, each := range list[min(1, len(list)):] {
			s = strings.ReplaceAll(s, asText(each), asText(list[0]))
		}
		cuts = ""
		if len(list) > 0 {
			cuts = asText(list[0])
		}
	}
	var out []any
	for _, each := range strings.Split(s, cuts) {
		out = append(out, each)
	}
	return out
}

// gathered are the functions of lists and objects; false for all others.
func gathered(name string, arguments []any, texts []string) (any, bool) {
	n := len(arguments)
	if name == "createarray" {
		return append([]any{}, arguments...), true
	}
	if name == "createobject" {
		o := map[string]any{}
		for i := 0; i+1 < n; i += 2 {
			o[texts[i]] = arguments[i+1]
		}
		return o, true
	}
	if n == 0 {
		return nil, name == "null"
	}
	list, isList := arguments[0].([]any)
	object, isObject := arguments[0].(map[string]any)
	switch {
	case name == "array" && n == 1:
		if isList {
			return list, true
		}
		return []any{arguments[0]}, true
	case name == "length" && n == 1:
		switch {
		case isList:
			return number(int64(len(list))), true
		case isObject:
			return number(int64(len(object))), true
		}
		return number(int64(len(texts[0]))), true
	case name == "empty" && n == 1:
		return len(list) == 0 && len(object) == 0 && texts[0] == "", true
	case name == "first" && isList && len(list) > 0:
		return list[0], true
	case name == "last" && isList && len(list) > 0:
		return list[len(list)-1], true
	case name == "first" && texts[0] != "":
		return texts[0][:1], true
	case name == "last" && texts[0] != "":
		return texts[0][len(texts[0])-1:], true
	case (name == "take" || name == "skip") && n == 2:
		at, ok := whole(arguments[1])
		if !ok {
			return nil, false
		}
		return parted(name, arguments[0], max(at, 0)), true
	case name == "contains" && n == 2:
		switch {
		case isList:
			return slices.ContainsFunc(list, func(v any) bool { return strings.EqualFold(asText(v), texts[1]) }), true
		case isObject:
			_, has := part{at: object}.find(texts[1])
			return has, true
		}
		return strings.Contains(texts[0], texts[1]), true
	case name == "tryget" && n >= 2:
		v := arguments[0]
		for _, by := range texts[1:] {
			if v = within(v, by); isLeftOpen(v) {
				return nil, true
			}
		}
		return v, true
	case name == "union":
		return united(arguments)
	case name == "range" && n == 2:
		from, ok := whole(arguments[0])
		count, also := whole(arguments[1])
		if !ok || !also || count < 0 || count > mostTurns {
			return nil, false
		}
		out := make([]any, count)
		for i := range out {
			out[i] = number(int64(from + i))
		}
		return out, true
	}
	return nil, false
}

func isLeftOpen(v any) bool { _, is := v.(open); return is }

// parted takes so many of a list or a text, or skips them.
func parted(name string, of any, at int) any {
	if list, ok := of.([]any); ok {
		at = min(at, len(list))
		if name == "take" {
			return list[:at]
		}
		return list[at:]
	}
	s := asText(of)
	at = min(at, len(s))
	if name == "take" {
		return s[:at]
	}
	return s[at:]
}

// united puts objects over each other, or lists behind each other without what is there already.
func united(arguments []any) (any, bool) {
	all := map[string]any{}
	var list []any
	for _, a := range arguments {
		switch a := a.(type) {
		case map[string]any:
			maps.Copy(all, a)
		case []any:
			for _, each := range a {
				if text := asText(each); text == "" || !slices.ContainsFunc(list, func(v any) bool { return asText(v) == text }) {
					list = append(list, each)
				}
			}
		default:
			return nil, false
		}
	}
	if list != nil {
		return list, len(all) == 0
	}
	return all, true
}

// reckoned are the functions that compare and reckon; false for all others.
func reckoned(name string, arguments []any, texts []string) (any, bool) {
	if n := len(arguments); n == 1 {
		if list, ok := arguments[0].([]any); ok && (name == "min" || name == "max") {
			arguments, texts = list, make([]string, len(list))
			for i := range list {
				texts[i] = asText(list[i])
			}
		}
	}
	numbers := make([]int64, len(texts))
	allWhole := len(texts) > 0
	for i, text := range texts {
		n, err := strconv.ParseInt(text, 10, 64)
		numbers[i], allWhole = n, allWhole && err == nil
	}
	switch len(texts) {
	case 0:
		return strings.EqualFold(name, "true"), name == "true" || name == "false"
	case 1:
		switch name {
		case "int", "float":
			_, err := strconv.ParseFloat(texts[0], 64)
			return json.Number(texts[0]), err == nil
		case "bool":
			return strings.EqualFold(texts[0], "true") || texts[0] == "1", true
		case "not":
			return !strings.EqualFold(texts[0], "true"), true
		}
	case 2:
		if v, ok := paired(name, arguments, texts, numbers, allWhole); ok {
			return v, true
		}
	}
	switch {
	case name == "max" && allWhole:
		return number(slices.Max(numbers)), true
	case name == "min" && allWhole:
		return number(slices.Min(numbers)), true
	}
	return nil, false
}

// paired are the functions of two values.
func paired(name string, arguments []any, texts []string, numbers []int64, allWhole bool) (any, bool) {
	order := strings.Compare(texts[0], texts[1])
	if allWhole {
		order = int(max(-1, min(1, numbers[0]-numbers[1])))
	}
	switch name {
	case "equals":
		return (arguments[0] == nil) == (arguments[1] == nil) && strings.EqualFold(texts[0], texts[1]), true
	case "greater":
		return order > 0, true
	case "greaterorequals":
		return order >= 0, true
	case "less":
		return order < 0, true
	case "lessorequals":
		return order <= 0, true
	}
	if !allWhole {
		return nil, false
	}
	a, b := numbers[0], numbers[1]
	switch {
	case name == "add":
		return number(a + b), true
	case name == "sub":
		return number(a - b), true
	case name == "mul":
		return number(a * b), true
	case name == "div" && b != 0:
		return number(a / b), true
	case name == "mod" && b != 0:
		return number(a % b), true
	}
	return nil, false
}
