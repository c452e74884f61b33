package trace

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CSVOptions say how a file of comma-separated values is read. The zero value reads the first column as the time and the
// second as the value.
type CSVOptions struct {
	// Time and Value name columns of the header, or number them from 1; empty takes the first and the second.
	Time, Value string
	// Unit is the unit of times that are plain numbers: "s", "ms", "us", "ns" or "min" since the epoch or since the
	// beginning; empty tells seconds from milliseconds by their size.
	Unit string
	// Interval is the distance of the rows; 0 takes the most frequent one.
	Interval time.Duration
	// Count is true when each row is one event: the values are then events per interval, and no value column is read.
	Count bool
	// Origin is the instant that times counted from a beginning are counted from.
	Origin time.Time
}

// epochFrom is the smallest number of seconds that is taken for an instant and not for an offset: September 2001.
const epochFrom = 1_000_000_000

// ReadCSV reads a series from comma-separated values. A first row that is no data is the header.
func ReadCSV(name string, data []byte, o CSVOptions) (*Series, error) {
	if o.Interval < 0 {
		return nil, fmt.Errorf("trace %s: interval %s; right would be a distance above 0", name, o.Interval)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	var points []point
	var rows []point
	columns := [2]int{-1, -1}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("trace %s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		if columns[0] < 0 {
			header, err := o.columns(row, &columns)
			if err != nil {
				return nil, fmt.Errorf("trace %s:%d: %w", name, line, err)
			}
			if header {
				continue
			}
		}
		p, ok, err := o.point(row, columns)
		if err != nil {
			return nil, fmt.Errorf("trace %s:%d: %w", name, line, err)
		}
		rows = append(rows, p)
		if ok {
			points = append(points, p)
		}
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("trace %s: none of its %d rows has a value", name, len(rows))
	}
	step := o.Interval
	if step == 0 && len(rows) > len(points) {
		// Rows without a value tell the distance of the rows all the same.
		slices.SortStableFunc(rows, func(a, b point) int { return a.at.Compare(b.at) })
		step, _ = usual(rows)
	}
	if o.Count {
		return counted(name, points, o.Interval)
	}
	s, err := even(name, "csv", points, step)
	if err == nil {
		s.Notes = append(s.Notes, o.doubts(s, points)...)
	}
	return s, err
}

// doubts are what may be wrong with how a file was read, though it could be read.
func (o *CSVOptions) doubts(s *Series, points []point) (notes []string) {
	if o.Unit == "" && !o.Origin.IsZero() && points[0].at.Equal(o.Origin) {
		notes = append(notes, "Its times are plain numbers that were taken as seconds from a beginning; --unit says otherwise.")
	}
	if rows, err := usual(points); err == nil && s.Missing*2 > len(s.Values) {
		notes = append(notes, fmt.Sprintf("More than half of its steps of %s have no row, and rows lie %s apart: an --interval of %s may be meant.", s.Step, rows, rows))
	}
	return notes
}

// columns finds the two columns; header is true when the row holds their names.
func (o *CSVOptions) columns(row []string, columns *[2]int) (header bool, err error) {
	_, timeErr := o.instant(strings.TrimSpace(row[0]))
	header = timeErr != nil
	for i, wanted := range []string{o.Time, o.Value} {
		columns[i] = i
		if wanted == "" {
			continue
		}
		if n, err := strconv.Atoi(wanted); err == nil && n >= 1 && n <= len(row) {
			columns[i] = n - 1
			_, err := o.instant(strings.TrimSpace(row[columns[0]]))
			header = err != nil
			continue
		}
		columns[i] = -1
		for j, have := range row {
			if strings.EqualFold(strings.TrimSpace(have), wanted) {
				columns[i], header = j, true
			}
		}
		if columns[i] < 0 {
			return false, fmt.Errorf("there is no column %q; there are: %s", wanted, strings.Join(row, ", "))
		}
	}
	return header, nil
}

// nothing is how files write a value that was not measured.
var nothing = map[string]bool{"": true, "-": true, "null": true, "nan": true, "na": true, "n/a": true, "none": true}

// point reads one row; ok is false where nothing was measured.
func (o *CSVOptions) point(row []string, columns [2]int) (p point, ok bool, err error) {
	if columns[0] >= len(row) || (!o.Count && columns[1] >= len(row)) {
		hint := ""
		for _, sign := range []string{";", "\t", "|"} {
			if strings.Contains(row[0], sign) {
				hint = fmt.Sprintf("; its fields seem to be separated by %q, and right would be commas", sign)
			}
		}
		return p, false, fmt.Errorf("has %d columns; a time and a value are needed%s", len(row), hint)
	}
	p.at, err = o.instant(strings.TrimSpace(row[columns[0]]))
	if err != nil || o.Count {
		p.value = 1
		return p, err == nil, err
	}
	text := strings.TrimSpace(row[columns[1]])
	if nothing[strings.ToLower(text)] {
		return p, false, nil
	}
	if p.value, err = strconv.ParseFloat(text, 64); err != nil {
		if _, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64); err == nil {
			return p, false, fmt.Errorf("value %q is no number; right would be %q", text, strings.Replace(text, ",", ".", 1))
		}
		return p, false, fmt.Errorf("value %q is no number", text)
	}
	if err := usable(p.value); err != nil {
		return p, false, fmt.Errorf("value %q %w", text, err)
	}
	return p, true, nil
}

var layouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "2006-01-02",
	"1/2/2006 15:04:05", "1/2/2006 15:04", "1/2/2006 3:04:05 PM", "1/2/2006 3:04 PM", "2006/01/02 15:04:05",
}

// instant reads a time: text in one of the usual layouts (UTC where it names no zone), or a number.
func (o *CSVOptions) instant(text string) (time.Time, error) {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		unit := o.Unit
		if unit == "" {
			unit = "s"
			if f >= 1000*epochFrom {
				unit = "ms"
			}
		}
		scale, ok := map[string]float64{"min": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
		if !ok {
			return time.Time{}, fmt.Errorf("time unit %q is not known; right would be min, s, ms, us or ns", unit)
		}
		seconds := f * scale
		if !(seconds >= 0 && seconds < 1e11) {
			return time.Time{}, fmt.Errorf("time %q is out of range", text)
		}
		origin := time.Unix(0, 0)
		if seconds < epochFrom && !o.Origin.IsZero() {
			origin = o.Origin
		}
		whole := int64(seconds)
		return origin.Add(time.Duration(whole) * time.Second).Add(time.Duration((seconds - float64(whole)) * 1e9)).UTC(), nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q is neither a number nor of a known form such as 2026-05-04T09:00:00Z", text)
}

// counted makes events per interval of single events; a step without one holds zero.
func counted(name string, points []point, step time.Duration) (*Series, error) {
	if step <= 0 {
		step = time.Minute
	}
	first, last := points[0].at, points[0].at
	for _, p := range points {
		if p.at.Before(first) {
			first = p.at
		}
		if p.at.After(last) {
			last = p.at
		}
	}
	first = first.Truncate(step)
	n := int64(last.Sub(first)/step) + 1
	if n > maxSteps {
		return nil, fmt.Errorf("trace %s: %d steps are more than the %d that can be replayed", name, n, maxSteps)
	}
	s := &Series{Name: name, Origin: "csv, rows counted", Start: first.UTC(), Step: step, Values: make([]float64, n)}
	for _, p := range points {
		s.Values[p.at.Sub(first)/step]++
	}
	return s, nil
}

// monitor is the answer of Azure Monitor's metrics API, as `az monitor metrics list` prints it.
type monitor struct {
	Interval string `json:"interval"`
	Value    []struct {
		Name struct {
			Value string `json:"value"`
		} `json:"name"`
		Unit       string `json:"unit"`
		Timeseries []struct {
			Data []map[string]any `json:"data"`
		} `json:"timeseries"`
	} `json:"value"`
}

// ReadMonitor reads a series from the JSON of `az monitor metrics list`: the metric named, or the only one; of each point
// the aggregation named ("average", "total", "maximum", "minimum" or "count"), or the first that it has in that order.
// Several time series, as a dimension makes them, are added up.
func ReadMonitor(name string, data []byte, metric, aggregation string) (*Series, error) {
	var m monitor
	if err := json.Unmarshal(data, &m); err != nil || len(m.Value) == 0 {
		if err == nil {
			err = errors.New("it has no metrics in value")
		}
		return nil, fmt.Errorf("trace %s: it is no answer of az monitor metrics list: %w", name, err)
	}
	if aggregation = strings.ToLower(aggregation); aggregation != "" && !slices.Contains(aggregations, aggregation) {
		return nil, fmt.Errorf("trace %s: there is no aggregation %q; there are: %s", name, aggregation, strings.Join(aggregations, ", "))
	}
	var names []string
	chosen := -1
	for i, v := range m.Value {
		names = append(names, v.Name.Value)
		if strings.EqualFold(v.Name.Value, metric) || metric == "" && len(m.Value) == 1 {
			chosen = i
		}
	}
	switch {
	case chosen < 0 && metric == "":
		return nil, fmt.Errorf("trace %s: it holds several metrics, and --metric chooses one: %s", name, strings.Join(names, ", "))
	case chosen < 0:
		return nil, fmt.Errorf("trace %s: there is no metric %q; there are: %s", name, metric, strings.Join(names, ", "))
	}
	step, err := isoDuration(m.Interval)
	if err != nil {
		return nil, fmt.Errorf("trace %s: %w", name, err)
	}
	var points []point
	var parts []int
	sums, all, has := map[time.Time]int{}, 0, map[string]bool{}
	for _, series := range m.Value[chosen].Timeseries {
		for i, d := range series.Data {
			all++
			for _, a := range aggregations {
				if d[a] != nil {
					has[a] = true
				}
			}
			p, ok, err := monitored(d, aggregation)
			if err != nil {
				return nil, fmt.Errorf("trace %s: point %d: %w", name, i+1, err)
			}
			if !ok {
				continue
			}
			if at, seen := sums[p.at]; seen {
				points[at].value += p.value
				parts[at]++
				continue
			}
			parts = append(parts, 1)
			sums[p.at] = len(points)
			points = append(points, p)
		}
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("trace %s: none of the %d points of %s has a value%s", name, all, m.Value[chosen].Name.Value, measuredAs(aggregation, has))
	}
	s, err := even(name, "azure monitor, "+m.Value[chosen].Name.Value, points, step)
	if n := len(m.Value[chosen].Timeseries); err == nil {
		part := 0
		for _, have := range parts {
			if have < n {
				part++
			}
		}
		if part > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("In %d of %d steps only some of its %d time series have a value: the load may be larger there.", part, len(points), n))
		}
	}
	if err == nil && strings.EqualFold(m.Value[chosen].Unit, "Percent") && len(m.Value[chosen].Timeseries) == 1 {
		s.Notes = append(s.Notes, "A percentage over all instances says nothing of how many there were: it is taken for the load as if their "+
			"number had not changed. A metric of the whole load, or one split by instance (--dimension VMName of az), says more.")
	}
	return s, err
}

// aggregations are those of Azure Monitor, in the order in which they are preferred.
var aggregations = []string{"average", "total", "maximum", "minimum", "count"}

// measuredAs says which aggregations there are where the wanted one is not.
func measuredAs(wanted string, has map[string]bool) string {
	var there []string
	for _, a := range aggregations {
		if has[a] {
			there = append(there, a)
		}
	}
	if wanted == "" || len(there) == 0 {
		return ""
	}
	return fmt.Sprintf(" of aggregation %s; they have: %s", wanted, strings.Join(there, ", "))
}

func monitored(d map[string]any, aggregation string) (p point, ok bool, err error) {
	stamp, _ := d["timeStamp"].(string)
	if stamp == "" {
		stamp, _ = d["timestamp"].(string)
	}
	if p.at, err = time.Parse(time.RFC3339, stamp); err != nil {
		return p, false, fmt.Errorf("timeStamp %q is no instant", stamp)
	}
	wanted := []string{aggregation}
	if aggregation == "" {
		wanted = aggregations
	}
	for _, a := range wanted {
		if p.value, ok = d[a].(float64); ok {
			return p, true, usable(p.value)
		}
	}
	return p, false, nil
}

// isoDuration reads the forms that the metrics API gives: PT1M, PT5M, PT1H, P1D; empty is 0.
func isoDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	body, ok := strings.CutPrefix(strings.ToUpper(text), "P")
	if days, isDays := strings.CutSuffix(body, "D"); ok && isDays {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	body, ok = strings.CutPrefix(body, "T")
	if d, err := time.ParseDuration(strings.ToLower(body)); ok && err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("interval %q is no ISO 8601 duration such as PT1M", text)
}
