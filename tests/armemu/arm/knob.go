package arm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Knob is something that a test or an operator of the emulator can turn. The types below that have a turn method are all
// there are; a further one is a type with that method and a row in knobs.
type Knob interface {
	turn(w *world) error
}

// knobs names the knobs for the control port.
var knobs = map[string]func(data []byte) (Knob, error){
	"set":       decodeKnob[SetConfig],
	"fault":     decodeKnob[Fault],
	"plan":      decodeKnob[PlanNext],
	"throttle":  decodeKnob[Throttle],
	"foreign":   decodeKnob[ForeignWrite],
	"claim":     decodeKnob[ClaimCapacity],
	"forget":    decodeKnob[Forget],
	"evict":     decodeKnob[Evict],
	"remove":    decodeKnob[Remove],
	"scarce":    decodeKnob[Scarce],
	"machine":   decodeKnob[Machine],
	"attach":    decodeKnob[Attach],
	"drain":     decodeKnob[Drain],
	"batch":     decodeKnob[Batch],
	"restrict":  decodeKnob[Restrict],
	"quota":     decodeKnob[Quota],
	"grants":    decodeKnob[Grants],
	"autoscale": decodeKnob[Autoscale],
	"rebalance": decodeKnob[Rebalance],
	"remodel":   decodeKnob[Remodel],
	"skew":      decodeKnob[Skew],
	"restore":   decodeKnob[Restore],
}

func decodeKnob[K Knob](data []byte) (Knob, error) {
	var k K
	err := decodeStrict(data, &k)
	return k, err
}

// turn creates the scale set.
func (c SetConfig) turn(w *world) error { return w.add(c) }

// turn puts the fault behind those that are there.
func (f Fault) turn(w *world) error {
	if !f.Drop && !f.Hang && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault: status %d", f.Status)
	}
	f.Times = max(f.Times, 1)
	w.faults = append(w.faults, &f)
	return nil
}

// Plan is how an operation will go.
type Plan struct {
	// Polls is how many polls answer InProgress at least, Seconds how long it takes at least, in emulated time.
	Polls   int `json:"polls"`
	Seconds int `json:"seconds"`
	// Status is how it ends: Succeeded unless given, Failed or Canceled.
	Status  string `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Created is how many of the machines that a failed growth asked for come up all the same; the others stay behind as
	// failed machines, and capacity keeps the number asked for (facts: VMSS 3.2, partial success).
	Created int `json:"created"`
	// Immediate ends it within the answer to the PATCH (facts: VMSS 1.2).
	Immediate bool `json:"immediate"`
}

// PlanNext says how the next operation of a set goes that has no plan yet.
type PlanNext struct {
	Set string `json:"set"`
	Plan
}

func (p PlanNext) turn(w *world) error {
	s, err := w.find(p.Set)
	if err != nil {
		return err
	}
	switch p.Status {
	case "", stateSucceeded, stateFailed, stateCanceled:
	default:
		return fmt.Errorf("plan: status %q: want Succeeded, Failed or Canceled", p.Status)
	}
	s.plans = append(s.plans, p.Plan)
	return nil
}

// Throttle makes the compute provider answer 429 with its own, unwrapped kind of body (facts: VMSS 1.5).
type Throttle struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	// Policy is the name of the exhausted bucket.
	Policy            string `json:"policy"`
	RetryAfterSeconds int    `json:"retry_after_seconds"`
	Times             int    `json:"times"`
}

func (t Throttle) turn(w *world) error {
	if t.Policy == "" {
		t.Policy = "VMScaleSetUpdates"
	}
	a := throttled(t.Policy, 12, w.now(), t.RetryAfterSeconds)
	body, err := json.Marshal(a.doc)
	if err != nil {
		return fmt.Errorf("throttle: %w", err)
	}
	f := Fault{
		Method: t.Method, Path: t.Path, Status: http.StatusTooManyRequests, Times: t.Times, Body: body,
		Headers: map[string]string{"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/" + t.Policy + ";0"},
	}
	if after := a.header.Get("Retry-After"); after != "" {
		f.Headers["Retry-After"] = after
	}
	return f.turn(w)
}

// ForeignWrite is somebody else's write: with a capacity it is a change like ours and preempts what is under way; without
// one only the ETag moves.
type ForeignWrite struct {
	Set      string `json:"set"`
	Capacity *int   `json:"capacity"`
}

func (f ForeignWrite) turn(w *world) error {
	s, err := w.find(f.Set)
	if err != nil {
		return err
	}
	if f.Capacity == nil {
		s.generation++
		return nil
	}
	if *f.Capacity < 0 {
		return fmt.Errorf("foreign: capacity %d is negative", *f.Capacity)
	}
	w.begin(s, change{capacity: f.Capacity}, w.at())
	return nil
}

// ClaimCapacity makes the next reads of a set claim a capacity that it has not: the passing zero that emptied whole
// clusters is the model (facts: VMSS 5.5 row 2).
type ClaimCapacity struct {
	Set      string `json:"set"`
	Capacity int    `json:"capacity"`
	Times    int    `json:"times"`
}

func (c ClaimCapacity) turn(w *world) error {
	s, err := w.find(c.Set)
	if err != nil {
		return err
	}
	for range max(c.Times, 1) {
		s.lies = append(s.lies, c.Capacity)
	}
	return nil
}

// Forget loses the records of a set's operations, running ones among them; of all sets when Set is empty.
type Forget struct {
	Set string `json:"set"`
}

func (f Forget) turn(w *world) error {
	var only *set
	if f.Set != "" {
		s, err := w.find(f.Set)
		if err != nil {
			return err
		}
		only = s
	}
	for name, o := range w.ops {
		if only == nil || o.set == only {
			// Nobody can poll it any more, so from now on only time ends it.
			o.left = 0
			delete(w.ops, name)
		}
	}
	return nil
}

// Evict takes Spot machines away, the newest first: all of them when Count is 0.
type Evict struct {
	Set   string `json:"set"`
	Count int    `json:"count"`
	// Zone takes only those of one zone, if it is given.
	Zone string `json:"zone"`
	// Policy is Delete or Deallocate; the set's own when empty.
	Policy string `json:"policy"`
	// LowerCapacity says whether deletion lowers sku.capacity. Nil does what is known: it does on Uniform sets; of
	// Flexible ones both are told (facts: VMSS 2.2), and nil leaves it.
	LowerCapacity *bool `json:"lower_capacity"`
}

func (e Evict) turn(w *world) error {
	s, err := w.find(e.Set)
	if err != nil {
		return err
	}
	policy := e.Policy
	if policy == "" {
		policy = s.EvictionPolicy
	}
	if policy != Delete && policy != Deallocate {
		return fmt.Errorf("evict: policy %q: want Delete or Deallocate", policy)
	}
	now := w.at()
	var chosen []*machine
	for _, m := range s.newestFirst() {
		if m.spot && m.power != powerDeallocated && (e.Zone == "" || e.Zone == m.zone) && (e.Count == 0 || len(chosen) < e.Count) {
			chosen = append(chosen, m)
		}
	}
	if e.Count > len(chosen) {
		return fmt.Errorf("evict: %d Spot machines are up, not %d", len(chosen), e.Count)
	}
	lower := s.Orchestration == Uniform
	if e.LowerCapacity != nil {
		lower = *e.LowerCapacity
	}
	w.evict(s, chosen, policy, lower, now)
	return nil
}

// evict takes Spot machines away as the policy says; deletion lowers the counter where lower is true.
func (w *world) evict(s *set, chosen []*machine, policy string, lower bool, now time.Time) {
	for _, m := range chosen {
		if policy == Deallocate {
			m.state, m.power, m.settleAt = stateSucceeded, powerDeallocated, now
			s.remember(m, false, now, w.cfg.restoreEvery())
		} else {
			m.leave(now)
			s.remember(nil, lower, now, w.cfg.restoreEvery())
		}
	}
	if policy == Delete && lower && len(chosen) > 0 {
		s.nominal = max(s.nominal-len(chosen), 0)
		s.generation++
	}
	s.settle(now)
}

// Remove deletes machines one by one behind the set's back: on a Flexible set capacity stays and the set drifts, on a
// Uniform one it follows (facts: VMSS 0.2, 1.1).
type Remove struct {
	Set   string   `json:"set"`
	Count int      `json:"count"`
	Names []string `json:"names"`
}

func (r Remove) turn(w *world) error {
	s, err := w.find(r.Set)
	if err != nil {
		return err
	}
	if (r.Count > 0) == (len(r.Names) > 0) {
		return errors.New("remove: give either a count or names")
	}
	named := map[string]bool{}
	for _, n := range r.Names {
		named[n] = true
	}
	now, gone := w.at(), 0
	for _, m := range s.newestFirst() {
		if named[m.name] || gone < r.Count {
			m.leave(now)
			gone++
		}
	}
	if s.Orchestration == Uniform {
		s.nominal = max(s.nominal-gone, 0)
		s.generation++
	}
	s.settle(now)
	if gone != max(r.Count, len(named)) {
		return fmt.Errorf("remove: only %d were there", gone)
	}
	return nil
}

// Restore takes back every fault, plan, claim, scarcity, quota, restriction and skew that is in force.
type Restore struct{}

func (Restore) turn(w *world) error {
	w.faults, w.scarce, w.quotas, w.restricted, w.skew = nil, nil, nil, nil, 0
	for _, s := range w.sets {
		s.plans, s.lies = nil, nil
	}
	return nil
}
