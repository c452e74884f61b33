package scale_test

import (
	"math"
	"testing"
	"time"
	_ "time/tzdata"

	"trimtab/internal/scale"
)

// The rows of both tables of the Spot priority mix page, as facts: VMSS 2.1 restates them.
func TestMixFollowsAzuresArithmetic(t *testing.T) {
	for _, c := range []struct{ base, percent, n, regular int }{
		{10, 50, 41, 25},
		{10, 50, 10, 10},
		{10, 50, 9, 9},
		{10, 50, 0, 0},
		{10, 50, 44, 27},
		{10, 50, 15, 12},
		{10, 25, 20, 12},
		{10, 25, 120, 37},
		{0, 100, 7, 7},
		{0, 0, 7, 0},
	} {
		if got := (scale.Mix{Base: c.base, RegularPercent: c.percent}).Regular(c.n); got != c.regular {
			t.Errorf("base %d, %d %%, n %d: got %d regular, want %d", c.base, c.percent, c.n, got, c.regular)
		}
	}
}

// TestBothTablesOfTheMixPageRowByRow checks both scenarios of Microsoft's page "Spot Priority Mix"
// (articles/virtual-machine-scale-sets/spot-priority-mix.md in MicrosoftDocs/azure-compute-docs at 0c6223e9). Regular
// counts base and extra together; Spot counts deallocated ones too.
func TestBothTablesOfTheMixPageRowByRow(t *testing.T) {
	type row struct {
		action        string
		to, evicted   int
		regular, spot int
	}
	for name, sc := range map[string]struct {
		mix  scale.Mix
		rows []row
	}{
		"half above a base of ten, evicted machines are deleted": {scale.Mix{Base: 10, RegularPercent: 50}, []row{
			{"initial creation", 10, 0, 10, 0},
			{"scale out to 20", 20, 0, 15, 5},
			{"scale out to 30", 30, 0, 20, 10},
			{"scale out to 40", 40, 0, 25, 15},
			{"scale out to 41", 41, 0, 25, 16},
			{"scale out to 42", 42, 0, 26, 16},
			{"all Spot VMs evicted", 26, 16, 26, 0},
			{"scale out to 30", 30, 0, 26, 4},
			{"scale out to 42", 42, 0, 26, 16},
			{"scale out to 44", 44, 0, 27, 17},
		}},
		"a quarter above a base of ten, evicted machines are deallocated": {scale.Mix{Base: 10, RegularPercent: 25}, []row{
			{"initial creation", 20, 0, 12, 8},
			{"scale out to 50", 50, 0, 20, 30},
			{"scale out to 110", 110, 0, 35, 75},
			{"10 Spot VMs evicted, and still counted", 110, 0, 35, 75},
			{"scale out to 120", 120, 0, 37, 83},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			regular, spot := 0, 0
			for _, r := range sc.rows {
				if r.evicted > 0 {
					spot -= r.evicted
				} else {
					regular, spot = sc.mix.Change(regular, spot, r.to-regular-spot)
				}
				if regular != r.regular || spot != r.spot || regular+spot != r.to {
					t.Errorf("%s: got %d regular and %d Spot, want %d and %d", r.action, regular, spot, r.regular, r.spot)
				}
			}
		})
	}
}

func TestAShrinkTakesWhatTheMixHasTooMuchOf(t *testing.T) {
	m := scale.Mix{Base: 10, RegularPercent: 50}
	for _, c := range [][5]int{
		{26, 16, -1, 25, 16}, {26, 16, -32, 10, 0}, {26, 4, -2, 24, 4}, {3, 5, -6, 2, 0}, {0, 4, -4, 0, 0}, {2, 2, -9, 0, 0},
	} {
		d := max(c[2], -c[0]-c[1])
		if r, s := m.Change(c[0], c[1], d); r != c[3] || s != c[4] {
			t.Errorf("%d regular and %d Spot, %d fewer: got %d and %d, want %d and %d", c[0], c[1], -d, r, s, c[3], c[4])
		}
	}
}

func TestMixForReachesItsRounding(t *testing.T) {
	for base := range 12 {
		for percent := -5; percent <= 105; percent++ {
			for n := range 60 {
				m := scale.Mix{Base: base, RegularPercent: percent}
				if got := m.For(n, scale.RegularDown); got != m {
					t.Fatalf("rounding down changes %+v to %+v", m, got)
				}
				if percent < 0 || percent > 100 || n <= base {
					continue
				}
				want := base + int(math.Ceil(float64(percent*(n-base))/100))
				if got := m.For(n, scale.RegularUp).Regular(n); got != want {
					t.Fatalf("%+v for %d: got %d regular, want %d", m, n, got, want)
				}
			}
		}
	}
}

func TestMilliRefusesWhatDoesNotFit(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e15, -1e15} {
		if m, ok := scale.ToMilli(f); ok {
			t.Errorf("%v became %d", f, m)
		}
	}
	if m, ok := scale.ToMilli(0.3 + 0.6); !ok || m != 900 {
		t.Errorf("got %d, %t", m, ok)
	}
}

func TestOrderHoldsUntilItsEnd(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	var none *scale.Order
	for name, c := range map[string]struct {
		order *scale.Order
		want  bool
	}{
		"none":       {none, false},
		"without an": {&scale.Order{}, true},
		"before it":  {&scale.Order{Until: now.Add(1)}, true},
		"at it":      {&scale.Order{Until: now}, false},
	} {
		if got := c.order.Holds(now); got != c.want {
			t.Errorf("%s end: got %t, want %t", name, got, c.want)
		}
	}
}

func TestSchedule(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	weekdays := [7]bool{false, true, true, true, true, true, false}
	office := scale.Schedule{Name: "office", Days: weekdays, From: 7*60 + 30, To: 19 * 60, Zone: berlin}
	night := scale.Schedule{Name: "night", Days: [7]bool{time.Saturday: true}, From: 22 * 60, To: 4 * 60, Zone: berlin}
	skipped := scale.Schedule{Name: "skipped", Days: [7]bool{time.Sunday: true}, From: 2*60 + 30, To: 5 * 60, Zone: berlin}
	ending := office
	ending.Starts, ending.Ends = at(t, "2026-05-05T00:00:00+02:00"), at(t, "2026-05-06T12:00:00+02:00")
	for name, c := range map[string]struct {
		schedule scale.Schedule
		now      string
		active   bool
		next     string
	}{
		"before the morning":                        {office, "2026-05-04T07:29:59+02:00", false, "2026-05-04T07:30:00+02:00"},
		"at the morning":                            {office, "2026-05-04T07:30:00+02:00", true, "2026-05-04T19:00:00+02:00"},
		"at the evening":                            {office, "2026-05-04T19:00:00+02:00", false, "2026-05-05T07:30:00+02:00"},
		"over the weekend":                          {office, "2026-05-08T20:00:00+02:00", false, "2026-05-11T07:30:00+02:00"},
		"past midnight it is still Saturday's":      {night, "2026-05-10T03:00:00+02:00", true, "2026-05-10T04:00:00+02:00"},
		"winter time moves the edge in UTC":         {office, "2026-11-02T06:29:00Z", false, "2026-11-02T06:30:00Z"},
		"a night that loses an hour ends at four":   {night, "2026-03-29T01:30:00+01:00", true, "2026-03-29T02:00:00Z"},
		"a night that gains an hour ends at four":   {night, "2026-10-25T02:30:00Z", true, "2026-10-25T03:00:00Z"},
		"a beginning that is skipped is the jump":   {skipped, "2026-03-29T01:59:00+01:00", false, "2026-03-29T03:00:00+02:00"},
		"a beginning that comes twice is the first": {skipped, "2026-10-25T00:00:00Z", false, "2026-10-25T00:30:00Z"},
		"before its life":                           {ending, "2026-05-04T09:00:00+02:00", false, "2026-05-05T07:30:00+02:00"},
		"its life ends within a span":               {ending, "2026-05-06T09:00:00+02:00", true, "2026-05-06T12:00:00+02:00"},
		"after its life there is no edge":           {ending, "2026-05-06T12:00:00+02:00", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			active, next := c.schedule.Active(at(t, c.now))
			if active != c.active {
				t.Errorf("got active %t, want %t", active, c.active)
			}
			if c.next == "" {
				if !next.IsZero() {
					t.Errorf("got an edge at %v, want none", next)
				}
			} else if want := at(t, c.next); !next.Equal(want) {
				t.Errorf("got the next edge at %v, want %v", next, want)
			}
		})
	}
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
