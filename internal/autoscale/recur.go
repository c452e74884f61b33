package autoscale

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// recurrence is when a profile begins, each week. It ends where another begins.
type recurrence struct {
	zone   string
	at     *time.Location
	starts []int // minutes of the week, which begins on Sunday
}

// fixedDate is a span of time.
type fixedDate struct {
	zone       string
	start, end time.Time
}

// span is a profile's turn: minutes of the week from start to end, which may lie in the next week.
type span struct {
	profile    int
	start, end int
	zone       string
}

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
)

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func (r *reader) recurrence(path string, p part) *recurrence {
	if p.at == nil {
		return nil
	}
	schedule := p.part("schedule")
	if schedule.at == nil {
		schedule = p
	}
	frequency := strings.ToLower(p.text("frequency"))
	if frequency != "week" && frequency != "day" && frequency != "" {
		r.note(Lost, path+".frequency", "the profile: %q is not Week, the only frequency that Azure's autoscale repeats by", p.text("frequency"))
		return &recurrence{}
	}
	name, at, err := zone(schedule.text("timeZone"))
	if err != nil {
		r.note(Changed, path+".schedule.timeZone", "%v: UTC is taken", err)
		name, at = "Etc/UTC", time.UTC
	}
	out := &recurrence{zone: name, at: at}
	var days []int
	for _, v := range schedule.list("days") {
		text := asText(v)
		i := slices.IndexFunc(weekdays, func(d string) bool {
			return len(text) >= 3 && strings.EqualFold(d, text[:3])
		})
		if i < 0 {
			r.note(Lost, path+".schedule.days", "%q is no day of the week", text)
			continue
		}
		days = append(days, i)
	}
	if frequency == "day" {
		days = []int{0, 1, 2, 3, 4, 5, 6}
	}
	if len(days) == 0 {
		r.note(Lost, path+".schedule.days", "the profile: it names no day")
	}
	for _, d := range days {
		for _, h := range r.clock(path+".schedule.hours", schedule.list("hours"), 23) {
			for _, m := range r.clock(path+".schedule.minutes", schedule.list("minutes"), 59) {
				out.starts = append(out.starts, d*dayMinutes+h*60+m)
			}
		}
	}
	slices.Sort(out.starts)
	out.starts = slices.Compact(out.starts)
	return out
}

func (r *reader) clock(path string, values []any, most int) []int {
	var out []int
	for _, v := range values {
		n, err := strconv.Atoi(asText(v))
		if err != nil || n < 0 || n > most {
			r.note(Lost, path, "%q is no whole number from 0 to %d", asText(v), most)
			continue
		}
		out = append(out, n)
	}
	if len(values) == 0 {
		out = []int{0}
	}
	return out
}

func (r *reader) fixedDate(path string, p part) *fixedDate {
	if p.at == nil {
		return nil
	}
	name, at, err := zone(p.text("timeZone"))
	if err != nil {
		r.note(Changed, path+".timeZone", "%v: UTC is taken", err)
		name, at = "Etc/UTC", time.UTC
	}
	out := &fixedDate{zone: name}
	for field, to := range map[string]*time.Time{"start": &out.start, "end": &out.end} {
		text := p.text(field)
		t, wall, err := instant(text, at)
		if err != nil {
			r.note(Lost, path+"."+field, "the profile: %v", err)
			return &fixedDate{}
		}
		if wall {
			r.note(Told, path+"."+field, "%s is taken as wall-clock time in %s, as Azure takes it", text, name)
		}
		*to = t
	}
	if !out.start.Before(out.end) {
		r.note(Lost, path, "the profile: it ends before it begins")
		return &fixedDate{}
	}
	return out
}

// instant reads a date and time. Azure means wall-clock time in the profile's zone, also where a tool has written a Z
// behind it; an offset of its own is believed. wall is true for such a Z.
func instant(text string, at *time.Location) (t time.Time, wall bool, err error) {
	bare, zulu := strings.CutSuffix(strings.Replace(text, "+00:00", "Z", 1), "Z")
	for _, form := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, bare, at); err == nil {
			_, offset := t.Zone()
			return t, zulu && offset != 0, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, false, nil
	}
	return time.Time{}, false, fmt.Errorf("%q is no date and time such as 2026-11-27T00:00:00", text)
}

// turns are the spans of the week that recurring profiles take: each from its start to the next start of any.
func (r *reader) turns(profiles []profile) []span {
	var starts []span
	zones := map[string]bool{}
	reference := ""
	for i, p := range profiles {
		if p.recurrence == nil {
			continue
		}
		for _, at := range p.recurrence.starts {
			starts = append(starts, span{profile: i, start: at, zone: p.recurrence.zone})
			zones[p.recurrence.zone] = true
			if reference == "" {
				reference = p.recurrence.zone
			}
		}
	}
	if len(zones) > 1 {
		r.note(Changed, "profiles", "recurrences are in several time zones: what ends in another zone than it began in is taken with the zones' standard offsets, and may be off while one of them has summer time")
		for i := range starts {
			starts[i].start = inZone(starts[i].start, starts[i].zone, reference)
			starts[i].zone = reference
		}
	}
	sort.SliceStable(starts, func(i, j int) bool { return starts[i].start < starts[j].start })
	var kept []span
	for _, s := range starts {
		if n := len(kept); n > 0 && kept[n-1].start == s.start {
			if kept[n-1].profile != s.profile {
				r.note(Told, profiles[s.profile].path+".recurrence", "it begins at the same minute as profile %q, which is taken", profiles[kept[n-1].profile].name)
			}
			continue
		}
		kept = append(kept, s)
	}
	for i := range kept {
		kept[i].end = kept[(i+1)%len(kept)].start
		if kept[i].end <= kept[i].start {
			kept[i].end += weekMinutes
		}
	}
	return kept
}

// inZone moves a minute of the week from one zone into another by their standard offsets.
func inZone(minute int, from, to string) int {
	offset := func(name string) int {
		_, at, err := zone(name)
		if err != nil {
			return 0
		}
		_, january := time.Date(2026, 1, 15, 12, 0, 0, 0, at).Zone()
		_, july := time.Date(2026, 7, 15, 12, 0, 0, 0, at).Zone()
		return min(january, july) / 60
	}
	return ((minute-offset(from)+offset(to))%weekMinutes + weekMinutes) % weekMinutes
}

// schedule is a schedule of a pool's definition.
type schedule struct {
	Days   string `json:"days"`
	From   string `json:"from"`
	To     string `json:"to"`
	Zone   string `json:"zone"`
	Starts string `json:"starts,omitempty"`
	Ends   string `json:"ends,omitempty"`
}

// schedules writes spans as schedules, which begin on a day and last until that time next day at most.
func schedules(spans []span) []schedule {
	days := map[[2]int]*[7]bool{}
	var order [][2]int
	add := func(start, end int) {
		start %= weekMinutes
		from, to := start%dayMinutes, end%dayMinutes
		if to == 0 {
			to = dayMinutes
		}
		key := [2]int{from, to}
		if days[key] == nil {
			days[key] = &[7]bool{}
			order = append(order, key)
		}
		days[key][start/dayMinutes] = true
	}
	zone := ""
	for _, s := range spans {
		zone = s.zone
		for at := s.start; at < s.end; {
			end := s.end
			if s.end-at > dayMinutes {
				end = (at/dayMinutes + 1) * dayMinutes
			}
			add(at, end)
			at = end
		}
	}
	var out []schedule
	for _, key := range order {
		var names []string
		for d, on := range days[key] {
			if on {
				names = append(names, weekdays[d])
			}
		}
		out = append(out, schedule{
			Days: strings.Join(names, ","), Zone: zone,
			From: fmt.Sprintf("%02d:%02d", key[0]/60, key[0]%60), To: fmt.Sprintf("%02d:%02d", key[1]/60, key[1]%60),
		})
	}
	return out
}
