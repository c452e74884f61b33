package trace

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/spell"
)

// Prices are the prices of an instance and hour over time. Each holds until the next; before the first and after the last
// row these hold.
type Prices struct {
	Name string
	// Start is the instant of the first row, zero where the file counts seconds from a beginning of its own.
	Start time.Time
	// Elapsed are the rows' distances from the first, rising.
	Elapsed []time.Duration
	// Regular and Spot are nil where the file has no such column; ByZone holds Spot by zone, for the zones that it has.
	Regular, Spot []float64
	ByZone        map[string][]float64
}

// At is the row in force at an offset from the first.
func (p *Prices) At(offset time.Duration) int {
	return max(0, sort.Search(len(p.Elapsed), func(i int) bool { return p.Elapsed[i] > offset })-1)
}

// priceColumns is what a file of prices may hold.
const priceColumns = "time or elapsed_s, and regular, spot, or spot_ZONE for each zone"

// ReadPrices reads prices over time from comma-separated values: a column "time" (RFC 3339) or "elapsed_s", and columns
// "regular", "spot" and "spot_ZONE", by instance and hour.
func ReadPrices(name string, data []byte) (*Prices, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("prices %s: %w", name, err)
	}
	p := &Prices{Name: name, ByZone: map[string][]float64{}}
	when := -1
	into := make([]func(float64), len(header))
	for i, h := range header {
		switch h = strings.TrimSpace(h); {
		case when < 0 && (h == "time" || h == "timestamp" || h == "elapsed_s"):
			when = i
		case h == "regular":
			into[i] = func(v float64) { p.Regular = append(p.Regular, v) }
		case h == "spot":
			into[i] = func(v float64) { p.Spot = append(p.Spot, v) }
		case strings.HasPrefix(h, "spot_"):
			zone := strings.TrimPrefix(h, "spot_")
			into[i] = func(v float64) { p.ByZone[zone] = append(p.ByZone[zone], v) }
		default:
			return nil, fmt.Errorf("prices %s: column %q is not known; right would be %s", name, h, priceColumns)
		}
	}
	if when < 0 || len(header) < 2 {
		return nil, fmt.Errorf("prices %s: the header is %q; right would be %s", name, strings.Join(header, ","), priceColumns)
	}
	first := time.Time{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("prices %s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		at, err := priceTime(row[when], header[when] == "elapsed_s")
		if err != nil {
			return nil, fmt.Errorf("prices %s:%d: %w", name, line, err)
		}
		if len(p.Elapsed) == 0 {
			first = at
		}
		if n := len(p.Elapsed); n > 0 && at.Sub(first) <= p.Elapsed[n-1] {
			return nil, fmt.Errorf("prices %s:%d: %q is not after the row before it", name, line, row[when])
		}
		p.Elapsed = append(p.Elapsed, at.Sub(first))
		for i, put := range into {
			if put == nil {
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(row[i]), 64)
			if err != nil || !(v >= 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("prices %s:%d: %s is %q; right would be a price from 0 up", name, line, header[i], row[i])
			}
			put(v)
		}
	}
	if len(p.Elapsed) == 0 {
		return nil, fmt.Errorf("prices %s: it has no rows", name)
	}
	if header[when] != "elapsed_s" {
		p.Start = first
	}
	return p, nil
}

func priceTime(text string, elapsed bool) (time.Time, error) {
	text = strings.TrimSpace(text)
	if elapsed {
		s, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(s) < 1e10) {
			return time.Time{}, fmt.Errorf("elapsed_s is %q; right would be a number of seconds", text)
		}
		return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second))), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("time is %q; right would be one such as 2026-05-04T09:00:00Z", text)
	}
	return at.UTC(), nil
}

// ReadPriceList looks up one price in a list with the columns region, sku and usd_per_hour.
func ReadPriceList(name string, data []byte, region, size string) (float64, error) {
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("prices %s: %w", name, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"region", "sku", "usd_per_hour"}) {
		return 0, fmt.Errorf("prices %s: a list of prices has the header region,sku,usd_per_hour", name)
	}
	regions, sizes := map[string]bool{}, map[string]bool{}
	for line, row := range rows[1:] {
		regions[row[0]] = true
		if row[0] != region {
			continue
		}
		sizes[row[1]] = true
		if !strings.EqualFold(row[1], size) {
			continue
		}
		v, err := strconv.ParseFloat(row[2], 64)
		if err != nil || !(v >= 0) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("prices %s:%d: usd_per_hour is %q; right would be a price from 0 up", name, line+2, row[2])
		}
		return v, nil
	}
	if len(sizes) == 0 {
		return 0, fmt.Errorf("prices %s: there is no region %q%s", name, region, near(region, regions))
	}
	return 0, fmt.Errorf("prices %s: region %s has no size %q%s", name, region, size, near(size, sizes))
}

func near(word string, known map[string]bool) string {
	var all []string
	for w := range known {
		all = append(all, w)
	}
	slices.Sort(all)
	if best := spell.Nearest(word, all); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}
