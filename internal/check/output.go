package check

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
)

// Formats are the forms that a report can be written in.
var Formats = []string{"text", "json", "sarif", "github"}

// Write writes a report in one of the Formats. Files are named below prefix, the folder as it was named; version is the
// program's own.
func (r *Report) Write(w io.Writer, form, prefix, version string) error {
	r.Sort()
	at := func(f Finding) string { return path.Join(prefix, f.File) }
	switch form {
	case "json":
		if r.Findings == nil {
			r.Findings = []Finding{}
		}
		return encode(w, r)
	case "sarif":
		return encode(w, r.sarif(at, version))
	case "github":
		return r.github(w, at)
	}
	return r.text(w, at)
}

func encode(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// text writes a line for each finding, as compilers do, and then what was examined.
func (r *Report) text(w io.Writer, at func(Finding) string) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s:%d: %s: %s [%s]\n", at(f), f.Line, f.Level, f.Text, f.Rule); err != nil {
			return err
		}
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(w)
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, p := range r.Parts {
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, p.State, p.Detail)
	}
	return table.Flush()
}

// github writes the workflow commands that annotate a pull request.
func (r *Report) github(w io.Writer, at func(Finding) string) error {
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, f := range r.Findings {
		level := map[Level]string{Error: "error", Warning: "warning", Info: "notice"}[f.Level]
		if _, err := fmt.Fprintf(w, "::%s file=%s,line=%d,title=%s::%s\n",
			level, property.Replace(at(f)), f.Line, property.Replace("trimtab check: "+f.Rule), text.Replace(f.Text)); err != nil {
			return err
		}
	}
	for _, p := range r.Parts {
		if p.State == NotRun {
			if _, err := fmt.Fprintf(w, "::notice title=%s::%s\n", property.Replace("trimtab check: "+p.Name+" not run"), text.Replace(p.Detail)); err != nil {
				return err
			}
		}
	}
	return nil
}

// The parts of SARIF 2.1.0 that a report needs.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties,omitempty"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// uriOf is a path as SARIF wants it, a URI reference: with what a URI may not hold, such as a space, in per cent.
func uriOf(path string) string { return (&url.URL{Path: path}).String() }

// sarif is the report for code scanning.
func (r *Report) sarif(at func(Finding) string, version string) sarifLog {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{Name: "trimtab check", Version: version}}, Results: []sarifResult{},
		Invocations: []sarifInvocation{{Successful: true}},
	}
	index := map[string]int{}
	rule := func(id, about string) {
		index[id] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: id, ShortDescription: sarifText{about}})
	}
	for _, id := range slices.Sorted(maps.Keys(Rules)) {
		rule(id, Rules[id])
	}
	for _, p := range r.Parts {
		if p.State == NotRun {
			run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
				sarifNotification{Level: "note", Message: sarifText{p.Name + " was not run: " + p.Detail}})
		}
	}
	for _, f := range r.Findings {
		if _, known := index[f.Rule]; !known {
			rule(f.Rule, "A rule of Regal's: "+strings.TrimPrefix(f.Rule, "regal/"))
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule, RuleIndex: index[f.Rule], Level: string(f.Level), Message: sarifText{f.Text},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifact{uriOf(at(f))}, sarifRegion{f.Line}}}},
		})
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}
