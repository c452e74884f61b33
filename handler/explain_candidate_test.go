package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
)

func TestExplainShowsTheCandidatesDifference(t *testing.T) {
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	hold := scale.Decision{Action: scale.Hold, From: scale.Capacity{Instances: 5}, To: scale.Capacity{Instances: 5}, Reason: "track"}
	grow := scale.Decision{
		Action: scale.Scale, Direction: scale.Grow, From: scale.Capacity{Instances: 5}, To: scale.Capacity{Instances: 8}, Reason: "track",
	}
	entry := func(d scale.Decision, b scale.Beside) *scale.Entry {
		return &scale.Entry{Pool: "web", At: at, Decision: d, Beside: &b}
	}
	for name, tc := range map[string]struct {
		entry *scale.Entry
		trial *scale.Trial
		want  []string
	}{
		"beside it": {
			entry(hold, scale.Beside{Policy: "next", Candidate: "next", Decision: grow, Differs: true, Instances: 3, Proposal: scale.Proposal{
				Reasons: []scale.Reason{{Code: "track", Name: "cpu", State: scale.ReasonKnown, Instances: 8}},
			}}), nil,
			[]string{"The candidate next was asked beside it and touched nothing", "difference: it would grow from 5 to 8, +3 instances, because of track", "track  cpu  8"},
		},
		"the same": {
			entry(hold, scale.Beside{Policy: "next", Candidate: "next", Decision: hold}), nil,
			[]string{"no difference: it would hold at 5"},
		},
		"it decides": {
			entry(grow, scale.Beside{Policy: "web", Candidate: "next", Decision: hold, Differs: true, Instances: -3}),
			&scale.Trial{Candidate: "next", Since: at, Evaluations: 7, Trying: scale.Tally{Errors: 1}},
			[]string{"The candidate next decided; the pool's own policy web was asked beside it", "difference: it would hold at 5, -3 instances", "7 evaluations before this; errors 1, own 0"},
		},
		"it was sent back": {
			entry(hold, scale.Beside{Policy: "next", Candidate: "next", Decision: hold, Proposal: scale.Proposal{Fault: "it broke"}}),
			&scale.Trial{Candidate: "next", Since: at, Evaluations: 7, ReturnedAt: at, Why: "3 errors"},
			[]string{"it is at fault: it broke", "sent back at 2026-05-04 09:00:00: 3 errors"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.entry.View.Memory.Trial = tc.trial
			var out bytes.Buffer
			if err := explain(&out, tc.entry); err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("lacks %q:\n%s", want, out.String())
				}
			}
		})
	}
}
