// Package doctor judges what was found out about an installation: each judgement is a finding with what it means and
// what to do about it.
//
// It asks nobody: whoever calls has looked already, and hands in what was seen, the present instant among it. It never
// calls a thing well that was not looked at; that is a finding of its own level.
package doctor

import (
	"fmt"
	"slices"
)

// Level says how bad a finding is.
type Level string

// The levels of a finding.
const (
	// OK is as it should be.
	OK Level = "ok"
	// Warning works, and may not be what was meant.
	Warning Level = "warning"
	// Problem keeps Trimtab from its work, or lets somebody work against it.
	Problem Level = "problem"
	// Unknown could not be looked at.
	Unknown Level = "unknown"
)

// Finding is one judgement.
type Finding struct {
	// Check names what was looked at; stable, in snake case.
	Check string `json:"check"`
	// Subject is the pool, setting or service that it is about.
	Subject string `json:"subject"`
	Level   Level  `json:"level"`
	// Says is what was seen, Do what to do about it; Do is empty where nothing is to be done.
	Says string `json:"says"`
	Do   string `json:"do,omitempty"`
}

// Report is all findings with their numbers.
type Report struct {
	OK       int       `json:"ok"`
	Warnings int       `json:"warnings"`
	Problems int       `json:"problems"`
	Unknown  int       `json:"unknown"`
	Findings []Finding `json:"findings"`
}

// NewReport counts findings. Their order is kept: it is that in which one thing depends on another.
func NewReport(findings []Finding) Report {
	r := Report{Findings: slices.Clone(findings)}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for _, f := range findings {
		switch f.Level {
		case OK:
			r.OK++
		case Warning:
			r.Warnings++
		case Problem:
			r.Problems++
		default:
			r.Unknown++
		}
	}
	return r
}

// String is the line that sums the report up.
func (r Report) String() string {
	return fmt.Sprintf("doctor: ok=%d warnings=%d problems=%d unknown=%d", r.OK, r.Warnings, r.Problems, r.Unknown)
}

// about makes findings of one subject.
type about struct {
	subject string
	all     []Finding
}

func (a *about) ok(check, says string, args ...any) {
	a.add(check, OK, "", says, args...)
}

func (a *about) add(check string, level Level, do, says string, args ...any) {
	a.all = append(a.all, Finding{Check: check, Subject: a.subject, Level: level, Says: fmt.Sprintf(says, args...), Do: do})
}
