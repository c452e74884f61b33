package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/report"
)

// page is a small page with every part filled in, and text that would end its element if it were written as it is.
func page() *report.Page {
	low, high := 0.1, 0.3
	return &report.Page{
		Title: "Replay </script><script>alert(1)</script>", Kind: "closed loop", Today: "today",
		Summary:  []string{"One & only <b>."},
		Measures: []report.Measure{{Key: "unmet", Name: "Unmet", Unit: "%", Meaning: "Demand that found no instance.", Better: "lower", Digits: 2}},
		Verdicts: []report.Verdict{
			{Policy: "today", Trace: "a", Values: map[string]report.Value{"unmet": {Middle: 0.2, Low: &low, High: &high}}},
			{Policy: "next", Trace: "a", Values: map[string]report.Value{}},
		},
		Runs: []report.Run{{
			Policy: "today", Trace: "a", At: []int64{60, 120, 180},
			Demand: report.Column{1.23456, math.NaN(), math.Inf(1)}, Regular: report.Column{1, 2, 3},
			Signals:   []report.Line{{Name: "cpu", Unit: "percent", Values: report.Column{10, 20, 30}}},
			Decisions: []report.Decision{{At: 120, Action: "scale", Direction: "grow", From: 1, To: 2, Reason: "track", Text: "why"}},
		}},
		Assumptions: []report.Assumption{{Name: "boot", Value: "90 s", Why: "measured"}},
	}
}

func write(t *testing.T, p *report.Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Write(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestThePageHoldsItsDataWhole(t *testing.T) {
	html := write(t, page())
	m := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(html)
	if m == nil {
		t.Fatal("no data in the page")
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(m[1]), &got); err != nil {
		t.Fatalf("the data do not parse: %v", err)
	}
	run := got["runs"].([]any)[0].(map[string]any)
	if diff := cmp.Diff([]any{1.2346, nil, nil}, run["demand"]); diff != "" {
		t.Errorf("demand: %s", diff)
	}
	if got["title"] != page().Title {
		t.Errorf("the title became %q", got["title"])
	}
}

func TestTextCannotEndItsElement(t *testing.T) {
	if html := write(t, page()); strings.Contains(html, "<script>alert(1)") || strings.Contains(html, "only <b>") {
		t.Error("text from the data stands in the page as markup")
	}
}

func TestThePageFetchesNothing(t *testing.T) {
	html := write(t, page())
	if m := regexp.MustCompile(`(?i)\b(src|href)\s*=\s*["']?[^"'\s>]+|@import|url\(\s*["']?http`).FindString(html); m != "" {
		t.Errorf("the page asks for something: %s", m)
	}
	if !strings.Contains(html, "default-src 'none'") {
		t.Error("the page does not forbid itself to fetch")
	}
}

func TestTheChartsComeWithTheirLicenceOrAreSaidToBeMissing(t *testing.T) {
	html := write(t, page())
	licensed := strings.Contains(html, "Permission is hereby granted") && strings.Contains(html, "uPlot")
	missing := strings.Contains(html, `id="uncharted"`)
	if licensed != report.Charts() || missing == report.Charts() {
		t.Errorf("charts %v, licence shown %v, said to be missing %v", report.Charts(), licensed, missing)
	}
}

func TestOnePageIsTheSameBytesEachTime(t *testing.T) {
	first := write(t, page())
	if again := write(t, page()); again != first {
		t.Error("two writings of one page differ")
	}
}

func TestWhatCannotBeDrawnIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		bad  func(*report.Run)
		want string
	}{
		"a column too short":          {func(r *report.Run) { r.Regular = r.Regular[:1] }, "regular has 1 figures for 3 instants"},
		"a signal too long":           {func(r *report.Run) { r.Signals[0].Values = make(report.Column, 4) }, "signal cpu has 4 figures"},
		"instants that do not rise":   {func(r *report.Run) { r.At = []int64{60, 60, 180} }, "instant 1"},
		"a run without any instant":   {func(r *report.Run) { *r = report.Run{Policy: "today", Trace: "a"} }, "no instants"},
		"the run that is at fault is": {func(r *report.Run) { r.At = nil }, "run of today on a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := page()
			c.bad(&p.Runs[0])
			err := report.Write(io.Discard, p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}
