package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// World is what is assumed about everything that the policy does not decide. Its JSON form is the file that `--world`
// reads; what it leaves out keeps its default, and all of it goes into the result.
type World struct {
	// StepSeconds is the length of a step of the world, and the span of a sample.
	StepSeconds int `json:"step_seconds"`
	// PeakInstances scales the trace: its largest value needs so many instances within the objective. 0 means three
	// quarters of the pool's maximum; it gives way to Capacity.
	PeakInstances float64 `json:"peak_instances"`
	// Capacity is how much of the trace's unit one instance carries when it is fully used; 0 leaves it to PeakInstances.
	Capacity float64 `json:"capacity"`
	// ObjectivePercent is up to which utilisation the service keeps its objective.
	ObjectivePercent float64 `json:"objective_percent"`
	// QueueSeconds is how long work may wait for the instances in service before it is lost; below 0 it waits for ever.
	QueueSeconds float64 `json:"queue_seconds"`
	// Boot is the time from the order to the end of the operation, Start from there to service.
	Boot         Span    `json:"boot"`
	StartSeconds float64 `json:"start_seconds"`
	// BootFailPercent is how many boots in a hundred fail and are tried once more by the platform, taking twice as long.
	BootFailPercent float64 `json:"boot_fail_percent"`
	// DeleteSeconds is how long a removal takes; what is removed serves no more and is paid for until then.
	DeleteSeconds float64 `json:"delete_seconds"`
	// Signals say by name what each signal of the pool measures; those that are not named are guessed from their units.
	Signals map[string]Sensor `json:"signals"`
	Spot    SpotMarket        `json:"spot"`
	Prices  Prices            `json:"prices"`
	// QuotaRegular and QuotaSpot are how many instances the subscription allows; 0 for no limit.
	QuotaRegular int `json:"quota_regular"`
	QuotaSpot    int `json:"quota_spot"`
	// StartInstances is the count at the beginning; 0 takes what the first load needs.
	StartInstances int `json:"start_instances"`
	// TargetPercent is the utilisation that HPA's algorithm is given, its one number without a default for machines.
	TargetPercent float64 `json:"hpa_target_percent"`
}

// Span is a distribution of times: lognormal by its median and its 95th percentile, cut at its longest.
type Span struct {
	MedianSeconds float64 `json:"median_seconds"`
	P95Seconds    float64 `json:"p95_seconds"`
	MaxSeconds    float64 `json:"max_seconds"`
}

// at is the quantile of a draw from a standard normal distribution.
func (s Span) at(normal float64) time.Duration {
	seconds := s.MedianSeconds
	if s.P95Seconds > s.MedianSeconds {
		seconds *= math.Exp(normal * math.Log(s.P95Seconds/s.MedianSeconds) / 1.6448536269514722)
	}
	return time.Duration(min(seconds, max(s.MaxSeconds, s.MedianSeconds)) * float64(time.Second))
}

// Sensor is how a signal comes about.
type Sensor struct {
	// Kind is "utilisation" (per cent of the instances in service), "per_instance" (load on each instance), "total" (load
	// of all), "backlog" (work that waits) or "none" (never measured).
	Kind string `json:"kind"`
	// Full is the signal's value of one instance at its capacity: 100 for a utilisation.
	Full float64 `json:"full"`
	// DelaySeconds is the time from the end of a sample's span to its arrival, JitterSeconds what is added at most.
	DelaySeconds  float64 `json:"delay_seconds"`
	JitterSeconds float64 `json:"jitter_seconds"`
	// DelayQuantiles, where they are given, stand in place of both: evenly spaced from the shortest delay to the longest.
	DelayQuantiles []float64 `json:"delay_quantiles_seconds"`
	// LossPercent is how many samples in a hundred never arrive; NoisePercent the standard deviation of the noise.
	LossPercent  float64 `json:"loss_percent"`
	NoisePercent float64 `json:"noise_percent"`
	// why says where Full comes from, for the list of assumptions.
	why string
}

// SpotMarket is the availability of Spot.
type SpotMarket struct {
	// Model is "always", "never", "trace" or "markov".
	Model string `json:"model"`
	// Zones are the zones of a trace to use, all of them if empty; with the other models, how many there are is Count.
	Zones []string `json:"zones"`
	Count int      `json:"zone_count"`
	// UpHours and DownHours are the mean times for which a zone of the model markov has Spot, and has none.
	UpHours   float64 `json:"up_hours"`
	DownHours float64 `json:"down_hours"`
	// NoticeSeconds is how long before its end a machine is told, in whole steps: the policy hears of a notice at the end of
	// the step in which it is given, and of one shorter than a step with the eviction. Nothing of its load is saved.
	NoticeSeconds float64 `json:"notice_seconds"`
	// EvictionLowers is true when evicted machines leave the scale set's nominal count, as with the eviction policy
	// Delete; false when they stay in it (facts: VMSS 2.2).
	EvictionLowers bool `json:"eviction_lowers_count"`
	// MissedStays is true when machines that could not be had stay in the nominal count (facts: VMSS 2.8).
	MissedStays bool `json:"missed_stay_in_count"`
	// trace is what Model "trace" walks through.
	trace *trace.Spot
}

// Prices are by instance and hour.
type Prices struct {
	Regular  float64 `json:"regular_per_hour"`
	Spot     float64 `json:"spot_per_hour"`
	Currency string  `json:"currency"`
	// course is what prices follow over time, nil where they stay as they are.
	course *trace.Prices
	// why says where the regular price comes from, empty where it is the world's.
	why string
}

// DefaultWorld is the world that nothing was said about.
func DefaultWorld() World {
	return World{
		StepSeconds: 60, ObjectivePercent: 80, QueueSeconds: 30,
		Boot: Span{MedianSeconds: 90, P95Seconds: 180, MaxSeconds: 600}, StartSeconds: 60, DeleteSeconds: 30,
		Spot: SpotMarket{
			Model: "always", Count: 3, UpHours: 24, DownHours: 2, NoticeSeconds: 30, EvictionLowers: true,
		},
		Prices: Prices{Regular: 1, Spot: 0.3, Currency: "of one regular instance"}, TargetPercent: 60,
	}
}

// ReadWorld reads assumptions over the defaults. A field that is not known is refused.
func ReadWorld(data []byte) (World, error) {
	w := DefaultWorld()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return w, fmt.Errorf("read the world: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return w, errors.New("read the world: there is more in the file than one object")
	}
	return w, w.Check()
}

// kinds are the kinds of sensors.
var kinds = []string{"utilisation", "per_instance", "total", "backlog", "none"}

// Check says all that is wrong with a world.
func (w *World) Check() error {
	var errs []error
	between := func(name string, v, low, high float64) {
		if !(v >= low && v <= high) {
			errs = append(errs, fmt.Errorf("world: %s is %g; right would be %g to %g", name, v, low, high))
		}
	}
	between("step_seconds", float64(w.StepSeconds), 1, 3600)
	between("peak_instances", w.PeakInstances, 0, 100_000)
	between("capacity", w.Capacity, 0, math.MaxFloat64)
	between("objective_percent", w.ObjectivePercent, 1, 100)
	between("queue_seconds", w.QueueSeconds, -1, 1e9)
	between("boot.median_seconds", w.Boot.MedianSeconds, 0, 7200)
	between("boot.p95_seconds", w.Boot.P95Seconds, w.Boot.MedianSeconds, 14_400)
	between("start_seconds", w.StartSeconds, 0, 7200)
	between("boot_fail_percent", w.BootFailPercent, 0, 100)
	between("delete_seconds", w.DeleteSeconds, 0, 3600)
	between("prices.regular_per_hour", w.Prices.Regular, 0, 1e6)
	between("prices.spot_per_hour", w.Prices.Spot, 0, 1e6)
	between("spot.zone_count", float64(w.Spot.Count), 1, 12)
	between("spot.notice_seconds", w.Spot.NoticeSeconds, 0, 86_400)
	between("quota_regular", float64(w.QuotaRegular), 0, 1_000_000)
	between("quota_spot", float64(w.QuotaSpot), 0, 1_000_000)
	between("hpa_target_percent", w.TargetPercent, 1, 100)
	between("start_instances", float64(w.StartInstances), 0, 1000)
	switch w.Spot.Model {
	case "always", "never", "trace":
	case "markov":
		between("spot.up_hours", w.Spot.UpHours, 0.1, 1e5)
		between("spot.down_hours", w.Spot.DownHours, 0.1, 1e5)
	default:
		errs = append(errs, fmt.Errorf("world: spot.model is %q; right would be always, never, trace or markov", w.Spot.Model))
	}
	for name, s := range w.Signals {
		if !slices.Contains(kinds, s.Kind) {
			errs = append(errs, fmt.Errorf("world: signals.%s.kind is %q; right would be one of %s", name, s.Kind, strings.Join(kinds, ", ")))
		}
		between("signals."+name+".delay_seconds", s.DelaySeconds, 0, 86_400)
		between("signals."+name+".jitter_seconds", s.JitterSeconds, 0, 86_400)
		errs = append(errs, s.checkDelays(name)...)
		between("signals."+name+".loss_percent", s.LossPercent, 0, 100)
		between("signals."+name+".noise_percent", s.NoisePercent, 0, 100)
	}
	return errors.Join(errs...)
}

// WithSpot is the world in which the availability of Spot follows a trace.
func (w World) WithSpot(t *trace.Spot) World {
	w.Spot.Model, w.Spot.trace, w.Spot.Zones = "trace", t, t.Zones
	return w
}

// Full is the value of a pool's signal that one instance at its capacity makes; ok is false for a signal that says
// nothing of the load on instances.
func (w *World) Full(pool *scale.Pool, signal string) (full float64, ok bool) {
	for i, s := range w.sensors(pool, nil) {
		if pool.Signals[i].Name == signal {
			return s.Full, s.Full > 0 && (s.Kind == "utilisation" || s.Kind == "per_instance")
		}
	}
	return 0, false
}

// guess tells a signal's kind by its unit and its metric's name. What an instance reads at the objective is taken from
// the pool's setting that begins with the signal's name, where there is one.
func (w *World) guess(s *scale.Signal, settings map[string]any) Sensor {
	text := strings.ToLower(s.Unit + " " + s.Metric + " " + s.Name)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	g := Sensor{Kind: "per_instance", Full: 100, DelaySeconds: 60, why: "guessed: nothing says what an instance reads"}
	switch {
	case has("percent", "%"):
		g.Kind, g.why = "utilisation", "per cent of what the instances in service can carry"
		return g
	case has("queue", "backlog", "message", "lag"):
		g.Kind, g.Full, g.why = "backlog", 1, "guessed: one item a second for each instance"
	}
	var names []string
	for name, v := range settings {
		if f, ok := v.(float64); ok && f > 0 && strings.HasPrefix(name, s.Name+"_") {
			names = append(names, name)
		}
	}
	if len(names) > 0 && g.Kind == "per_instance" {
		name := slices.Min(names)
		g.Full = settings[name].(float64) * 100 / w.ObjectivePercent
		g.why = "guessed: an instance at the objective reads what settings." + name + " says"
	}
	return g
}
