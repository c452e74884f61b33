package autoscale_test

import (
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/autoscale"
)

func TestZonesOfWindowsAndOfTheDatabaseAreKnown(t *testing.T) {
	const recurrence = `"recurrence": {"frequency": "Week", "schedule": {"timeZone": "%s", "days": ["Monday"], "hours": [6], "minutes": [0]}}, "rules": [`
	for given, want := range map[string]string{
		"W. Europe Standard Time": "Europe/Berlin", "E. Europe     Standard Time": "Europe/Chisinau", "pacific standard time": "America/Los_Angeles",
		"Etc/UTC": "Etc/UTC", "UTC": "Etc/UTC", "Europe/Paris": "Europe/Paris", "": "Etc/UTC", "GMT Standard Time": "Europe/London",
	} {
		text := one(`"rules": [`, fmt.Sprintf(recurrence, given))
		// A second profile, so that the first needs a schedule.
		other := strings.NewReplacer(`"Monday"`, `"Friday"`, `"default", "capacity": {"minimum": "1"`, `"other", "capacity": {"minimum": "2"`).Replace(text)
		start, end := strings.Index(other, `{"name": "other"`), strings.LastIndex(other, `]}}`)
		pools, err := autoscale.Import([]byte(strings.Replace(text, `"profiles": [`, `"profiles": [`+other[start:end]+`,`, 1)), autoscale.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := load(t, pools...).Pools[0]
		if len(p.Schedules) == 0 {
			t.Fatalf("no schedule in %s", pools[0].Definition)
		}
		if got := p.Schedules[0].Zone.String(); got != want {
			t.Errorf("%q became %s, want %s", given, got, want)
		}
	}
}
