package autoscale_test

import (
	"encoding/json"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// azure is a model of how Azure documents its autoscale to decide, made from its pages and not from the code that it is
// held against: one profile in force; out if any rule is met, to the highest count; else in if all are, to the highest
// count, and no further than no rule out would be met by the same load on fewer instances (facts: features A.2, C5, C7,
// C15). Numbers are exact.
type azure struct {
	TargetResourceURI string `json:"targetResourceUri"`
	Profiles          []struct {
		Name     string
		Capacity struct{ Minimum, Maximum, Default string }
		Rules    []struct {
			MetricTrigger azureTrigger
			ScaleAction   struct{ Direction, Type, Value string }
		}
		FixedDate  *struct{ TimeZone, Start, End string }
		Recurrence *struct {
			Schedule struct {
				TimeZone       string
				Days           []string
				Hours, Minutes []int
			}
		}
	}
}

type azureTrigger struct {
	MetricName, MetricResourceURI, TimeGrain, Statistic, TimeWindow, TimeAggregation, Operator string
	Threshold                                                                                  json.Number
	DividePerInstance                                                                          bool
}

func readAzure(t *testing.T, name string) azure {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var framed struct{ Resources []struct{ Properties azure } }
	var a azure
	if err := json.Unmarshal(text, &framed); err == nil && len(framed.Resources) == 1 {
		return framed.Resources[0].Properties
	}
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// The zones that the files name.
var azureZones = map[string]string{
	"W. Europe Standard Time": "Europe/Berlin", "E. Europe Standard Time": "Europe/Chisinau", "UTC": "Etc/UTC",
	"Pacific Standard Time": "America/Los_Angeles", "Eastern Standard Time": "America/New_York", "Tokyo Standard Time": "Asia/Tokyo",
}

func azureZone(t *testing.T, name string) *time.Location {
	t.Helper()
	at, err := time.LoadLocation(azureZones[name])
	if err != nil || azureZones[name] == "" {
		t.Fatalf("zone %q: %v", name, err)
	}
	return at
}

// inForce is the index of the profile in force, -1 for none.
func (a *azure) inForce(t *testing.T, now time.Time) int {
	t.Helper()
	standing, recurring := -1, -1
	var latest time.Time
	for i, p := range a.Profiles {
		switch {
		case p.FixedDate != nil:
			at := azureZone(t, p.FixedDate.TimeZone)
			wall := func(s string) time.Time {
				w, err := time.ParseInLocation("2006-01-02T15:04:05", strings.TrimSuffix(s, "Z"), at)
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			if !now.Before(wall(p.FixedDate.Start)) && now.Before(wall(p.FixedDate.End)) {
				return i
			}
		case p.Recurrence != nil:
			s := p.Recurrence.Schedule
			local := now.In(azureZone(t, s.TimeZone))
			for back := range 9 {
				day := time.Date(local.Year(), local.Month(), local.Day()-back, s.Hours[0], s.Minutes[0], 0, 0, local.Location())
				if slices.Contains(s.Days, day.Weekday().String()) && !day.After(now) {
					if recurring < 0 || day.After(latest) {
						recurring, latest = i, day
					}
					break
				}
			}
		case standing < 0:
			standing = i
		}
	}
	if recurring >= 0 {
		return recurring
	}
	return standing
}

// point is a minute of a metric.
type point struct{ average, minimum, maximum, count int64 }

// series answers for the minute that begins at an instant.
type series func(metric string, at time.Time) point

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

// measure aggregates the minutes of the window before now. The grain is a minute in all files that are compared.
func (g azureTrigger) measure(t *testing.T, s series, now time.Time) *big.Rat {
	t.Helper()
	length := map[string]int{
		"PT5M": 5, "PT10M": 10, "PT15M": 15, "0:05:00": 5, "0:15:00": 15, "0:10:00": 10,
	}[g.TimeWindow]
	if length == 0 {
		t.Fatalf("window %q", g.TimeWindow)
	}
	var values []*big.Rat
	for i := length; i > 0; i-- {
		p := s(g.MetricName, now.Add(-time.Duration(i)*time.Minute))
		values = append(values, rat(map[string]int64{
			"Average": p.average, "Min": p.minimum, "Max": p.maximum, "Sum": p.average * p.count, "Count": p.count,
		}[g.Statistic]))
	}
	sum, least, most := rat(0), values[0], values[0]
	for _, v := range values {
		sum.Add(sum, v)
		if v.Cmp(least) < 0 {
			least = v
		}
		if v.Cmp(most) > 0 {
			most = v
		}
	}
	switch g.TimeAggregation {
	case "Average":
		return sum.Quo(sum, rat(int64(length)))
	case "Total":
		return sum
	case "Minimum":
		return least
	case "Maximum":
		return most
	case "Last":
		return values[length-1]
	}
	t.Fatalf("aggregation %q", g.TimeAggregation)
	return nil
}

// met says whether a rule is met by a value that n instances show.
func (g azureTrigger) met(t *testing.T, v *big.Rat) bool {
	t.Helper()
	limit, ok := new(big.Rat).SetString(g.Threshold.String())
	if !ok {
		t.Fatalf("threshold %q", g.Threshold)
	}
	c := v.Cmp(limit)
	return map[string]bool{
		"GreaterThan": c > 0, "GreaterThanOrEqual": c >= 0, "LessThan": c < 0, "LessThanOrEqual": c <= 0,
		"Equals": c == 0, "NotEquals": c != 0,
	}[g.Operator]
}

// shown is what n instances show where current ones show v: an average of the set's own, or a value divided among them.
func (a *azure) shown(g azureTrigger, v *big.Rat, current, n int) *big.Rat {
	share := func(over int) *big.Rat { return new(big.Rat).Quo(v, rat(int64(over))) }
	own := strings.EqualFold(g.MetricResourceURI, a.TargetResourceURI)
	average := slices.Contains([]string{"Average", "Min", "Max"}, g.Statistic) && strings.HasPrefix(g.Operator, "GreaterThan")
	switch {
	case g.DividePerInstance:
		return share(n)
	case own && average && n != current:
		return new(big.Rat).Mul(v, big.NewRat(int64(current), int64(n)))
	}
	return v
}

// wanted is the count that the model asks for.
func (a *azure) wanted(t *testing.T, s series, now time.Time, n int) int {
	t.Helper()
	at := a.inForce(t, now)
	if at < 0 {
		return n
	}
	p := a.Profiles[at]
	least, _ := strconv.Atoi(p.Capacity.Minimum)
	most, _ := strconv.Atoi(p.Capacity.Maximum)
	clamp := func(c int) int { return min(max(c, least), most) }
	// A set outside its limits is brought back before any rule is asked.
	if c := clamp(n); c != n {
		return c
	}
	moved := func(size, amount string, sign int) int {
		k, _ := strconv.Atoi(amount)
		switch size {
		case "PercentChangeCount":
			return n + sign*max(1, n*k/100)
		case "ExactCount":
			return k
		}
		return n + sign*k
	}
	out, in, agreed, rules := 0, 0, true, 0
	for _, r := range p.Rules {
		met := r.MetricTrigger.met(t, a.shown(r.MetricTrigger, r.MetricTrigger.measure(t, s, now), n, n))
		if r.ScaleAction.Direction == "Increase" {
			if met {
				out = max(out, n, moved(r.ScaleAction.Type, r.ScaleAction.Value, 1))
			}
			continue
		}
		rules++
		agreed = agreed && met
		in = max(in, min(n, moved(r.ScaleAction.Type, r.ScaleAction.Value, -1)))
	}
	if out > 0 {
		return clamp(out)
	}
	if rules == 0 || !agreed {
		return clamp(n)
	}
	for c := clamp(in); c < n; c++ {
		flaps := false
		for _, r := range p.Rules {
			g := r.MetricTrigger
			if r.ScaleAction.Direction == "Increase" && c > 0 && g.met(t, a.shown(g, g.measure(t, s, now), n, c)) {
				flaps = true
			}
			if c == 0 && r.ScaleAction.Direction == "Increase" && g.DividePerInstance && g.measure(t, s, now).Sign() > 0 {
				flaps = true
			}
		}
		if !flaps {
			return clamp(c)
		}
	}
	return clamp(n)
}
