package autoscale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// document is a pool's definition: policies/schemas/pool.
type document struct {
	Pool struct {
		ScaleSet      string                `json:"scale_set"`
		Orchestration string                `json:"orchestration"`
		Mode          string                `json:"mode"`
		Limits        limits                `json:"limits"`
		Signals       map[string]definition `json:"signals,omitempty"`
		Schedules     map[string]schedule   `json:"schedules,omitempty"`
		Cooldown      cooldown              `json:"cooldown"`
		Stabilisation int                   `json:"stabilisation_seconds"`
		GrowStep      step                  `json:"grow_step"`
		ShrinkStep    step                  `json:"shrink_step"`
		Labels        map[string]string     `json:"labels"`
	} `json:"pool"`
}

type limits struct {
	Min     int `json:"min"`
	Max     int `json:"max"`
	Default int `json:"default"`
}

type cooldown struct {
	Grow   int `json:"grow_seconds"`
	Shrink int `json:"shrink_seconds"`
}

type step struct {
	Instances int `json:"instances"`
	Percent   int `json:"percent"`
	Window    int `json:"window_seconds"`
}

type definition struct {
	Resource    string            `json:"resource,omitempty"`
	Metric      string            `json:"metric"`
	Dimensions  map[string]string `json:"dimensions,omitempty"`
	Aggregation string            `json:"aggregation"`
	Window      int               `json:"window_seconds"`
	Bucket      int               `json:"bucket_seconds"`
	StaleAfter  int               `json:"stale_after_seconds,omitempty"`
	Forecast    *outlook          `json:"forecast,omitempty"`
}

type outlook struct {
	Lead   int    `json:"lead_seconds"`
	Season string `json:"season"`
}

// staleAfter is the least age at which a signal of platform exports is stale (facts: events 4), the definitions' default.
const staleAfter = 15 * time.Minute

// definition writes the pool as data.json. What Azure does not have, such as steps and stabilisation, is switched off.
func (p *pool) definition() (string, error) {
	var d document
	o := &d.Pool
	o.ScaleSet, o.Orchestration, o.Mode = p.target, p.orchestration, "observe"
	o.Limits = limits{Min: 0, Max: maxInstances}
	for n, i := range p.used() {
		f := p.profiles[i]
		if n == 0 {
			o.Limits = limits{Min: f.min, Max: f.max}
		}
		o.Limits.Min, o.Limits.Max, o.Limits.Default = min(o.Limits.Min, f.min), max(o.Limits.Max, f.max), f.preset
		if p.otherwise < 0 {
			// Outside its dates Azure leaves the set alone, limits and all.
			o.Limits = limits{Min: 0, Max: maxInstances}
		}
	}
	o.Limits.Max = max(o.Limits.Max, 1)
	o.Signals, o.Schedules = map[string]definition{}, map[string]schedule{}
	for _, i := range p.used() {
		for _, s := range p.active[i] {
			o.Schedules[s.name] = s.schedule
		}
		for _, r := range append(append([]rule{}, p.profiles[i].out...), p.profiles[i].in...) {
			s := definition{
				Metric: r.signal.metric, Dimensions: r.signal.dimensions, Aggregation: r.signal.aggregation,
				Window: int(r.signal.window / time.Second), Bucket: int(r.signal.bucket / time.Second),
			}
			if !strings.EqualFold(strings.TrimRight(r.signal.resource, "/"), p.reader.target) {
				s.Resource = r.signal.resource
			}
			if late := 2*r.signal.bucket + staleAfter; r.signal.bucket > 5*time.Minute {
				s.StaleAfter = int(min(late, maxWindow) / time.Second)
			}
			if p.forecast != nil && p.forecast.signal == r.signal.name {
				s.Forecast = &outlook{Lead: int(p.forecast.lead / time.Second), Season: "day"}
			}
			o.Signals[r.signal.name] = s
		}
	}
	if len(o.Schedules) > 32 {
		p.note(Lost, "profiles", "%d spans of the week are more schedules than the 32 that a pool may have", len(o.Schedules))
	}
	grow, shrink, _ := p.cooldown()
	o.Cooldown = cooldown{Grow: int(grow / time.Second), Shrink: int(shrink / time.Second)}
	o.Labels = map[string]string{"imported_from": cut(p.setting, 200)}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d); err != nil {
		return "", err
	}
	return b.String(), nil
}

func cut(s string, most int) string {
	for i := range s {
		if i > most {
			return s[:i]
		}
	}
	return s
}

// policy writes the policy, in the form that opa fmt gives it.
func (p *pool) policy() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	used := p.used()
	w("# METADATA")
	w("# title: %s", title(p.setting))
	w("# description: |")
	w("#   Imported from the autoscale setting of that name: out if any rule of the profile in force is met, in if all are.")
	w("# schemas:")
	w("#   - input: schema.input.schema")
	w("package pools.%s", p.name)
	w("")
	w("import data.lib.rules")
	if p.forecast != nil {
		w("import data.lib.scale")
	}
	if len(used) > 1 || p.otherwise < 0 && len(used) > 0 {
		w("import data.lib.schedule")
	}
	w("")
	w("# METADATA")
	w("# title: Reasons")
	w("# description: One for each rule of the profile in force, and its minimum.")
	if p.forecast != nil {
		w("# scope: document")
	}
	w("want contains reason if some reason in rules.reasons(_profile)")
	w("")
	if f := p.forecast; f != nil {
		only := ""
		if f.only {
			only = `, "only": "record"`
		}
		w("# The load that is expected may raise the count; it never lowers it.")
		w(`want contains scale.forecast(%s, {"target": %s%s})`, quoted(f.signal), f.threshold, only)
		w("")
	}
	w("# METADATA")
	w("# title: Ceilings")
	w("# description: The maximum of the profile in force.")
	w("cap contains rules.ceiling(_profile)")
	w("")
	p.choice(&b, used)
	for n, i := range used {
		if n > 0 || len(used) > 1 || p.otherwise < 0 {
			w("")
		}
		p.profileRule(&b, i)
	}
	if p.otherwise < 0 {
		w("")
		w("# Outside its dates the setting leaves the scale set alone.")
		w(`_otherwise := {"min": 0, "max": %d}`, maxInstances)
	}
	return b.String()
}

// choice writes which profile is in force.
func (p *pool) choice(b *strings.Builder, used []int) {
	last := "_otherwise"
	if p.otherwise >= 0 {
		last = p.ruleName(p.otherwise)
	}
	var timed []int
	for _, i := range used {
		if i != p.otherwise {
			timed = append(timed, i)
		}
	}
	if len(timed) == 0 && p.otherwise >= 0 {
		return // the one profile is written in its place
	}
	if len(timed) == 0 {
		fmt.Fprintf(b, "_profile := %s\n", last)
		return
	}
	fmt.Fprintf(b, "# Fixed dates stand before recurrences, and these before the default.\n")
	fmt.Fprintf(b, "_profile := ")
	for n, i := range timed {
		if n > 0 {
			fmt.Fprintf(b, "} else := ")
		}
		fmt.Fprintf(b, "%s if {\n", p.ruleName(i))
		names := p.active[i]
		if len(names) == 1 {
			fmt.Fprintf(b, "\tschedule.active(%s)\n", quoted(names[0].name))
			continue
		}
		var list []string
		for _, s := range names {
			list = append(list, quoted(s.name))
		}
		fmt.Fprintf(b, "\tsome name in [%s]\n\tschedule.active(name)\n", strings.Join(list, ", "))
	}
	fmt.Fprintf(b, "} else := %s\n", last)
}

// ruleName is the name of the rule that holds a profile.
func (p *pool) ruleName(i int) string {
	if len(p.used()) == 1 && p.otherwise == i {
		return "_profile"
	}
	base := "_" + slug(p.profiles[i].name, "profile")
	for _, taken := range p.used() {
		if taken != i && "_"+slug(p.profiles[taken].name, "profile") == base || base == "_profile" || base == "_otherwise" {
			return fmt.Sprintf("%s_%d", base, i+1)
		}
	}
	return base
}

func (p *pool) profileRule(b *strings.Builder, i int) {
	f := p.profiles[i]
	fmt.Fprintf(b, "# %s\n", comment(f.name))
	fmt.Fprintf(b, "%s := {\n\t\"min\": %d,\n\t\"max\": %d,\n\t\"default\": %d,\n", p.ruleName(i), f.min, f.max, f.preset)
	for _, side := range []struct {
		name  string
		rules []rule
	}{{"grow", f.out}, {"shrink", f.in}} {
		switch len(side.rules) {
		case 0:
			fmt.Fprintf(b, "\t%q: [],\n", side.name)
		case 1:
			fmt.Fprintf(b, "\t%q: [%s],\n", side.name, side.rules[0].text(side.name == "grow"))
		default:
			fmt.Fprintf(b, "\t%q: [\n", side.name)
			for _, r := range side.rules {
				fmt.Fprintf(b, "\t\t%s,\n", r.text(side.name == "grow"))
			}
			fmt.Fprintf(b, "\t],\n")
		}
	}
	fmt.Fprintf(b, "}\n")
}

// text is a rule as the library takes it.
func (r rule) text(growth bool) string {
	s := fmt.Sprintf(`{"signal": %s, %q: %s, %q: %s`, quoted(r.signal.name), r.compare, r.threshold, r.size, r.amount)
	if r.divide {
		s += `, "divide": true`
	}
	if r.parts > 1 {
		s += fmt.Sprintf(`, "parts": %d`, r.parts)
	}
	if growth && r.spread && (r.compare == "over" || r.compare == "at_least") {
		s += `, "spread": true`
	}
	return s + "}"
}

var plainTitle = regexp.MustCompile(`^[A-Za-z][\w .()/-]*$`)

// title is a comment that YAML reads as a text, whatever it is.
func title(s string) string {
	s = comment(s)
	if plainTitle.MatchString(s) && !slices.Contains(strings.Fields("true false null yes no on off y n"), strings.ToLower(s)) {
		return s
	}
	return `"` + s + `"`
}

// comment is a text that stays within its line.
func comment(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	return cut(strings.NewReplacer(":", " ", "#", " ", `"`, "'", "\\", "/").Replace(strings.TrimSpace(s)), 100)
}
