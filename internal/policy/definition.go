package policy

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
	"trimtab/internal/spell"
)

// What a definition that says nothing gets. Each is on the safe side: a pool watches, grows soon, and shrinks late and
// little. policies/schemas/pool/schema.json says the same to authors.
const (
	defaultGrowCooldown     = 60
	defaultShrinkCooldown   = 300
	defaultMixCooldown      = 900
	defaultStabilisation    = 300
	defaultWarmUp           = 180
	defaultWindow           = 300
	defaultBucket           = 60
	defaultStaleAfter       = 900 // diagnostic settings are 6 to 11 minutes late (facts: events 4)
	defaultMinCoverage      = 60
	maxInstances            = 1000 // the platform's own bound for one scale set (facts: VMSS 3.1)
	maxSignals              = 32
	maxSchedules            = 32
	maxLabels               = 32
	maxBuckets              = 240
	maxRecent               = 60
	minTrend                = 3
	day                     = 24 * 60 * 60
	hour                    = 60 * 60
	maxLabelLength          = 256
	scaleSetWritten         = "/subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Compute/virtualMachineScaleSets/NAME"
	growStep, growPercent   = 4, 100
	shrinkStep, shrinkShare = 1, 10
	stepWindow              = 300
	repairOnce, repairShare = 1, 10
)

var (
	nameForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	scaleSetForm = regexp.MustCompile(`(?i)^/subscriptions/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
		`/resourceGroups/[-\w.()]{1,90}/providers/Microsoft\.Compute/virtualMachineScaleSets/[A-Za-z0-9][-\w.]{0,63}$`)
)

// poolFields are the fields of a definition.
var poolFields = []string{
	"scale_set", "spot_scale_set", "orchestration", "policy", "candidate", "mode", "limits", "signals", "schedules", "cooldown",
	"stabilisation_seconds", "grow_step", "shrink_step", "warm_up_seconds", "repair", "shrink", "clean", "accept", "spot_risk",
	"spending", "groups", "labels", "settings",
}

// definition is a pool and where it was written.
type definition struct {
	scale.Pool
	at *node
	// policyAt is where the policy is named.
	policyAt *node
	// body is the definition as it was written.
	body *node
}

// definitions reads pools out of the data document.
type definitions struct {
	ps    *problems
	zones map[string]*time.Location
}

// readPools reads every pool below data.pools, sorted by name.
func readPools(data *node, ps *problems) []definition {
	pools := data.fields["pools"]
	if pools == nil {
		return nil
	}
	if pools.kind != object {
		ps.add(pools.file, pools.line, "data.pools is an object of pools, not %s", pools.kind)
		return nil
	}
	d := definitions{ps: ps, zones: map[string]*time.Location{}}
	var all []definition
	owner := map[string]definition{}
	for _, name := range slices.Sorted(slices.Values(pools.keys)) {
		p, ok := d.pool(name, pools.fields[name])
		if !ok {
			continue
		}
		for _, set := range []string{p.ScaleSet, p.SpotScaleSet} {
			key := strings.ToLower(set)
			if first, taken := owner[key]; taken && key != "" {
				ps.add(p.at.file, p.at.line, "pool %s: scale set %s belongs to pool %s already (%s:%d)",
					name, set, first.Name, first.at.file, first.at.line)
			} else {
				owner[key] = p
			}
		}
		all = append(all, p)
	}
	checkGroups(all, d.ps)
	return all
}

func (d *definitions) pool(name string, n *node) (definition, bool) {
	at := "data.pools." + name
	if n.kind != object {
		d.ps.add(n.file, n.line, "%s is an object that holds a pool, not %s", at, n.kind)
		return definition{}, false
	}
	n, below := n.fields["pool"], n
	if n == nil {
		d.ps.add(below.file, below.line, "%s has no pool; %s", at, spell.Meant("pool", below.keys))
		return definition{}, false
	}
	if !nameForm.MatchString(name) || ast.IsKeyword(name) {
		d.ps.add(n.file, n.line, "%s: a pool's name is a Rego package: a lower-case letter, then letters, digits and _", at)
	}
	o, ok := d.object(n, at+".pool", poolFields...)
	if !ok {
		return definition{}, false
	}
	p := definition{at: n, policyAt: n, body: n, Pool: scale.Pool{
		Name:          name,
		ScaleSet:      o.text("scale_set", required),
		Orchestration: scale.Orchestration(o.choice("orchestration", required, "flexible", "uniform")),
		Policy:        o.text("policy", name),
		Mode:          scale.Mode(o.choice("mode", "observe", "observe", "enforce")),
		Labels:        o.labels(),
		Settings:      o.settings(),
	}}
	if o.fields["candidate"] != nil {
		p.Candidate = &scale.Candidate{Policy: o.text("candidate", required)}
	}
	if at := o.fields["policy"]; at != nil {
		p.policyAt = at
	}
	if set := o.fields["scale_set"]; set != nil {
		p.at = set
		if p.ScaleSet = strings.TrimSuffix(p.ScaleSet, "/"); set.kind == text && !scaleSetForm.MatchString(p.ScaleSet) {
			o.wrong("scale_set", "%q is no scale set's resource ID: %s", set.text, scaleSetWritten)
		}
	}
	if set := o.fields["spot_scale_set"]; set != nil {
		p.SpotScaleSet = strings.TrimSuffix(o.text("spot_scale_set", required), "/")
		switch {
		case set.kind == text && !scaleSetForm.MatchString(p.SpotScaleSet):
			o.wrong("spot_scale_set", "%q is no scale set's resource ID: %s", set.text, scaleSetWritten)
		case p.Orchestration != scale.Uniform:
			o.wrong("spot_scale_set", "a pair is of uniform sets; a flexible set takes both kinds by its priority mix")
		}
	}
	p.Rails = o.rails()
	before := len(*d.ps)
	p.Signals = o.signals(p.ScaleSet)
	if err := metric.CheckBudget(p.Signals); err != nil && len(*d.ps) == before {
		for problem := range strings.SplitSeq(err.Error(), "\n") {
			o.wrong("signals", "%s", problem)
		}
	}
	p.SpotRisk, p.Spending = o.spotRisk(), o.spending()
	p.Groups = o.groups(p.SpotScaleSet != "")
	o.checkForecasts(p.Signals, p.Rails.WarmUpSeconds)
	p.Schedules = o.schedules()
	o.checkHours(p.Rails.Repair, p.Schedules)
	return p, true
}

func (o fields) rails() scale.Rails {
	r := scale.Rails{
		Limits:               o.limits(),
		Cooldown:             scale.Cooldown{GrowSeconds: defaultGrowCooldown, ShrinkSeconds: defaultShrinkCooldown, MixSeconds: defaultMixCooldown},
		StabilisationSeconds: o.whole("stabilisation_seconds", 0, day, defaultStabilisation),
		GrowStep:             o.step("grow_step", scale.Step{Instances: growStep, Percent: growPercent, WindowSeconds: stepWindow}),
		ShrinkStep:           o.step("shrink_step", scale.Step{Instances: shrinkStep, Percent: shrinkShare, WindowSeconds: stepWindow}),
		WarmUpSeconds:        o.whole("warm_up_seconds", 0, hour, defaultWarmUp),
		Repair:               scale.Repair{Instances: repairOnce, Percent: repairShare},
		Clean:                scale.Cleaning{Failed: true},
	}
	if b, ok := o.sub("clean", "failed", "evicted"); ok {
		r.Clean = scale.Cleaning{Failed: b.fields["failed"] == nil || b.flag("failed"), Evicted: b.flag("evicted")}
	}
	if b, ok := o.sub("shrink", "order", "action"); ok {
		r.Shrink = scale.Selection{Order: b.preferences("order"), Action: scale.Verb(b.choice("action", string(scale.Delete), string(scale.Delete), string(scale.Deallocate)))}
	}
	if o.fields["accept"] != nil {
		r.Accept = o.choices("accept", scale.AcceptableTraps())
	}
	if b, ok := o.sub("repair", "instances", "percent", "during"); ok {
		r.Repair = b.repair(r.Repair)
	}
	if c, ok := o.sub("cooldown", "grow_seconds", "shrink_seconds", "mix_seconds"); ok {
		r.Cooldown = scale.Cooldown{
			GrowSeconds:   c.whole("grow_seconds", 0, day, defaultGrowCooldown),
			ShrinkSeconds: c.whole("shrink_seconds", 0, day, defaultShrinkCooldown),
			MixSeconds:    c.whole("mix_seconds", 0, day, defaultMixCooldown),
		}
	}
	return r
}

// preferences are what a list in a field prefers, the first most.
func (o fields) preferences(name string) (all []scale.Preference) {
	for _, one := range o.choices(name, []string{"unhealthy", "spot", "oldest", "newest", "zone_balance"}) {
		p := scale.Preference(one)
		if p == scale.PreferNewest && slices.Contains(all, scale.PreferOldest) || p == scale.PreferOldest && slices.Contains(all, scale.PreferNewest) {
			o.wrong(name, "oldest and newest exclude each other")
			continue
		}
		all = append(all, p)
	}
	return all
}

// choices are the texts of a list in a field, each one of those known, and once.
func (o fields) choices(name string, known []string) (all []string) {
	n := o.fields[name]
	switch {
	case n == nil:
		o.need(name, "a list of "+strings.Join(known, ", "))
		return nil
	case n.kind != array || len(n.items) == 0:
		o.wrong(name, "a list of %s, not %s", strings.Join(known, ", "), n.kind)
		return nil
	}
	for _, item := range n.items {
		switch {
		case item.kind != text || !slices.Contains(known, item.text):
			o.wrong(name, "%q is not one of the choices; %s", item.text, spell.Meant(item.text, known))
		case slices.Contains(all, item.text):
			o.wrong(name, "%q is there twice", item.text)
		default:
			all = append(all, item.text)
		}
	}
	return all
}

func (o fields) limits() scale.Limits {
	l, ok := o.sub("limits", "min", "max", "default")
	if !ok {
		o.need("limits", "an object, such as {\"min\": 2, \"max\": 20}")
		return scale.Limits{}
	}
	before := len(*o.ps)
	limits := scale.Limits{
		Min:     l.whole("min", 0, maxInstances, mustBeGiven),
		Max:     l.whole("max", 1, maxInstances, mustBeGiven),
		Default: l.whole("default", 0, maxInstances, 0),
	}
	if l.fields["min"] == nil || l.fields["max"] == nil || len(*o.ps) > before {
		return limits
	}
	if limits.Min > limits.Max {
		l.wrong("max", "%d is below min, which is %d", limits.Max, limits.Min)
	} else if limits.Default != 0 && (limits.Default < limits.Min || limits.Default > limits.Max) {
		l.wrong("default", "%d is outside min and max: %d to %d, or 0 for none", limits.Default, limits.Min, limits.Max)
	}
	return limits
}

func (o fields) step(name string, otherwise scale.Step) scale.Step {
	s, ok := o.sub(name, "instances", "percent", "window_seconds")
	if !ok {
		return otherwise
	}
	step := scale.Step{
		Instances:     s.whole("instances", 0, maxInstances, 0),
		Percent:       s.whole("percent", 0, 1000, 0),
		WindowSeconds: s.whole("window_seconds", 0, day, 0),
	}
	if step.WindowSeconds == 0 && (step.Instances > 0 || step.Percent > 0) {
		s.wrong("window_seconds", "a step that bounds something needs a window above 0 seconds")
	}
	return step
}

func (o fields) labels() map[string]string {
	l, ok := o.sub("labels")
	if !ok {
		return nil
	}
	labels := make(map[string]string, len(l.at.keys))
	for _, k := range l.at.keys {
		if labels[k] = l.text(k, ""); len(k)+len(labels[k]) > maxLabelLength {
			l.wrong(k, "key and value together are longer than %d", maxLabelLength)
		}
	}
	if len(labels) > maxLabels {
		o.wrong("labels", "%d are more than %d", len(labels), maxLabels)
	}
	return labels
}

func (o fields) settings() json.RawMessage {
	s, ok := o.sub("settings")
	if !ok {
		return json.RawMessage("{}")
	}
	var b bytes.Buffer
	if s.at.raw != nil && json.Compact(&b, s.at.raw) == nil {
		return b.Bytes()
	}
	// Put together from several files: written anew, in the order of keys.
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.at.plain()); err != nil {
		o.wrong("settings", "%v", err)
	}
	return bytes.TrimSpace(b.Bytes())
}
