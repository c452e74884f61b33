package forecast

import (
	"fmt"
	"slices"
	"time"

	"trimtab/internal/scale"
)

// Look says what the history of a signal lets expect within the lead of its rule, counted from now. It is nil for a
// signal without one. The forecast is known once the history is a week long, and a day longer than its season, with three
// quarters of its slots measured.
func (h *History) Look(sig *scale.Signal, now time.Time) *scale.Forecast {
	rule := sig.Forecast
	if rule == nil {
		return nil
	}
	f := &scale.Forecast{LeadSeconds: int(rule.Lead / time.Second)}
	l := h.find(sig)
	if l == nil {
		f.Why = "no history yet"
		return f
	}
	begin, measured := l.extent()
	span := time.Duration(int64(len(l.means)-begin)*l.slot) * time.Second
	f.HistoryHours = int(span / time.Hour)
	needed := max(minHistory, rule.Season+spareDays)
	here := now.Unix()/l.slot - l.first
	switch {
	case span < needed:
		f.Why = fmt.Sprintf("%d hours of history, and %d are needed", f.HistoryHours, int(needed/time.Hour))
	case measured*4 < (len(l.means)-begin)*3:
		f.Why = fmt.Sprintf("%d of %d slots of the history are measured, and three quarters are needed", measured, len(l.means)-begin)
	case here < int64(len(l.means)) || here > int64(len(l.means))+maxAhead(l.slot):
		f.Why = "the history ends too long ago"
	default:
		m := model{means: l.means, rule: rule, season: int(int64(rule.Season/time.Second) / l.slot)}
		// The slot under way is not known either.
		m.ahead = 1 + int((int64(rule.Lead/time.Second)+l.slot-1)/l.slot)
		last := int((now.Unix()+int64(rule.Lead/time.Second))/l.slot - l.first)
		m.run(f, int(here), last)
	}
	return f
}

// Next is the first instant after now at which the clock alone may give another forecast: the present, or the end of the
// lead, enters another slot. Zero for a signal without one.
func Next(sig *scale.Signal, now time.Time) time.Time {
	rule := sig.Forecast
	if rule == nil || rule.Slot < time.Second {
		return time.Time{}
	}
	slot, lead := int64(rule.Slot/time.Second), int64(rule.Lead/time.Second)
	here := (now.Unix()/slot + 1) * slot
	ahead := ((now.Unix()+lead)/slot+1)*slot - lead
	return time.Unix(min(here, ahead), 0).UTC()
}

// maxAhead is how many slots the open one may lie behind the present: two hours' worth, for signals that come late.
func maxAhead(slot int64) int64 { return 2*3600/slot + 1 }

// extent is where the measured part of the closed slots begins, and how many of them are measured.
func (l *lane) extent() (begin, measured int) {
	begin = len(l.means)
	for i, m := range l.means {
		if m != gap {
			begin = min(begin, i)
			measured++
		}
	}
	return begin, measured
}

// model forecasts the loads of slots from those before them.
type model struct {
	means  []int64
	rule   *scale.ForecastRule
	season int
	// ahead is how many slots lie between what is known and what is forecast, when past forecasts are scored.
	ahead int
}

// run fills in a forecast for the slots from here up to last, with the errors of the past ones.
func (m *model) run(f *scale.Forecast, here, last int) {
	var next func(slot int) (int64, bool)
	var score score
	if m.rule.Method == scale.HoltWinters {
		next = m.holtWinters(&score)
	} else {
		next = m.seasonal(&score)
	}
	found := false
	for slot := here; slot <= last; slot++ {
		if load, ok := next(slot); ok && (!found || load > int64(f.Load)) {
			f.Load, found = scale.Milli(load), true
		}
	}
	switch {
	case !found:
		f.Load, f.Why = 0, "the same time of the seasons before was not measured"
	case len(score.errors) < m.season/2:
		f.Load, f.Why = 0, fmt.Sprintf("%d past forecasts to score, and %d are needed", len(score.errors), m.season/2)
	default:
		f.Known, f.Tried = true, len(score.errors)
		f.Margin, f.ErrorPermille = score.margin(m.rule.Quantile), score.permille()
	}
}

// score is what came of past forecasts.
type score struct {
	// errors are the loads less what was forecast for them.
	errors []int64
	// absolute and loads are sums of the absolute errors and the absolute loads.
	absolute, loads float64
}

func (s *score) add(load, forecast int64) {
	s.errors = append(s.errors, load-forecast)
	s.absolute += float64(abs(load - forecast))
	s.loads += float64(abs(load))
}

// margin is the error that so many per cent of the past ones did not pass; never below zero.
func (s *score) margin(percent int) scale.Milli {
	slices.Sort(s.errors)
	at := (len(s.errors)*percent + 99) / 100
	return scale.Milli(max(0, s.errors[max(at, 1)-1]))
}

// permille is the sum of the absolute errors over that of the loads (WAPE), in thousandths; 0 without any load.
func (s *score) permille() int {
	if s.loads == 0 {
		return 0
	}
	return int(min(s.absolute*1000/s.loads+0.5, 1_000_000))
}

func abs(n int64) int64 { return max(n, -n) }
