package forecast

import "time"

// How far the present level may move a season: between half and twice of it. Beyond that the season says nothing.
const (
	leastLevel = 500
	mostLevel  = 2000
)

// seasonal is the seasonal-naive method: the load of a slot is that of one season before, times the level, which is the
// last hour's load over the same hour's a season before (features: C9).
func (m *model) seasonal(s *score) func(slot int) (int64, bool) {
	for slot := m.season + m.ahead; slot < len(m.means); slot++ {
		if m.means[slot] == gap {
			continue
		}
		if forecast, ok := m.naive(slot, slot-m.ahead); ok {
			s.add(m.means[slot], forecast)
		}
	}
	return func(slot int) (int64, bool) { return m.naive(slot, len(m.means)-1) }
}

// naive forecasts a slot from what was known once the slot known was over. A season that was not measured is replaced by
// the one before it.
func (m *model) naive(slot, known int) (int64, bool) {
	for back := slot - m.season; back >= 0; back -= m.season {
		if back > known || m.means[back] == gap {
			continue
		}
		return rounded(m.means[back]*m.level(known, slot-back), 1000), true
	}
	return 0, false
}

// level is the load of the hour up to a slot over that of the same hour so many slots before, in thousandths.
func (m *model) level(known, back int) int64 {
	hour := max(1, int(time.Hour/m.rule.Slot))
	var now, then int64
	for slot := known; slot > known-hour && slot-back >= 0; slot-- {
		if m.means[slot] != gap && m.means[slot-back] != gap {
			now += m.means[slot]
			then += m.means[slot-back]
		}
	}
	if now <= 0 || then <= 0 {
		return 1000
	}
	return min(max(rounded(now*1000, then), leastLevel), mostLevel)
}

// The weights of Holt-Winters: how much of a new load goes into the level, of a new level into the slope, and of a new
// load into the season. They suit slots of a quarter of an hour to an hour: a level that follows within hours, a season
// that follows within days, hardly any slope.
const (
	alpha = 0.2
	beta  = 0.01
	gamma = 0.3
)

// holtWinters is the additive method with a level, a slope and a season (features: C9). The first season sets the start
// and is not scored. A slot that was not measured moves the level by the slope and teaches nothing.
func (m *model) holtWinters(s *score) func(slot int) (int64, bool) {
	begin := 0
	for begin < len(m.means) && m.means[begin] == gap {
		begin++
	}
	if begin+m.season > len(m.means) {
		return func(int) (int64, bool) { return 0, false }
	}
	level, slope := mean(m.means[begin:begin+m.season]), 0.0
	seasons, known := make([]float64, m.season), make([]bool, m.season)
	for i, load := range m.means[begin : begin+m.season] {
		if load != gap {
			seasons[(begin+i)%m.season], known[(begin+i)%m.season] = float64(load)-level, true
		}
	}
	after := func(steps, slot int) (int64, bool) {
		i := slot % m.season
		return int64(level + float64(float64(steps)*slope) + seasons[i]), known[i]
	}
	// waiting holds the forecasts that were made ahead slots ago.
	waiting, made := make([]int64, m.ahead), make([]bool, m.ahead)
	for slot := begin + m.season; slot < len(m.means); slot++ {
		place := slot % m.ahead
		load := m.means[slot]
		if made[place] && load != gap {
			s.add(load, waiting[place])
		}
		before, i := level, slot%m.season
		level += slope
		if load != gap {
			y := float64(load)
			if !known[i] {
				seasons[i], known[i] = y-before, true
			}
			// The conversions keep machines that can multiply and add in one go from rounding differently.
			level = float64(alpha*(y-seasons[i])) + float64((1-alpha)*(before+slope))
			slope = float64(beta*(level-before)) + float64((1-beta)*slope)
			seasons[i] = float64(gamma*(y-level)) + float64((1-gamma)*seasons[i])
		}
		waiting[place], made[place] = after(m.ahead, slot+m.ahead)
	}
	return func(slot int) (int64, bool) { return after(slot-(len(m.means)-1), slot) }
}

// mean is the mean of what was measured.
func mean(loads []int64) float64 {
	sum, n := int64(0), 0
	for _, load := range loads {
		if load != gap {
			sum += load
			n++
		}
	}
	return float64(sum) / float64(max(n, 1))
}
