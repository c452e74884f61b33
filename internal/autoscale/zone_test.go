package autoscale_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

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

// offsets are the standard offsets that Windows shows with its zones, as in "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi".
var offsets = map[string]string{
	"-12:00": "Dateline",
	"-11:00": "UTC-11",
	"-10:00": "Aleutian; Hawaiian",
	"-09:30": "Marquesas",
	"-09:00": "Alaskan; UTC-09",
	"-08:00": "Pacific; Pacific (Mexico); UTC-08",
	"-07:00": "Mountain; Mountain (Mexico); US Mountain; Yukon",
	"-06:00": "Canada Central; Central; Central (Mexico); Central America; Easter Island",
	"-05:00": "Cuba; Eastern; Eastern (Mexico); Haiti; SA Pacific; Turks And Caicos; US Eastern",
	"-04:00": "Atlantic; Central Brazilian; Pacific SA; SA Western; Venezuela",
	"-03:30": "Newfoundland",
	"-03:00": "Argentina; Bahia; E. South America; Magallanes; Montevideo; Paraguay; SA Eastern; Saint Pierre; Tocantins",
	"-02:00": "Greenland; Mid-Atlantic; UTC-02",
	"-01:00": "Azores; Cape Verde",
	"+00:00": "GMT; Greenwich; Morocco; Sao Tome; UTC",
	"+01:00": "Central Europe; Central European; Romance; W. Central Africa; W. Europe",
	"+02:00": "E. Europe; Egypt; FLE; GTB; Israel; Kaliningrad; Libya; Middle East; Namibia; South Africa; South Sudan; Sudan; West Bank",
	"+03:00": "Arab; Arabic; Belarus; E. Africa; Jordan; Russian; Syria; Turkey; Volgograd",
	"+03:30": "Iran",
	"+04:00": "Arabian; Astrakhan; Azerbaijan; Caucasus; Georgian; Mauritius; Russia Time Zone 3; Saratov",
	"+04:30": "Afghanistan",
	"+05:00": "Ekaterinburg; Pakistan; Qyzylorda; West Asia",
	"+05:30": "India; Sri Lanka",
	"+05:45": "Nepal",
	"+06:00": "Bangladesh; Central Asia; Omsk",
	"+06:30": "Myanmar",
	"+07:00": "Altai; N. Central Asia; North Asia; SE Asia; Tomsk; W. Mongolia",
	"+08:00": "China; North Asia East; Singapore; Taipei; Ulaanbaatar; W. Australia",
	"+08:45": "Aus Central W.",
	"+09:00": "Korea; North Korea; Tokyo; Transbaikal; Yakutsk",
	"+09:30": "AUS Central; Cen. Australia",
	"+10:00": "AUS Eastern; E. Australia; Tasmania; Vladivostok; West Pacific",
	"+10:30": "Lord Howe",
	"+11:00": "Bougainville; Central Pacific; Magadan; Norfolk; Russia Time Zone 10; Sakhalin",
	"+12:00": "Fiji; Kamchatka; New Zealand; Russia Time Zone 11; UTC+12",
	"+12:45": "Chatham Islands",
	"+13:00": "Samoa; Tonga; UTC+13",
	"+14:00": "Line Islands",
}

// Every zone that Windows has is known, and stands for one of the database that has its standard offset.
func TestEveryZoneOfWindowsHasItsOffset(t *testing.T) {
	left := maps.Clone(autoscale.Zones())
	for offset, names := range offsets {
		for name := range strings.SplitSeq(names, "; ") {
			full := name
			if !strings.HasPrefix(name, "UTC") && !strings.HasPrefix(name, "Russia Time Zone") {
				head, mexico, _ := strings.Cut(name, " (")
				full = head + " Standard Time"
				if mexico != "" {
					full += " (" + mexico
				}
			}
			zone, known := autoscale.Zones()[strings.ToLower(full)]
			if !known {
				t.Errorf("%s is not known", full)
				continue
			}
			delete(left, strings.ToLower(full))
			at, err := time.LoadLocation(zone)
			if err != nil {
				t.Errorf("%s: %v", full, err)
				continue
			}
			// Summer time is ahead, on either half of the earth; Morocco's Ramadan is behind.
			standard := "+99"
			for month := range time.Month(12) {
				got := time.Date(2026, month+1, 15, 12, 0, 0, 0, at)
				if s := got.Format("-07:00"); standard == "+99" || minutes(s) < minutes(standard) {
					standard = s
				}
			}
			if standard != offset {
				t.Errorf("%s is %s, whose standard offset is %s, not %s", full, zone, standard, offset)
			}
		}
	}
	for name, zone := range left {
		t.Errorf("%s (%s) is no zone of Windows", name, zone)
	}
}

func minutes(offset string) int {
	var h, m int
	if _, err := fmt.Sscanf(offset[1:], "%d:%d", &h, &m); err != nil {
		return 0
	}
	if offset[0] == '-' {
		return -h*60 - m
	}
	return h*60 + m
}
