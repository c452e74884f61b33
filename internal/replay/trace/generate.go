package trace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shapes are the generators: the load, between 0 and 1 and sometimes above, at a time of day t hours after Monday's
// midnight, u being the share of the whole span that is over.
var shapes = map[string]func(t, u float64, r *rand.Rand, o *Shape) float64{
	"diurnal": func(t, _ float64, _ *rand.Rand, _ *Shape) float64 { return day(t) },
	"weekly": func(t, _ float64, _ *rand.Rand, _ *Shape) float64 {
		if math.Mod(t, 168) >= 120 {
			return 0.45 * day(t)
		}
		return day(t)
	},
	"flash": func(t, u float64, _ *rand.Rand, o *Shape) float64 {
		// A crowd that comes within two minutes and thins out by half each half hour, once on each day, at an hour drawn.
		since := math.Mod(t, 24) - o.hours[int(t/24)%len(o.hours)]
		crowd := 0.0
		if since >= 0 {
			crowd = math.Min(1, since*30) * math.Exp2(-2*since)
		}
		return 0.2*day(t) + 0.8*crowd
	},
	"step": func(_, u float64, _ *rand.Rand, _ *Shape) float64 {
		if u >= 1.0/3 && u < 2.0/3 {
			return 1
		}
		return 0.3
	},
	"ramp": func(_, u float64, _ *rand.Rand, _ *Shape) float64 { return 0.1 + 0.9*(1-math.Abs(2*u-1)) },
	"idle-burst": func(t, _ float64, _ *rand.Rand, o *Shape) float64 {
		since := math.Mod(t, 24) - o.hours[int(t/24)%len(o.hours)]
		if since >= 0 && since < 0.75 {
			return 1
		}
		return 0
	},
	"constant": func(float64, float64, *rand.Rand, *Shape) float64 { return 1 },
}

// day is a day's course, from 0.15 in the small hours to 1 in the early afternoon.
func day(t float64) float64 { return 0.575 - 0.425*math.Cos(2*math.Pi*(t-2)/24) }

// Shapes are the names of the generators.
func Shapes() []string {
	var names []string
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Shape is a generator with its numbers.
type Shape struct {
	Name string
	Days float64
	// Noise is the standard deviation of the noise on each value, as a share of it.
	Noise float64
	Seed  uint64
	hours []float64
}

// ParseShape reads "NAME[,days=N][,noise=PERCENT][,seed=N]": seven days, five per cent and seed 1 unless said otherwise.
func ParseShape(text string) (*Shape, error) {
	parts := strings.Split(text, ",")
	o := &Shape{Name: parts[0], Days: 7, Noise: 0.05, Seed: 1}
	if shapes[o.Name] == nil {
		return nil, fmt.Errorf("there is no generator %q; there are: %s", o.Name, strings.Join(Shapes(), ", "))
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		f, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil || math.IsNaN(f):
			return nil, fmt.Errorf("%s: %q is no number; right would be %s,days=7,noise=5,seed=1", text, value, o.Name)
		case key == "days" && f > 0 && f <= 366:
			o.Days = f
		case key == "noise" && f >= 0 && f <= 100:
			o.Noise = f / 100
		case key == "seed" && f >= 0 && f < 1<<53 && f == math.Trunc(f):
			o.Seed = uint64(f)
		default:
			return nil, fmt.Errorf("%s: %s is no number of a generator; right would be days (to 366), noise (0 to 100) and seed", text, part)
		}
	}
	return o, nil
}

// Generate makes the series, a value each minute from a Monday's midnight on.
func (o *Shape) Generate() *Series {
	r := rand.New(rand.NewPCG(o.Seed, 0x7472696d746162))
	o.hours = make([]float64, int(o.Days)+1)
	for i := range o.hours {
		o.hours[i] = 6 + 14*r.Float64()
	}
	n := max(1, int(o.Days*24*60))
	s := &Series{
		Name:   o.Name,
		Origin: fmt.Sprintf("generated: %s, %g days, noise %g %%, seed %d", o.Name, o.Days, 100*o.Noise, o.Seed),
		Start:  time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC), Step: time.Minute, Values: make([]float64, n),
	}
	shape := shapes[o.Name]
	for i := range s.Values {
		v := shape(float64(i)/60, float64(i)/float64(n), r, o)
		s.Values[i] = max(0, v*(1+o.Noise*r.NormFloat64()))
	}
	return s
}
