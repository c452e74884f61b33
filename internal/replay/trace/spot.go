package trace

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unlimited is the capacity of a zone whose trace says no more than that Spot can be had.
const Unlimited = 1 << 20

// Spot is the availability of Spot by zone: how many instances each zone carries at each step. What runs above that is
// evicted, all at once.
type Spot struct {
	Name  string
	Step  time.Duration
	Zones []string
	// Rooms holds for each zone, in the order of Zones, the capacity at each step.
	Rooms [][]int
}

// At is how many Spot instances a zone carries at an offset. Beyond its end the trace begins again.
func (s *Spot) At(zone int, offset time.Duration) int {
	rooms := s.Rooms[zone]
	return rooms[int(offset/s.Step)%len(rooms)]
}

// Length is the span of the trace.
func (s *Spot) Length() time.Duration { return time.Duration(len(s.Rooms[0])) * s.Step }

// Choose is the trace with the named zones only, in that order.
func (s *Spot) Choose(zones ...string) (*Spot, error) {
	c := &Spot{Name: s.Name, Step: s.Step}
	for _, wanted := range zones {
		found := false
		for i, have := range s.Zones {
			if have == wanted {
				c.Zones, c.Rooms, found = append(c.Zones, have), append(c.Rooms, s.Rooms[i]), true
			}
		}
		if !found {
			return nil, fmt.Errorf("availability %s: there is no zone %q; there are: %s", s.Name, wanted, strings.Join(s.Zones, ", "))
		}
	}
	return c, nil
}

// ReadSpot reads availability from comma-separated values: a column "elapsed_s", and a column for each zone that holds
// how many instances can be had; where no value of the file is above 1, a 1 means as many as wanted. A column "index" is
// passed over.
func ReadSpot(name string, data []byte) (*Spot, error) {
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("availability %s: %w", name, err)
	}
	if len(rows) < 3 {
		return nil, fmt.Errorf("availability %s: %d rows; a header and two steps are the least", name, len(rows))
	}
	s := &Spot{Name: name}
	elapsed := -1
	var columns []int
	for i, h := range rows[0] {
		switch h {
		case "index":
		case "elapsed_s":
			elapsed = i
		default:
			s.Zones, columns = append(s.Zones, h), append(columns, i)
		}
	}
	if elapsed < 0 || len(columns) == 0 {
		return nil, fmt.Errorf("availability %s: the header needs elapsed_s and a column for each zone", name)
	}
	s.Rooms = make([][]int, len(columns))
	most := 0
	for line, row := range rows[1:] {
		for z, c := range columns {
			n, err := strconv.Atoi(row[c])
			if err != nil || n < 0 || n > Unlimited {
				return nil, fmt.Errorf("availability %s:%d: %q is no number of instances", name, line+2, row[c])
			}
			s.Rooms[z] = append(s.Rooms[z], n)
			most = max(most, n)
		}
	}
	if s.Step, err = pace(rows, elapsed); err != nil {
		return nil, fmt.Errorf("availability %s: %w", name, err)
	}
	if most <= 1 {
		s.unlimited()
	}
	return s, nil
}

// pace is the step of a file: the span of its elapsed seconds over its steps, which need not be whole.
func pace(rows [][]string, elapsed int) (time.Duration, error) {
	first, err := strconv.ParseFloat(rows[1][elapsed], 64)
	if err != nil {
		return 0, fmt.Errorf("elapsed_s %q is no number", rows[1][elapsed])
	}
	last, err := strconv.ParseFloat(rows[len(rows)-1][elapsed], 64)
	if err != nil || !(last > first) {
		return 0, fmt.Errorf("elapsed_s %q is no number above %g", rows[len(rows)-1][elapsed], first)
	}
	return time.Duration((last - first) / float64(len(rows)-2) * float64(time.Second)), nil
}

func (s *Spot) unlimited() {
	for _, rooms := range s.Rooms {
		for i := range rooms {
			rooms[i] *= Unlimited
		}
	}
}

// ReadProbes reads one zone from a file of probes, {"metadata": {"gap_seconds": …}, "data": [0, 1, …]}, where 1 means
// that no instance could be had.
func ReadProbes(zone string, data []byte) (*Spot, error) {
	var file struct {
		Metadata struct {
			Gap float64 `json:"gap_seconds"`
		} `json:"metadata"`
		Data []int `json:"data"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("availability %s: %w", zone, err)
	}
	if file.Metadata.Gap <= 0 || len(file.Data) == 0 {
		return nil, fmt.Errorf("availability %s: metadata.gap_seconds and data are both needed", zone)
	}
	s := &Spot{Name: zone, Zones: []string{zone}, Step: time.Duration(file.Metadata.Gap * float64(time.Second)), Rooms: [][]int{nil}}
	for i, v := range file.Data {
		if v != 0 && v != 1 {
			return nil, fmt.Errorf("availability %s: probe %d is %d; right would be 0 or 1", zone, i, v)
		}
		s.Rooms[0] = append(s.Rooms[0], 1-v)
	}
	s.unlimited()
	return s, nil
}
