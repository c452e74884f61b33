package metric_test

import (
	"strings"
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestTimeLayouts(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"seven digits", `"2023-04-18T09:03:00.0000000Z"`, "2023-04-18T09:03:00Z"},
		{"milliseconds", `"2018-03-07T14:23:51.991Z"`, "2018-03-07T14:23:51.991Z"},
		{"seconds", `"2024-05-01T10:00:00Z"`, "2024-05-01T10:00:00Z"},
		{"two digits", `"2024-05-01T10:00:00.22Z"`, "2024-05-01T10:00:00.22Z"},
		{"nine digits", `"2024-05-01T10:00:00.123456789Z"`, "2024-05-01T10:00:00.123456789Z"},
		{"six digits and a zone of zero", `"2024-05-01T10:00:00.123456+00:00"`, "2024-05-01T10:00:00.123456Z"},
		{"a zone", `"2024-05-01T10:00:00+02:00"`, "2024-05-01T08:00:00Z"},
		{"no zone is UTC", `"2007-01-09T09:41:00"`, "2007-01-09T09:41:00Z"},
		{"stray blanks beside the colons", `"2021-02-04T07: 45: 44.5864815Z"`, "2021-02-04T07:45:44.5864815Z"},
		{"RFC 1123 in GMT, the weekday wrong", `"Mon, 19 Sep 2025 18:29:47 GMT"`, "2025-09-19T18:29:47Z"},
		{"RFC 1123 in UTC", `"Mon, 04 May 2026 09:07:30 UTC"`, "2026-05-04T09:07:30Z"},
		{"an epoch of seconds", `1777885390`, "2026-05-04T09:03:10Z"},
		{"an epoch of seconds with a fraction", `1777885390.25`, "2026-05-04T09:03:10.25Z"},
		{"an epoch of milliseconds", `1777885390250`, "2026-05-04T09:03:10.25Z"},
		{"an epoch of microseconds", `1777885390250001`, "2026-05-04T09:03:10.250001Z"},
		{"an epoch of nanoseconds, exact beyond 2^53", `1777885390250000001`, "2026-05-04T09:03:10.250000001Z"},
		{"an epoch in a string", `"1777885390"`, "2026-05-04T09:03:10Z"},
		{"an epoch of nanoseconds in a string", `"1777885390250000001"`, "2026-05-04T09:03:10.250000001Z"},
		{"escapes", `"2024-05-01T10:00:0\u0030Z"`, "2024-05-01T10:00:00Z"},

		{"month first or day first", `"01/09/2007 09:41:00"`, ""},
		{"slashes with half days", `"1/9/2007 9:41:00 AM"`, ""},
		{"slashes with half days and a zone", `"1/9/2007 10:41:00 AM +01:00"`, ""},
		{"day first", `"04/02/2021 07:45:00"`, ""},
		{"RFC 1123 in a zone that has several meanings", `"Mon, 04 May 2026 09:07:30 CEST"`, ""},
		{"RFC 1123 without a zone", `"Mon, 04 May 2026 09:07:30"`, ""},
		{"a day that does not exist", `"2023-02-29T10:00:00Z"`, ""},
		{"a date", `"2023-02-28"`, ""},
		{"words", `"yesterday"`, ""},
		{"nothing", `""`, ""},
		{"the first of all dates", `"0001-01-01T00:00:00Z"`, ""},
		{"an epoch of an unlikely size", `17778853`, ""},
		{"an epoch beyond the century", `4102444800`, ""},
		{"an epoch below zero", `-1777885390`, ""},
		{"an epoch with an exponent", `1.77788539e9`, ""},
		{"an epoch too long for anything", `"99999999999999999999999"`, ""},
		{"a truth value", `true`, ""},
		{"an object", `{}`, ""},
	}
	d := metric.NewDecoder()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// Twice, because the second time comes from memory.
			for range 2 {
				samples, rejected := d.Decode([]byte(own("time", c.text)), scale.Source{})
				if c.want == "" {
					if len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonBadTime ||
						!strings.Contains(rejected[0].Detail, "time at byte ") || !strings.Contains(rejected[0].Detail, c.text) {
						t.Errorf("got %+v, %+v", samples, rejected)
					}
					continue
				}
				if len(samples) != 1 || !samples[0].At.Equal(at(c.want)) || samples[0].At.Location() != time.UTC {
					t.Errorf("got %+v, %+v, want %s", samples, rejected, c.want)
				}
			}
		})
	}
}

func TestGrains(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1M": time.Minute, "PT10S": 10 * time.Second, "PT1H": time.Hour, "P1D": 24 * time.Hour, "P1W": 7 * 24 * time.Hour,
		"PT0.5S": 500 * time.Millisecond, "PT1H30M": 90 * time.Minute, "P1DT12H": 36 * time.Hour, "pt5m": 5 * time.Minute,
		"PT60S": time.Minute, "PT0S": 0, "PT1.5H": 90 * time.Minute, "PT0.1S": 100 * time.Millisecond, "P366D": 366 * 24 * time.Hour,
	} {
		samples, rejected := metric.NewDecoder().Decode([]byte(own("grain", `"`+text+`"`)), scale.Source{})
		if len(samples) != 1 || samples[0].Grain != want {
			t.Errorf("%s: got %+v, %+v", text, samples, rejected)
		}
	}
	for text, detail := range map[string]string{
		"": "is no ISO 8601 duration", "P": "is no", "PT": "is no", "P1DT": "is no", "1M": "is no", "PT1": "is no", "PTM": "is no",
		"P1M": "no fixed length", "P1Y": "no fixed length", "PT1D": "is no", "P1H": "is no", "PT1M1H": "is no", "PT1M1M": "is no",
		"PT1.5M1S": "is no", "PT-1M": "is no", "PT1,5S": "is no", "P367D": "longer than a year", "P53W": "longer than a year",
		"PT99999999999999999999S": "is no", "P366DT1S": "longer than a year", "00:01:00": "is no", "PTT1M": "is no", "PT.5S": "is no",
	} {
		samples, rejected := metric.NewDecoder().Decode([]byte(platform("timeGrain", `"`+text+`"`)), scale.Source{})
		if len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonBadGrain || !strings.Contains(rejected[0].Detail, detail) {
			t.Errorf("%s: got %+v, %+v", text, samples, rejected)
		}
	}
}
