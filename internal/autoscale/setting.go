package autoscale

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// profile is one scale condition of a setting.
type profile struct {
	path string
	// name is as people know it; the portal wraps that of a default profile into JSON with the profile that it ends.
	name, ends string
	min, max   int
	preset     int
	out, in    []rule
	recurrence *recurrence
	fixed      *fixedDate
}

// rule is one metric rule.
type rule struct {
	path      string
	signal    signal
	compare   string
	threshold string
	// size is by, percent or exact, and amount its number as it is written.
	size, amount string
	divide       bool
	parts        int
	spread       bool
	cooldown     time.Duration
}

// signal is what a rule measures.
type signal struct {
	name        string
	resource    string
	metric      string
	aggregation string
	dimensions  map[string]string
	window      time.Duration
	bucket      time.Duration
}

func (s signal) same(o signal) bool {
	a, _ := json.Marshal([]any{s.resource, s.metric, s.aggregation, s.dimensions, s.window, s.bucket})
	b, _ := json.Marshal([]any{o.resource, o.metric, o.aggregation, o.dimensions, o.window, o.bucket})
	return strings.EqualFold(string(a), string(b))
}

// reader turns a setting's parts into what they mean, and notes what it cannot.
type reader struct {
	notes   []Note
	target  string
	signals []signal
}

func (r *reader) note(level Level, path, format string, args ...any) {
	r.notes = append(r.notes, Note{Level: level, Path: path, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) profile(path string, p part) profile {
	out := profile{path: path, name: p.text("name")}
	var wrapped struct{ Name, For string }
	if json.Unmarshal([]byte(out.name), &wrapped) == nil && wrapped.Name != "" {
		out.name, out.ends = wrapped.Name, wrapped.For
	}
	c := p.part("capacity")
	out.min = r.count(path+".capacity.minimum", c.text("minimum"), 0)
	out.max = r.count(path+".capacity.maximum", c.text("maximum"), maxInstances)
	out.preset = r.count(path+".capacity.default", c.text("default"), out.min)
	if out.min > out.max {
		r.note(Changed, path+".capacity", "minimum %d is above maximum %d: the maximum is taken for both", out.min, out.max)
		out.min = out.max
	}
	if kept := min(max(out.preset, out.min), out.max); kept != out.preset {
		r.note(Changed, path+".capacity.default", "%d lies outside minimum and maximum: %d is taken", out.preset, kept)
		out.preset = kept
	}
	for i, v := range p.list("rules") {
		at := fmt.Sprintf("%s.rules[%d]", path, i)
		o, _ := v.(map[string]any)
		one, direction, ok := r.rule(at, part{at: o})
		if !ok && direction == "in" {
			// A shrink needs all of its rules: with one lost, that it would agree is not known.
			out.in = append(out.in, rule{path: at})
		}
		if !ok {
			continue
		}
		if direction == "out" {
			out.out = append(out.out, one)
		} else {
			out.in = append(out.in, one)
		}
	}
	for _, in := range out.in {
		if in.signal.name == "" {
			r.note(Changed, path, "nothing shrinks in profile %q, because a rule that would have to agree is lost", out.name)
			out.in = nil
			break
		}
	}
	out.recurrence = r.recurrence(path+".recurrence", p.part("recurrence"))
	out.fixed = r.fixedDate(path+".fixedDate", p.part("fixedDate"))
	if out.fixed != nil && out.recurrence != nil {
		r.note(Changed, path, "it has both a fixed date and a recurrence: the fixed date is taken")
		out.recurrence = nil
	}
	return out
}

// maxInstances is the most that a scale set may have (facts: VMSS 3.1).
const maxInstances = 1000

func (r *reader) count(path, text string, otherwise int) int {
	if text == "" {
		r.note(Changed, path, "not given: %d is taken", otherwise)
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.note(Changed, path, "%q is no whole number from 0 up: %d is taken", text, otherwise)
		return otherwise
	}
	if n > maxInstances {
		r.note(Changed, path, "%d is more than a scale set may have: %d is taken", n, maxInstances)
		return maxInstances
	}
	return n
}

var operators = map[string]string{
	"greaterthan": "over", "greaterthanorequal": "at_least", "lessthan": "under", "lessthanorequal": "at_most",
	"equals": "equals", "notequals": "differs",
	// as people and older tools write them
	">": "over", ">=": "at_least", "<": "under", "<=": "at_most", "==": "equals", "!=": "differs",
	"equal": "equals", "notequal": "differs",
}

var sizes = map[string]string{"changecount": "by", "percentchangecount": "percent", "exactcount": "exact", "": "by"}

// rule reads one; ok is false where it cannot be kept, with the direction that it would have had.
func (r *reader) rule(path string, p part) (out rule, direction string, ok bool) {
	trigger, action := p.part("metricTrigger"), p.part("scaleAction")
	out = rule{path: path, parts: 1}
	ok = true
	switch strings.ToLower(action.text("direction")) {
	case "increase":
		direction = "out"
	case "decrease":
		direction = "in"
	default:
		r.note(Lost, path+".scaleAction.direction", "%q is neither Increase nor Decrease", action.text("direction"))
		ok = false
	}
	if out.size = sizes[strings.ToLower(action.text("type"))]; out.size == "" {
		r.note(Lost, path+".scaleAction.type", "%s is not for scale sets; ChangeCount, PercentChangeCount and ExactCount are kept", action.text("type"))
		ok = false
	}
	out.amount = action.text("value")
	if out.amount == "" && out.size != "" {
		out.amount = "1"
		r.note(Changed, path+".scaleAction.value", "not given: 1 is taken")
	}
	n, isWhole := new(big.Int).SetString(out.amount, 10)
	if out.size != "" && (!isWhole || n.Sign() < 0 || n.Sign() == 0 && out.size != "exact" || n.Cmp(big.NewInt(100_000)) > 0) {
		r.note(Lost, path+".scaleAction.value", "%q is no number to change capacity by", out.amount)
		ok = false
	}
	if out.size == "percent" && ok {
		r.note(Told, path+".scaleAction", "a percentage of instances drops its fraction and moves at least one; Azure does not document how it rounds")
	}
	if text := action.text("cooldown"); text != "" {
		var err error
		if out.cooldown, err = duration(text); err != nil {
			r.note(Changed, path+".scaleAction.cooldown", "%v: five minutes are taken", err)
			out.cooldown = 5 * time.Minute
		}
	} else {
		r.note(Changed, path+".scaleAction.cooldown", "not given: five minutes are taken")
		out.cooldown = 5 * time.Minute
	}
	if out.compare = operators[strings.ToLower(trigger.text("operator"))]; out.compare == "" {
		r.note(Lost, path+".metricTrigger.operator", "%q is no comparison", trigger.text("operator"))
		ok = false
	}
	out.threshold = threshold(trigger.text("threshold"))
	if out.threshold == "" {
		r.note(Lost, path+".metricTrigger.threshold", "%q is no number", trigger.text("threshold"))
		ok = false
	}
	out.divide = trigger.truth("dividePerInstance")
	if !r.measured(path+".metricTrigger", trigger, &out) {
		ok = false
	}
	return out, direction, ok
}

// threshold is a number as Rego reads it; empty for what is none. A policy compares in thousandths.
func threshold(s string) string {
	f, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/xX_pP") {
		return ""
	}
	if f.IsInt() {
		return f.Num().String()
	}
	return strings.TrimRight(strings.TrimRight(f.FloatString(6), "0"), ".")
}
