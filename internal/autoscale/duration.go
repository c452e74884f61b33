package autoscale

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	isoForm = regexp.MustCompile(`(?i)^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.0+)?S)?)?$`)
	// netForm is how .NET and the older az CLI write a span: [days.]hours:minutes:seconds, or "1 day, 0:05:00".
	netForm = regexp.MustCompile(`(?i)^(?:(\d+)(?:\.| days?, ))?(\d+):(\d+):(\d+)(?:\.0+)?$`)
)

// duration reads PT5M, and 00:05:00 as the az CLI prints it.
func duration(s string) (time.Duration, error) {
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	match := isoForm.FindStringSubmatch(s)
	if match == nil {
		units = units[1:]
		match = netForm.FindStringSubmatch(s)
	}
	upper := strings.ToUpper(s)
	if match == nil || upper == "P" || strings.HasSuffix(upper, "T") {
		return 0, fmt.Errorf("%q is no duration such as PT5M", s)
	}
	var d time.Duration
	for i, digits := range match[1:] {
		if digits == "" {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration such as PT5M", s)
		}
		d += time.Duration(n) * units[i]
	}
	return d, nil
}

// short writes a duration as it goes into a name: 10m, 90s, 1h.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
