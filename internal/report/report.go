// Package report writes what a replay or a journal shows as one HTML file that opens offline: no address is fetched, and
// the charts' code lies in the file with its licence. It draws what it is given and reckons nothing, so that a figure on
// the page is the figure in the JSON.
//
// What is given is a Page. The same page gives the same bytes.
package report

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"
)

// Page is what one file shows.
type Page struct {
	Title string `json:"title"`
	// Kind says where the figures come from: "closed loop", "open loop" or "journal".
	Kind string `json:"kind"`
	// Summary are sentences shown under the title.
	Summary []string `json:"summary,omitempty"`
	// Cases are sentences that explain the verdicts, shown below them.
	Cases []string `json:"cases,omitempty"`
	// Today names the policy that the others are compared with, empty for the first one.
	Today string `json:"today,omitempty"`
	// Comparisons set each candidate against every other policy.
	Comparisons []Comparison `json:"comparisons,omitempty"`
	// Policies say what takes part.
	Policies    []Policy     `json:"policies,omitempty"`
	Measures    []Measure    `json:"measures"`
	Verdicts    []Verdict    `json:"verdicts"`
	Runs        []Run        `json:"runs"`
	Assumptions []Assumption `json:"assumptions,omitempty"`
}

// Comparison is a candidate against another policy: a verdict, and the differences that it stands on.
type Comparison struct {
	Policy  string `json:"policy"`
	Against string `json:"against"`
	// Verdict is "better", "worse", "same" or "trade".
	Verdict string `json:"verdict"`
	// Cost is in per cent of the other's, Unmet in percentage points.
	Cost  float64 `json:"cost"`
	Unmet float64 `json:"unmet"`
	// SpeedUp is the elastic speed-up, nil where it is not defined.
	SpeedUp *float64 `json:"speed_up,omitempty"`
	// Runs says how single runs compare.
	Runs string `json:"runs,omitempty"`
}

// Policy is one that takes part.
type Policy struct {
	Name string `json:"name"`
	// Kind is "candidate", "today" or "baseline".
	Kind  string `json:"kind"`
	About string `json:"about,omitempty"`
	// Notes are what is to be known of one that was made of something else.
	Notes []string `json:"notes,omitempty"`
}

// Measure is a column of the verdict table.
type Measure struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	// Meaning defines it in one sentence.
	Meaning string `json:"meaning"`
	// Better is "lower", "higher" or empty where neither is.
	Better string `json:"better,omitempty"`
	Digits int    `json:"digits"`
	// Main is true for one that is shown from the beginning.
	Main bool `json:"main,omitempty"`
}

// Verdict is a row of the verdict table.
type Verdict struct {
	Policy string `json:"policy"`
	Trace  string `json:"trace"`
	// Values are by the measures' keys. What is absent was not measured.
	Values map[string]Value `json:"values"`
}

// Value is a figure, and where several runs stand behind it the range in which most of them lie.
type Value struct {
	Middle float64  `json:"middle"`
	Low    *float64 `json:"low,omitempty"`
	High   *float64 `json:"high,omitempty"`
}

// Run is one policy on one trace over time.
type Run struct {
	Policy string `json:"policy"`
	Trace  string `json:"trace"`
	// At are instants in seconds of Unix time, rising. Every column of figures is as long; a figure that is not known is
	// NaN.
	At []int64 `json:"at"`
	// Demand is in instances, as are Regular, Spot and Wanted. Unmet is the part of Demand that found no instance. Cost is
	// what was spent until then, in Currency.
	Demand   Column `json:"demand,omitempty"`
	Regular  Column `json:"regular,omitempty"`
	Spot     Column `json:"spot,omitempty"`
	Wanted   Column `json:"wanted,omitempty"`
	Unmet    Column `json:"unmet,omitempty"`
	Cost     Column `json:"cost,omitempty"`
	Currency string `json:"currency,omitempty"`
	Signals  []Line `json:"signals,omitempty"`
	// Prices are those in force where they move.
	Prices []Line `json:"prices,omitempty"`
	// Decisions are those that changed something or that a rail changed, in order.
	Decisions []Decision `json:"decisions,omitempty"`
	// Note is a sentence shown above the charts.
	Note string `json:"note,omitempty"`
	// Events are what happened to the fleet: evictions, Spot that could not be had.
	Events []Event `json:"events,omitempty"`
}

// Event is something that happened to the fleet at an instant of Unix time.
type Event struct {
	At   int64  `json:"at"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Line is a signal over time.
type Line struct {
	Name   string `json:"name"`
	Unit   string `json:"unit,omitempty"`
	Values Column `json:"values"`
}

// Decision is one decision and why.
type Decision struct {
	// At is in seconds of Unix time.
	At        int64  `json:"at"`
	Action    string `json:"action"`
	Direction string `json:"direction"`
	From      int    `json:"from"`
	To        int    `json:"to"`
	Reason    string `json:"reason"`
	Rails     []Rail `json:"rails,omitempty"`
	// Entry is the key of the journal entry, empty if there is none.
	Entry string `json:"entry,omitempty"`
	// Text is the whole explanation, as `trimtab explain` prints it.
	Text string `json:"text,omitempty"`
}

// Rail is what one rail did to the number.
type Rail struct {
	Rail   string `json:"rail"`
	Code   string `json:"code"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

// Assumption is something that the figures stand on.
type Assumption struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why,omitempty"`
}

// Column is a series of figures; NaN and infinities become null.
type Column []float64

// MarshalJSON writes four significant decimals at most: a chart shows no more, and the file stays small.
func (c Column) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 6*len(c)+2)
	out = append(out, '[')
	for i, f := range c {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			out = append(out, "null"...)
			continue
		}
		b, err := json.Marshal(math.Round(f*1e4) / 1e4)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return append(out, ']'), nil
}

//go:embed page
var pages embed.FS

// chart is where make puts the chart library. Third-party code is not committed: the folder is empty in a fresh clone.
//
//go:embed all:chart/dist
var chart embed.FS

var layout = template.Must(template.New("page.html").ParseFS(pages, "page/page.html"))

// Charts reports whether the chart library is built in. Without it a page has its tables and says what is missing.
func Charts() bool {
	_, err := chart.ReadFile("chart/dist/uPlot.iife.min.js")
	return err == nil
}

// Write writes the page. Columns whose lengths differ from that of At are an error, and nothing is written then.
func Write(w io.Writer, p *Page) error {
	for i := range p.Runs {
		if err := p.Runs[i].check(); err != nil {
			return fmt.Errorf("report: run of %s on %s: %w", p.Runs[i].Policy, p.Runs[i].Trace, err)
		}
	}
	data, err := json.Marshal(p) // escapes <, > and &, so that no text ends the element it lies in
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	parts := map[string]any{"Title": p.Title, "Data": template.JS(data), "Charts": Charts()} // #nosec: our own JSON
	for name, from := range map[string]struct {
		fs   embed.FS
		path string
	}{
		"Script": {pages, "page/page.js"}, "Draw": {pages, "page/draw.js"}, "Style": {pages, "page/page.css"},
		"Library": {chart, "chart/dist/uPlot.iife.min.js"}, "LibraryStyle": {chart, "chart/dist/uPlot.min.css"},
		"Licence": {chart, "chart/dist/LICENSE"},
	} {
		b, err := from.fs.ReadFile(from.path)
		if err != nil && from.path[0] == 'p' {
			return fmt.Errorf("report: %w", err)
		}
		switch name {
		case "Style", "LibraryStyle":
			parts[name] = template.CSS(b)
		case "Licence":
			parts[name] = string(b)
		default:
			parts[name] = template.JS(b)
		}
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, parts); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// check says whether the run can be drawn.
func (r *Run) check() error {
	if len(r.At) == 0 {
		return errors.New("it has no instants")
	}
	columns := map[string]Column{
		"demand": r.Demand, "regular": r.Regular, "spot": r.Spot, "wanted": r.Wanted, "unmet": r.Unmet, "cost": r.Cost,
	}
	for _, s := range r.Signals {
		columns["signal "+s.Name] = s.Values
	}
	for _, s := range r.Prices {
		columns["price "+s.Name] = s.Values
	}
	for name, c := range columns {
		if len(c) != 0 && len(c) != len(r.At) {
			return fmt.Errorf("%s has %d figures for %d instants", name, len(c), len(r.At))
		}
	}
	for i := 1; i < len(r.At); i++ {
		if r.At[i] <= r.At[i-1] {
			return fmt.Errorf("instant %d, %s, is not after the one before it", i, time.Unix(r.At[i], 0).UTC().Format(time.RFC3339))
		}
	}
	return nil
}
