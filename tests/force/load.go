package force

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"trimtab/tests/fakehost"
)

// grain is the span that one sample covers.
const grain = 15 * time.Second

// produce sends events until ctx ends: for each span that is over and each partition one, with the samples of one pool or
// of both, now and then with something in it that nobody can understand.
func (w *world) produce(ctx context.Context) {
	dice := w.dice(1)
	for at := w.now().Truncate(grain); ; at = at.Add(grain) {
		for w.now().Before(at.Add(grain)) {
			if pause(ctx, at.Add(grain).Sub(w.now())/speed+time.Millisecond) != nil {
				return
			}
		}
		for part := range partitions {
			w.hub.send(part, fakehost.Event{Body: body(dice, at, part), EnqueuedAt: w.now()})
		}
	}
}

// body is one event's.
func body(dice *rand.Rand, at time.Time, part int) []byte {
	if dice.IntN(40) == 0 {
		return []byte([]string{"not json at all", `{"weather":"fine"}`, "\xff\xfe\x00", `{"records":[{"metricName":3}]}`}[dice.IntN(4)])
	}
	minutes := at.Sub(at.Truncate(24 * time.Hour)).Minutes()
	// The load comes and goes within half an hour, with noise; two partitions never carry the same value.
	wave := math.Sin(2*math.Pi*minutes/30) + dice.Float64()/4 + float64(part)/1000
	var records []string
	add := func(set, name string, v float64, count int) {
		v = math.Max(v, 0.001)
		records = append(records, fmt.Sprintf(
			`{"count":%d,"total":%g,"minimum":%g,"maximum":%g,"average":%g,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":"PT15S"}`,
			count, v, v, v, v, strings.ToUpper(scaleSets+set), at.Format("2006-01-02T15:04:05.0000000Z"), name))
	}
	which := dice.IntN(3)
	if which != 0 {
		add("web", "Percentage CPU", 45+45*wave, 1)
		add("web", "Requests Per Second", 80+80*wave, 1)
	}
	if which != 1 {
		add("batch", "Percentage CPU", 55+35*wave, 1)
		add("batch", "Running Jobs", 3+2.5*wave, 1)
	}
	switch dice.IntN(30) {
	case 0:
		add("web", "Percentage CPU", 0, 0)
	case 1:
		add("nobody", "Percentage CPU", 50, 1)
	case 2:
		records = append(records, `{"count":"many"}`)
	}
	return []byte(`{"records":[` + strings.Join(records, ",") + `]}`)
}
