package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"trimtab/internal/scale"
)

// Unrouted counts the samples of one series that no signal listens to.
type Unrouted struct {
	Resource string `json:"resource"`
	Metric   string `json:"metric"`
	// Dimensions are those of the last sample, in canonical form.
	Dimensions string    `json:"dimensions,omitempty"`
	Samples    int64     `json:"samples"`
	LastAt     time.Time `json:"last_at"`
}

// Census is what no signal listens to, of all processes that share a ledger.
type Census struct {
	Version int `json:"version"`
	// Series are those counted, by resource and metric, those counted most first.
	Series []Unrouted `json:"series"`
	// Others are the samples of series beyond those that are kept apart.
	Others int64 `json:"others,omitempty"`
}

const (
	// censusPool is the name under which the census lies in the ledger. No pool can have it.
	censusPool, censusSource = "_unrouted", "census"
	// maxUnrouted is how many series the census keeps apart, maxCounting how many one process counts between two writes.
	maxUnrouted, maxCounting = 256, 1024
	// censusEvery is how often a process writes what it has counted; what is counted in between may be lost with it.
	censusEvery = 5 * time.Minute
	// censusKeeps is how long a series that is heard of no more stays.
	censusKeeps = 24 * time.Hour
)

// counting is what one process has counted since it last wrote.
type counting struct {
	mu     sync.Mutex
	series map[route]*Unrouted
	others int64
	wrote  time.Time
}

// count counts a sample that no signal listens to.
func (c *counting) count(s *scale.Sample, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := route{s.Resource, s.Metric}
	u := c.series[key]
	if u == nil {
		if len(c.series) >= maxCounting {
			c.others++
			return
		}
		if c.series == nil {
			c.series = make(map[route]*Unrouted)
		}
		u = &Unrouted{Resource: key.resource, Metric: key.metric}
		c.series[key] = u
	}
	u.Samples++
	u.Dimensions, u.LastAt = s.Dimensions, now
}

// take takes what was counted, if it is time to write it.
func (c *counting) take(now time.Time) *Census {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.series) == 0 || !c.wrote.IsZero() && now.Sub(c.wrote) < censusEvery && !now.Before(c.wrote) {
		return nil
	}
	out := &Census{Others: c.others}
	for _, u := range c.series {
		out.Series = append(out.Series, *u)
	}
	c.series, c.others, c.wrote = nil, 0, now
	return out
}

// publish writes what this process has counted into the census. It never holds up anything: what cannot be written is
// lost, and counted anew.
func (e *Engine) publish(ctx context.Context) {
	mine := e.counting.take(e.now())
	if mine == nil {
		return
	}
	var err error
	for range tries {
		var stored scale.Stored
		if stored, err = e.Ledger.Load(ctx, censusPool); err != nil {
			break
		}
		census, version := censusOf(stored)
		census.join(mine, e.now())
		data, failed := json.Marshal(census)
		if failed != nil {
			err = failed
			break
		}
		err = e.Ledger.Commit(ctx, censusPool, scale.Commit{
			Attempt: e.attempt(), Windows: []scale.StoredWindow{{Source: censusSource, Data: data, Version: version}},
		})
		if !errors.Is(err, scale.ErrConflict) {
			break
		}
	}
	if err != nil {
		e.Log.Warn("samples that no signal listens to were not written down", slog.Any("error", err))
	}
}

// ReadCensus reads what no signal listens to.
func ReadCensus(ctx context.Context, l interface {
	Load(ctx context.Context, pool string) (scale.Stored, error)
},
) (Census, error) {
	stored, err := l.Load(ctx, censusPool)
	if err != nil {
		return Census{}, fmt.Errorf("read what no signal listens to: %w", err)
	}
	census, _ := censusOf(stored)
	return census, nil
}

// censusOf is the stored census, with its version; one that cannot be read is begun anew.
func censusOf(stored scale.Stored) (c Census, version string) {
	for _, w := range stored.Windows {
		if w.Source != censusSource {
			continue
		}
		version = w.Version
		if json.Unmarshal(w.Data, &c) != nil || c.Version != 1 {
			c = Census{}
		}
	}
	c.Version = 1
	return c, version
}

// join adds counts, and lets go of what is old or too much.
func (c *Census) join(more *Census, now time.Time) {
	at := make(map[route]int, len(c.Series))
	for i := range c.Series {
		at[route{c.Series[i].Resource, c.Series[i].Metric}] = i
	}
	for _, u := range more.Series {
		if i, ok := at[route{u.Resource, u.Metric}]; ok {
			u.Samples += c.Series[i].Samples
			c.Series[i] = u
			continue
		}
		c.Series = append(c.Series, u)
	}
	c.Others += more.Others
	c.Series = slices.DeleteFunc(c.Series, func(u Unrouted) bool { return now.Sub(u.LastAt) > censusKeeps })
	slices.SortFunc(c.Series, func(a, b Unrouted) int {
		return cmp.Or(cmp.Compare(b.Samples, a.Samples), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Metric, b.Metric))
	})
	for len(c.Series) > maxUnrouted {
		last := len(c.Series) - 1
		c.Others += c.Series[last].Samples
		c.Series = c.Series[:last]
	}
}
