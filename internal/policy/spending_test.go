package policy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
)

// defined loads the pool web with more fields in its definition.
func defined(t *testing.T, more string) (*policy.Bundle, error) {
	t.Helper()
	const first = `"orchestration":`
	text := string(shippedFile(t, "pools/web/data.json"))
	if !strings.Contains(text, first) {
		t.Fatal("the pool web has another form")
	}
	return policy.Load(context.Background(), with(t, map[string]string{
		"pools/web/data.json": strings.Replace(text, first, more+",\n"+first, 1),
	}))
}

func web(t *testing.T, b *policy.Bundle) scale.Pool {
	t.Helper()
	for _, p := range b.Pools {
		if p.Name == "web" {
			return p
		}
	}
	t.Fatal("no pool web")
	return scale.Pool{}
}

func TestSpendingIsRead(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		given string
		want  scale.Spending
	}{
		"a price alone": {`{"regular": 0.2}`, scale.Spending{Period: "month", Zone: time.UTC, RegularMicro: 200_000, SpotMicro: 200_000}},
		"all of it": {
			`{"regular": 0.2, "spot": 0.04, "period": "week", "zone": "Europe/Berlin"}`,
			scale.Spending{Period: "week", Zone: berlin, RegularMicro: 200_000, SpotMicro: 40_000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := defined(t, `"spending": `+c.given)
			if err != nil {
				t.Fatal(err)
			}
			got := web(t, b).Spending
			if got == nil || got.Zone.String() != c.want.Zone.String() {
				t.Fatalf("%+v", got)
			}
			got.Zone, c.want.Zone = nil, nil
			if d := cmp.Diff(&c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTheBandOfEvictionsIsItsMiddle(t *testing.T) {
	for band, want := range map[string]int{"0-5": 25, "5-10": 75, "10-15": 125, "15-20": 175, "20+": 250} {
		b, err := defined(t, `"spot_risk": {"replace_seconds": 300, "band": "`+band+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		if r := web(t, b).SpotRisk; r.HourlyPermille != want || r.ChangePercent != 25 {
			t.Errorf("%s: %+v", band, r)
		}
	}
}

func TestWhatIsWrongWithMoneyAndBandsIsSaid(t *testing.T) {
	for given, want := range map[string]string{
		`"spending": {}`:                                                             "spending.regular: must be given",
		`"spending": {"regular": 0}`:                                                 "spending.regular: must be above 0",
		`"spending": {"regular": 1, "spott": 1}`:                                     `spending: unknown field "spott"; did you mean spot?`,
		`"spending": {"regular": 1, "spot": 2}`:                                      "spending.spot: a price above 0 and no more than regular",
		`"spending": {"regular": 1, "period": "moth"}`:                               "did you mean month?",
		`"spending": {"regular": 1, "zone": "Mars"}`:                                 "is no time zone",
		`"spot_risk": {"replace_seconds": 300, "band": "5-11"}`:                      `"5-11" is not one of the choices; did you mean 5-10?`,
		`"spot_risk": {"replace_seconds": 300, "band": "0-5", "hourly_permille": 3}`: "give one of them",
		`"repair": {"during": "office_hour"}`:                                        `there is no schedule "office_hour"; did you mean office_hours?`,
		`"spot_risk": {"replace_seconds": 300, "change_percent": 0}`:                 "0 is not a whole number from 1 to 100",
	} {
		if _, err := defined(t, given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", given, err, want)
		}
	}
}

// What a policy sees of money, of Spot that is whole and of samples that were missed, as the schema has it.
func TestAPolicySeesWhatWasCounted(t *testing.T) {
	bundle, view := try(t, `want contains {"code": "seen", "state": "known", "instances": 3, "numbers": {
	"spent": input.spending.spent_micro,
	"remaining": input.spending.remaining_seconds,
	"rate": input.spending.rate_micro,
	"whole": input.spot.whole_seconds,
	"served": input.spot.served_seconds,
	"missed": input.signals.cpu.missed,
}}
`)
	view.Spending = &scale.SpendingView{Known: true, SpentMicro: 7, RemainingSeconds: 8, RateMicro: 9}
	view.Spot = &scale.SpotView{WholeSeconds: 10, ServedSeconds: 11, SeenSeconds: 12}
	cpu := view.Signals["cpu"]
	cpu.Missed = 13
	view.Signals["cpu"] = cpu
	p := bundle.Propose(context.Background(), view)
	want := map[string]int64{"spent": 7, "remaining": 8, "rate": 9, "whole": 10, "served": 11, "missed": 13}
	if len(p.Reasons) != 1 || !cmp.Equal(p.Reasons[0].Numbers, want) {
		t.Errorf("%+v", p)
	}
}
