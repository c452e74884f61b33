package autoscale

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Pool is what one setting became.
type Pool struct {
	// Name is the pool's name, Setting that of the setting.
	Name    string `json:"name"`
	Setting string `json:"setting"`
	// Definition is the text of data.json, Policy that of the Rego file beside it.
	Definition string `json:"definition"`
	Policy     string `json:"policy"`
	// Notes are what is to be known, in the order of the file.
	Notes []Note `json:"notes"`
}

// Lost reports whether something of the setting is not in what was written.
func (p Pool) Lost() bool {
	return slices.ContainsFunc(p.Notes, func(n Note) bool { return n.Level == Lost })
}

// Import reads a file and writes each setting in it as a pool and a policy. The error says why the file could not be
// read; what a setting has that cannot be kept is in the pool's notes.
func Import(text []byte, o Options) ([]Pool, error) {
	settings, err := read(text, o)
	if err != nil {
		return nil, err
	}
	if o.Orchestration != "" && o.Orchestration != "flexible" && o.Orchestration != "uniform" {
		return nil, fmt.Errorf("orchestration %q: flexible or uniform is right", o.Orchestration)
	}
	if o.Pool != "" && (len(settings) > 1 || poolName(o.Pool) != o.Pool) {
		return nil, fmt.Errorf("pool %q: a name is a lower-case letter, then letters, digits and _, and for a file with one setting, not %d", o.Pool, len(settings))
	}
	var pools []Pool
	names := map[string]bool{}
	for _, s := range settings {
		if o.Orchestration != "" {
			s.orchestration = o.Orchestration
		}
		p := convert(s)
		if o.Pool != "" {
			p.name = o.Pool
		}
		for base, i := p.name, 2; names[p.name]; i++ {
			p.name = fmt.Sprintf("%s_%d", base, i)
		}
		names[p.name] = true
		out := Pool{Name: p.name, Setting: p.setting}
		if out.Definition, err = p.definition(); err != nil {
			return nil, fmt.Errorf("setting %s: %w", s.name, err)
		}
		out.Policy, out.Notes = p.policy(), p.notes
		pools = append(pools, out)
	}
	return pools, nil
}

// pool is a setting on its way to a pool.
type pool struct {
	reader
	name, setting, target, orchestration string
	profiles                             []profile
	// active are the schedules of each profile in profiles, by name; otherwise is the profile that needs none, -1 if
	// outside the others Azure does nothing.
	active    [][]namedSchedule
	otherwise int
	forecast  *forecast
}

// forecast is a setting's predictive policy, as a forecast of the processor's load.
type forecast struct {
	// only is true where the forecast is to be recorded and to ask for nothing.
	only bool
	lead time.Duration
	// signal is the one that the rule out measures, threshold what it calls for growth beyond.
	signal, threshold string
}

type namedSchedule struct {
	name string
	schedule
}

var setForm = regexp.MustCompile(`(?i)^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Compute/virtualMachineScaleSets/([^/]+)$`)

var guid = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func convert(s setting) *pool {
	p := &pool{setting: s.name, orchestration: s.orchestration, otherwise: -1}
	p.notes = s.notes
	p.targetOf(s.body, s.openTarget)
	for i, v := range s.body.list("profiles") {
		o, _ := v.(map[string]any)
		p.profiles = append(p.profiles, p.reader.profile(fmt.Sprintf("profiles[%d]", i), part{at: o}))
	}
	p.merge()
	p.turnsOf()
	p.rest(s.body)
	return p
}

func (p *pool) targetOf(body part, why string) {
	p.target = strings.TrimRight(body.text("targetResourceUri"), "/")
	p.reader.target = p.target
	match := setForm.FindStringSubmatch(p.target)
	switch {
	case p.target == "":
		p.note(Lost, "targetResourceUri", "not given: a made-up scale set stands in the pool's definition; write the right one")
		p.target = "/subscriptions/" + nowhere + "/resourceGroups/unknown/providers/Microsoft.Compute/virtualMachineScaleSets/" + slug(p.setting, "set")
	case match == nil && why != "" && !strings.Contains(p.target, "/providers/"):
		p.note(Lost, "targetResourceUri", "not known from the file: %s. A made-up scale set stands in the pool's definition; write the right one", why)
		p.target = "/subscriptions/" + nowhere + "/resourceGroups/unknown/providers/Microsoft.Compute/virtualMachineScaleSets/" + slug(lastPart(p.target), "set")
	case match == nil:
		p.note(Lost, "targetResourceUri", "%s is no scale set, and nothing else is scaled: a made-up one stands in the pool's definition", p.target)
		p.target = "/subscriptions/" + nowhere + "/resourceGroups/unknown/providers/Microsoft.Compute/virtualMachineScaleSets/" + slug(lastPart(p.target), "set")
	case !guid.MatchString(match[1]):
		p.note(Changed, "targetResourceUri", "%q is no subscription's ID: %s stands in the pool's definition; write the right one", match[1], nowhere)
		p.target = "/subscriptions/" + nowhere + p.target[len("/subscriptions/")+len(match[1]):]
	}
	if match != nil && why != "" {
		p.note(Changed, "targetResourceUri", "%s stands in the pool's definition; write the right one, or: %s", p.target, why)
	}
	p.name = poolName(lastPart(p.target))
	if p.setting == "" {
		p.setting = p.name
	}
	if p.orchestration == "" {
		p.orchestration = "uniform"
		p.note(Told, "targetResourceUri", "a setting does not say whether its scale set is flexible or uniform: uniform is written; a wrong one holds the pool and says so")
	}
}

// poolName is a name that a Rego package may have.
func poolName(of string) string {
	name := slug(of, "pool")
	if slices.Contains(strings.Fields("as contains data default else every false if import in input not null package set some true with"), name) {
		name = "pool_" + name
	}
	return name
}

// merge drops profiles that cannot come into force, and makes one of those that say the same: for each recurring
// profile the portal writes a copy of the default one, with the recurrence on which the other ends.
func (p *pool) merge() {
	var kept []profile
	for _, f := range p.profiles {
		if f.recurrence != nil && len(f.recurrence.starts) == 0 || f.fixed != nil && f.fixed.end.IsZero() {
			continue // noted where it was read
		}
		kept = append(kept, f)
	}
	p.profiles = kept
	if len(p.profiles) > 20 {
		p.note(Told, "profiles", "Azure takes 20 profiles, here are %d", len(p.profiles))
	}
	if len(p.profiles) == 0 {
		p.note(Lost, "profiles", "there is none that can come into force: the pool stays as it is")
	}
}

// turnsOf says when each profile is in force: fixed dates before recurrences before the default.
func (p *pool) turnsOf() {
	turns := p.turns(p.profiles)
	p.active = make([][]namedSchedule, len(p.profiles))
	standing := slices.IndexFunc(p.profiles, func(f profile) bool { return f.recurrence == nil && f.fixed == nil })
	if standing >= 0 {
		p.otherwise = standing
	}
	spans := map[int][]span{}
	var order []int
	for _, s := range turns {
		owner := s.profile
		// A profile that says what the standing one says needs no schedule; nor does a second that says what a first says.
		for i := range p.profiles[:owner] {
			if p.profiles[i].fixed == nil && p.profiles[i].says(p.profiles[owner]) {
				owner = i
				break
			}
		}
		if standing >= 0 && p.profiles[standing].says(p.profiles[owner]) {
			continue
		}
		if spans[owner] == nil {
			order = append(order, owner)
		}
		spans[owner] = append(spans[owner], s)
	}
	if len(turns) > 0 && standing >= 0 && !slices.ContainsFunc(turns, func(s span) bool { return p.profiles[standing].says(p.profiles[s.profile]) }) {
		p.note(Told, p.profiles[standing].path, "profile %q is never in force: once a recurring profile has begun, only another recurrence ends it", p.profiles[standing].name)
		p.otherwise = order[len(order)-1]
	} else if len(turns) > 0 && standing < 0 {
		p.otherwise = order[len(order)-1]
	}
	names := map[string]bool{}
	fresh := func(f profile) string {
		base := slug(f.name, "profile")
		name := base
		for i := 2; names[name]; i++ {
			name = fmt.Sprintf("%s_%d", base, i)
		}
		names[name] = true
		return name
	}
	for i, f := range p.profiles {
		if f.fixed != nil {
			p.active[i] = []namedSchedule{{fresh(f), schedule{
				Days: "Mon-Sun", From: "00:00", To: "24:00", Zone: f.fixed.zone,
				Starts: f.fixed.start.Format(time.RFC3339), Ends: f.fixed.end.Format(time.RFC3339),
			}}}
		}
	}
	for _, i := range order {
		if i == p.otherwise {
			continue
		}
		for _, s := range schedules(spans[i]) {
			p.active[i] = append(p.active[i], namedSchedule{fresh(p.profiles[i]), s})
		}
	}
	for i, f := range p.profiles {
		if i != standing && f.fixed == nil && f.recurrence == nil {
			p.note(Lost, f.path, "profile %q: there is a default profile already, and only the first is in force", f.name)
		}
	}
}

// says reports whether two profiles have the same limits and rules.
func (f profile) says(o profile) bool {
	same := func(a, b rule) bool {
		x, y := a, b
		x.path, y.path, x.signal, y.signal = "", "", signal{}, signal{}
		return fmt.Sprint(x) == fmt.Sprint(y) && a.signal.name == b.signal.name
	}
	return f.min == o.min && f.max == o.max && f.preset == o.preset &&
		slices.EqualFunc(f.out, o.out, same) && slices.EqualFunc(f.in, o.in, same)
}

// used are the profiles that come into force, those with a schedule first, in the order in which they are asked.
func (p *pool) used() []int {
	var fixed, recurring []int
	for i := range p.profiles {
		switch {
		case i == p.otherwise || len(p.active[i]) == 0:
		case p.profiles[i].fixed != nil:
			fixed = append(fixed, i)
		default:
			recurring = append(recurring, i)
		}
	}
	all := append(fixed, recurring...)
	if p.otherwise >= 0 {
		all = append(all, p.otherwise)
	}
	return all
}

// rest is what a setting says besides its profiles.
func (p *pool) rest(body part) {
	if body.has("enabled") && !body.truth("enabled") {
		p.note(Told, "enabled", "the setting is switched off; the pool observes, as every imported one does")
	} else {
		p.note(Told, "enabled", "the pool observes. Delete or disable the setting before it enforces: two writers on one scale set fight")
	}
	for i, v := range body.list("notifications") {
		o, _ := v.(map[string]any)
		if n := (part{at: o}); n.has("email") || len(n.list("webhooks")) > 0 {
			p.note(Lost, fmt.Sprintf("notifications[%d]", i), "e-mails and webhooks are not sent by a pool")
		}
	}
	if predictive := body.part("predictiveAutoscalePolicy"); predictive.at != nil {
		p.predictive(predictive)
	}
	p.cooldowns()
}

func (p *pool) predictive(predictive part) {
	const path = "predictiveAutoscalePolicy"
	mode := strings.ToLower(predictive.text("scaleMode"))
	switch mode {
	case "", "disabled":
		return
	case "enabled", "forecastonly":
	default:
		p.note(Lost, path+".scaleMode", "%q is neither Disabled, ForecastOnly nor Enabled", predictive.text("scaleMode"))
		return
	}
	f := &forecast{only: mode == "forecastonly", lead: leastLead}
	if text := predictive.text("scaleLookAheadTime"); text != "" {
		lead, err := duration(text)
		if err != nil {
			p.note(Changed, path+".scaleLookAheadTime", "%v: %s is taken", err, short(f.lead))
		} else if f.lead = min(max(lead, leastLead), mostLead); f.lead != lead {
			p.note(Changed, path+".scaleLookAheadTime", "%s is not from %s, which an instance takes until it serves, to %s: %s is taken",
				short(lead), short(leastLead), short(mostLead), short(f.lead))
		}
	}
	if !p.foreseen(f) {
		p.note(Lost, path, "no rule out measures the average of Percentage CPU, which is all that Azure forecasts")
		return
	}
	p.forecast = f
	p.note(Changed, path, "Azure forecasts the processor's load by a model of its own; the pool looks %s ahead by the season of a day with a margin, asks for as many instances as stay below %s, and begins after seven days of history",
		short(f.lead), f.threshold)
}

// The bounds of a forecast's lead: the warm-up that a definition has unless it gives one, and what a signal may look ahead.
const (
	leastLead = 3 * time.Minute
	mostLead  = 4 * time.Hour
)

// foreseen finds the rule out whose load is forecast: the one on the processor with the lowest threshold.
func (p *pool) foreseen(f *forecast) bool {
	lowest := 0.0
	for _, i := range p.used() {
		for _, r := range p.profiles[i].out {
			level, err := strconv.ParseFloat(r.threshold, 64)
			if !strings.EqualFold(r.signal.metric, "Percentage CPU") || r.signal.aggregation != "average" || !r.spread ||
				r.compare != "over" && r.compare != "at_least" || err != nil || level <= 0 {
				continue
			}
			if f.signal == "" || level < lowest {
				lowest, f.signal, f.threshold = level, r.signal.name, r.threshold
			}
		}
	}
	return f.signal != ""
}

// cooldowns notes how cooldowns differ. Azure has one timer for both directions, set by the rule that fired last.
func (p *pool) cooldowns() {
	grow, shrink, several := p.cooldown()
	if grow == 0 && shrink == 0 {
		return
	}
	p.note(Changed, "cooldown", "growth rests %s after growth, a shrink %s after any change. Azure also keeps growth waiting after a shrink; a pool never does",
		short(grow), short(shrink))
	if several {
		p.note(Changed, "cooldown", "rules of one direction have different cooldowns: a pool has one for each direction, the longest is taken for shrinking and the shortest for growth")
	}
}

// cooldown is the time that each direction rests, and whether rules differ in it.
func (p *pool) cooldown() (grow, shrink time.Duration, several bool) {
	var out, in []time.Duration
	for _, i := range p.used() {
		for _, r := range p.profiles[i].out {
			out = append(out, r.cooldown)
		}
		for _, r := range p.profiles[i].in {
			in = append(in, r.cooldown)
		}
	}
	differ := func(d []time.Duration) bool { return len(d) > 0 && slices.Min(d) != slices.Max(d) }
	if len(out) > 0 {
		grow = min(slices.Min(out), 24*time.Hour)
	}
	if all := slices.Concat(out, in); len(all) > 0 {
		shrink = min(slices.Max(all), 24*time.Hour)
	}
	return grow, shrink, differ(out) || differ(in)
}

// quoted is a JSON string, which is a Rego string as well.
func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}
